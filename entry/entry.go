// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package entry is the house rule: a scanned code, what the kiosk believes, the time and the previous uses become one
// Decision with a reason and the steps that led to it. To admit, the use is reserved and the event recorded first; only
// then does a Grant exist, and only a Grant moves a gate.
//
// The package knows no storage, no network, no hardware and no clock of its own: what it asks is behind the three
// interfaces below, and the moment of a decision is an argument, so that a decision can be replayed.
package entry

import (
	"context"
	"fmt"
	"time"

	"gatehouse/credential"
)

// Knowledge is what the kiosk believes.
type Knowledge interface {
	// Belief returns one consistent view for one decision. It is cheap: nothing is copied or decoded. An error means
	// that nothing can be decided now (no signed documents yet, or a store that cannot be read): the lane is out of order.
	Belief() (Belief, error)
}

// Belief is one consistent view of the signed documents in force.
type Belief interface {
	credential.Trust

	// Revoked tells whether a verified pass was revoked, by any of its revocation ids or by the status list that it
	// names. An error means that a list is here and cannot be read.
	Revoked(p *credential.Pass) (Revocation, error)

	// Terms are the rules, bands of freshness and versions of this view. They are shared and never change.
	Terms() *Terms
}

// Revocation is what is known of the revocation of one pass.
type Revocation int

// RevocationUnknown is the zero value so that a forgotten answer refuses: a list in force that is not here says nothing
// about a pass, and "not here" is never "not revoked".
const (
	RevocationUnknown Revocation = iota
	NotRevoked
	Revoked
)

// Terms are the signed conditions of a decision.
type Terms struct {
	Venue, Kiosk string
	Policy       *Policy
	Zone         *time.Location // Policy.Zone: loaded once, not for each decision
	// Signed, FreshUntil and HardAfter are the bands of what every decision needs: root, issuers and config.
	Signed     time.Time
	FreshUntil time.Time
	HardAfter  time.Time
	// Lists are the bands of those issuers whose revocations are older than that.
	Lists map[string]Bands
	// Down are the issuers whose own servers are out of reach, and since when, as the newest head says.
	Down       map[string]time.Time
	Incomplete []string // documents that the head names and the kiosk does not have
	Versions   []Version
}

// Bands tell how old data is and how long it counts. The age of a document is the signed time of the newest head that
// names the version in force, whenever the document itself was signed.
type Bands struct {
	Signed     time.Time
	FreshUntil time.Time // from here data is stale: the kiosk works on and says so
	HardAfter  time.Time // from here on nobody is admitted on this data
}

// Older is the earlier of each of two bands.
func (b Bands) Older(o Bands) Bands {
	earlier := func(x, y time.Time) time.Time {
		if y.Before(x) {
			return y
		}
		return x
	}
	return Bands{earlier(b.Signed, o.Signed), earlier(b.FreshUntil, o.FreshUntil), earlier(b.HardAfter, o.HardAfter)}
}

// Bands are those of a decision about a pass of an issuer; of what every decision needs where issuer is "".
func (t *Terms) Bands(issuer string) Bands {
	b := Bands{t.Signed, t.FreshUntil, t.HardAfter}
	if list, ok := t.Lists[issuer]; ok {
		return b.Older(list)
	}
	return b
}

// outage tells why nobody can be asked to bring a younger pass of an issuer; "" where it can be asked.
func (t *Terms) outage(issuer string, stale bool) string {
	switch since, down := t.Down[issuer]; {
	case down:
		return fmt.Sprintf("%s is down since %s", issuer, since.UTC().Format(time.RFC3339))
	case stale:
		return "what is known of " + issuer + " is stale"
	}
	return ""
}

// Freshness is how well what the kiosk believes can be relied on.
type Freshness string

// The bands of freshness. There is no cliff between the first two: a stale kiosk works on and says so.
const (
	Fresh Freshness = "fresh"
	Stale Freshness = "stale"
	Hard  Freshness = "hard"
)

// Freshness is the band at a moment. It is the age of signed data, never of the last connection; a clock that is not
// kept right makes it stale at best.
func (b Bands) Freshness(now Moment) Freshness {
	switch {
	case !now.At.Before(b.HardAfter):
		return Hard
	case !now.At.Before(b.FreshUntil), now.Clock != ClockSynced:
		return Stale
	}
	return Fresh
}

// Freshness is the band of what every decision needs.
func (t *Terms) Freshness(now Moment) Freshness { return t.Bands("").Freshness(now) }

// Version names one document in force.
type Version struct {
	Kind, Scope string
	Version     uint64
}

// Ledger remembers uses and events. Every method is durable: when it returns nil, the bytes survive a power cut. None
// waits for longer than ctx.
type Ledger interface {
	// Reserve records an admission: it counts the uses of each pass, takes one of each and appends the event, in one
	// transaction, and fills ev.Seq. When one pass has reached its limit nothing is written and the error is a *UsedError.
	// Without a use it only appends the event. When ctx ends first the guest must not be let in: no use stays taken.
	Reserve(ctx context.Context, ev *Event, uses ...Use) error

	// Record appends an event and fills ev.Seq. When ctx ends first, or had ended before, the event is held in memory and
	// written later, and the error is ErrLate; where there is no room to hold it the error is another.
	Record(ctx context.Context, ev *Event) error

	// Settle commits (passed, unknown, fault) or annuls (not passed) all uses that were reserved with the event ev.Of, as
	// ev.Passage says; where that is 0, somebody left, and the newest use that stands of each pass in left is given back. It
	// appends ev in the same transaction: no use changes without an event that tells why. When ctx ends first the error is
	// ErrLate, as for Record.
	Settle(ctx context.Context, ev *Event, left ...PassHash) error
}

// History answers for previous uses without taking one.
type History interface {
	Uses(pass PassHash) ([]PastUse, error)
}

// Moment is the time a decision goes by, as the kiosk's clock believes it.
type Moment struct {
	At        time.Time
	Clock     ClockState
	SyncedAgo time.Duration // since something last kept the clock right, where Clock is ClockSynced
}

// ClockState is how far a kiosk's clock can be trusted.
type ClockState string

// The states of a clock. An empty state is that of a clock whose synchronisation nobody watches, and counts as never
// synced.
const (
	ClockSynced      ClockState = "synced"       // within the time that an oscillator keeps
	ClockNeverSynced ClockState = "never_synced" // not since the start, or too long ago
	ClockBehind      ClockState = "behind"       // earlier than the kiosk knows that it is: decided by the floor
)
