// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry_test

import (
	"errors"
	"strings"
	"testing"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/entry/entrytest"
)

// A lane that staff closed answers every code alike, costs no use, and ends a wait; staff can still open it for somebody.
func TestClosedLane(t *testing.T) {
	d := newDesk(t)
	ticket := d.issuer.Pass(credential.Claims{ID: []byte("0123456789abcdef")})
	closed := entry.Lane{Name: "in-1", Closed: true}
	for _, code := range []string{ticket, "nothing", ticket} {
		dec := d.Decide(t.Context(), closed, code, entrytest.Now())
		if dec.Reason != entry.ReasonLaneClosed || dec.Outcome != entry.Deny || dec.Grant != nil || dec.Event == 0 || dec.PassHash != (entry.PassHash{}) {
			t.Errorf("%+v", dec)
		}
	}
	d.know.Err = entrytest.ErrInjected
	if dec := d.Decide(t.Context(), closed, ticket, entrytest.Now()); dec.Reason != entry.ReasonLaneClosed || !strings.Contains(dec.Steps[0].Note, "by hand") {
		t.Errorf("without documents: %+v", dec)
	}
	d.know.Err = nil
	if dec, err := d.Override(t.Context(), closed, "uid 0", "the last guest", entrytest.Now()); err != nil || dec.Grant == nil {
		t.Errorf("opened by hand: %+v, %v", dec, err)
	}
	if dec := d.decide(t, ticket); dec.Reason != entry.ReasonOK {
		t.Errorf("the ticket was used up at a closed lane: %s", dec.Reason)
	}

	p := newPairDesk(t)
	p.shows(p.health("li"), entry.ReasonSecondPassNeeded)
	p.Decide(t.Context(), entry.Lane{Name: "in-1", Closed: true}, p.travel("li"), entrytest.Now())
	p.shows(p.travel("li"), entry.ReasonSecondPassNeeded)
}

// A lane out lets people out, whatever staff did with it before it became one.
func TestClosedLaneOutStaysOpen(t *testing.T) {
	d := newDesk(t)
	d.know.Agreed.Policy.Lanes = map[string]entry.LaneTerms{"in-1": {Direction: entry.DirectionOut}}
	closed := entry.Lane{Name: "in-1", Closed: true}
	if dec := d.Decide(t.Context(), closed, "whatever", entrytest.Now()); dec.Reason != entry.ReasonExit || dec.Grant == nil {
		t.Errorf("%+v", dec)
	}
	if mode := d.Mode(closed, entrytest.Now()); mode != entry.ModeOut {
		t.Error(mode)
	}
}

func TestClosing(t *testing.T) {
	ev, err := entry.Closing(entry.EventClosed, "in-1", "uid 0", "wet floor", entrytest.Now())
	if err != nil || ev.Kind != entry.EventClosed || ev.Lane != "in-1" || ev.Note != "uid 0: wet floor" || !ev.At.Equal(entrytest.Start) {
		t.Errorf("%+v, %v", ev, err)
	}
	if ev, err := entry.Closing(entry.EventReleased, "in-1", "uid 0", "", entrytest.Now()); !errors.Is(err, entry.ErrNoReason) || ev != nil {
		t.Errorf("without a reason: %+v, %v", ev, err)
	}
}
