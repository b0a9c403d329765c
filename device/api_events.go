// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"gatehouse/device/client"
	"gatehouse/entry"
)

// Bounds of one question about the record, so that the lanes' processor is soon free again.
const (
	eventsRead   = 256  // in one transaction
	eventsLooked = 4096 // for one answer
)

func (a *api) getEvents(w http.ResponseWriter, r *http.Request) {
	q, err := parseQuery(r.URL.Query())
	if err != nil {
		reply(w, http.StatusBadRequest, client.Failure{Error: err.Error()})
		return
	}
	page, err := a.kiosk.events(q)
	if err != nil {
		reply(w, http.StatusConflict, client.Failure{Error: err.Error()})
		return
	}
	reply(w, http.StatusOK, page)
}

// parseQuery reads what client.Query writes. What it does not know is refused: a filter that is ignored would show too
// much.
func parseQuery(v url.Values) (q client.Query, err error) {
	for name, values := range v {
		text := values[0]
		switch name {
		case "from":
			q.From, err = strconv.ParseUint(text, 10, 64)
		case "before":
			q.Before, err = strconv.ParseUint(text, 10, 64)
		case "of":
			q.Of, err = strconv.ParseUint(text, 10, 64)
		case "limit":
			q.Limit, err = strconv.Atoi(text)
		case "since":
			q.Since, err = time.Parse(time.RFC3339, text)
		case "lane":
			q.Lane = text
		case "outcome":
			q.Outcome = text
		case "reason":
			q.Reason = text
		case "kind":
			q.Kind = text
		default:
			return q, fmt.Errorf("device: events know no filter %q", name)
		}
		if err != nil {
			return q, fmt.Errorf("device: %s=%q cannot be read", name, text)
		}
	}
	if q.Limit <= 0 || q.Limit > client.MostEvents {
		q.Limit = client.MostEvents
	}
	return q, nil
}

// events is one page of the record.
func (k *kiosk) events(q client.Query) (*client.Page, error) {
	last, err := k.ledger.Last()
	if err != nil {
		return nil, err
	}
	page := &client.Page{Ledger: k.ledger.ID(), Last: last, Events: []client.Event{}}
	oldest, err := k.ledger.Events(0, 1)
	if err != nil || len(oldest) == 0 {
		page.Next = q.From
		return page, err
	}
	page.First = oldest[0].Seq
	if q.From != 0 {
		return page, k.forward(page, q)
	}
	return page, k.backward(page, q)
}

// forward fills a page with the oldest events from q.From on.
func (k *kiosk) forward(page *client.Page, q client.Query) error {
	page.Next = max(q.From, page.First)
	for looked := 0; looked < eventsLooked; {
		read, err := k.ledger.Events(page.Next, eventsRead)
		if err != nil || len(read) == 0 {
			return err
		}
		for _, ev := range read {
			page.Next = ev.Seq + 1
			if wanted(&ev, &q) {
				page.Events = append(page.Events, eventOf(&ev))
			}
			if len(page.Events) == q.Limit {
				return nil
			}
		}
		looked += len(read)
	}
	return nil
}

// backward fills a page with the newest events before q.Before.
func (k *kiosk) backward(page *client.Page, q client.Query) error {
	page.Next = min(cmp.Or(q.Before, page.Last+1), page.Last+1)
	for looked := 0; looked < eventsLooked && page.Next > page.First; {
		from := max(page.First, page.Next-min(eventsRead, page.Next))
		read, err := k.ledger.Events(from, int(page.Next-from))
		if err != nil {
			return err
		}
		page.Next, looked = from, looked+eventsRead
		for _, ev := range slices.Backward(read) {
			if !wanted(&ev, &q) {
				continue
			}
			page.Events = append(page.Events, eventOf(&ev))
			if len(page.Events) == q.Limit {
				page.Next = ev.Seq
				break
			}
		}
		if len(page.Events) == q.Limit {
			break
		}
	}
	if page.Next <= page.First {
		page.Next = 0
	}
	return nil
}

func wanted(ev *entry.Event, q *client.Query) bool {
	is := func(want, have string) bool { return want == "" || want == have }
	return is(q.Lane, ev.Lane) && is(q.Outcome, string(ev.Outcome)) && is(q.Reason, string(ev.Reason)) && is(q.Kind, string(ev.Kind)) &&
		(q.Since.IsZero() || !ev.At.Before(q.Since)) && (q.Of == 0 || q.Of == ev.Of)
}

// eventOf is an event as it leaves the kiosk: with a short hash.
func eventOf(ev *entry.Event) client.Event {
	out := client.Event{
		Number: ev.Seq, At: ev.At, Clock: string(ev.Clock), Kind: string(ev.Kind), Lane: ev.Lane, Outcome: string(ev.Outcome),
		Reason: string(ev.Reason), Pass: shortHash(ev.Pass), Format: ev.Format, Issuer: ev.Issuer, Key: hex.EncodeToString(ev.KeyID),
		PassKind: ev.PassKind, Level: ev.Level, Rule: ev.Rule, Passage: string(ev.Passage), Of: ev.Of, Note: oneLine(ev.Note), Late: ev.Late,
		Outage: ev.Outage, AnyHolder: ev.AnyHolder,
	}
	for _, s := range ev.Steps {
		out.Steps = append(out.Steps, string(s))
	}
	return out
}

// shortHash is what of a pass's hash is shown; "" where there is none.
func shortHash(h entry.PassHash) string {
	if h == (entry.PassHash{}) {
		return ""
	}
	return h.String()
}
