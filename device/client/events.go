// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// MostEvents is how many events one page has at most.
const MostEvents = 500

// Event is one line of the record. Nothing in it identifies: the hash of a pass is cut short, and there is none for a
// private kind.
type Event struct {
	Number   uint64    `json:"number"`
	At       time.Time `json:"at"`
	Clock    string    `json:"clock,omitempty"`     // synced, or how at cannot be trusted: never_synced, behind
	Kind     string    `json:"kind"`                // decision, passage, incident, trust or start
	Lane     string    `json:"lane,omitempty"`      // none: of the kiosk
	Outcome  string    `json:"outcome,omitempty"`   // of a decision: admit, deny, wait or refer
	Reason   string    `json:"reason,omitempty"`    // of a decision
	Pass     string    `json:"pass,omitempty"`      // eight hex digits, to tell lines apart
	Format   string    `json:"format,omitempty"`    // of the pass
	Issuer   string    `json:"issuer,omitempty"`    // of the pass
	Key      string    `json:"key,omitempty"`       // id of the issuer's key, in hex
	PassKind string    `json:"pass_kind,omitempty"` // ticket, health, …
	Level    string    `json:"level,omitempty"`     // of a kind that is not private
	Rule     string    `json:"rule,omitempty"`      // the rule that admitted
	Steps    []string  `json:"steps,omitempty"`     // the questions that held, in order
	Passage  string    `json:"passage,omitempty"`   // passed, not_passed, unknown or fault
	Of       uint64    `json:"of,omitempty"`        // number of the event that this one is about; of a decision by two passes, the first's
	Note     string    `json:"note,omitempty"`
	Late     bool      `json:"late,omitempty"`   // it, or the one that it is about, was on the disk after it was acted on
	Outage   bool      `json:"outage,omitempty"` // the pass was older than max_age, and outage_max_age of the rule took it
	// AnyHolder: the rule wants two passes, and did not compare their holders.
	AnyHolder bool `json:"any_holder,omitempty"`
}

// Query is what of the record is asked for. A zero field asks for everything.
type Query struct {
	From   uint64 // this event and later ones, oldest first; with zero the newest come first
	Before uint64 // with From zero: only earlier ones than this
	Limit  int    // at most as many; MostEvents if zero or more than that

	Lane, Outcome, Reason, Kind string
	Since                       time.Time
	Of                          uint64 // what is about this event
}

// Page is the answer to GET /v1/events. It can have fewer events than there are, even none: a kiosk looks at a bounded
// number of them for one answer. Whoever wants more asks again with From, or Before, as Next says.
type Page struct {
	Ledger string  `json:"ledger"` // the id of the ledger; numbers count in one ledger
	First  uint64  `json:"first"`  // number of the oldest event that is kept
	Last   uint64  `json:"last"`   // number of the newest event
	Events []Event `json:"events"`
	Next   uint64  `json:"next"` // where to go on; backwards 0 at the end
}

func (q Query) values() url.Values {
	v := url.Values{}
	text := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	number := func(name string, value uint64) {
		if value != 0 {
			v.Set(name, strconv.FormatUint(value, 10))
		}
	}
	number("from", q.From)
	number("before", q.Before)
	number("limit", uint64(max(q.Limit, 0)))
	number("of", q.Of)
	text("lane", q.Lane)
	text("outcome", q.Outcome)
	text("reason", q.Reason)
	text("kind", q.Kind)
	if !q.Since.IsZero() {
		text("since", q.Since.UTC().Format(time.RFC3339Nano))
	}
	return v
}

// Events asks for a part of the record.
func (c *Client) Events(ctx context.Context, q Query) (*Page, error) {
	var p Page
	return &p, c.call(ctx, soon, c.status, http.MethodGet, "/v1/events?"+q.values().Encode(), &p)
}
