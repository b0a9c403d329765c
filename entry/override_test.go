// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/entry"
	"gatehouse/entry/entrytest"
)

// An opening by hand is in the record, with who and why, before there is a grant; without documents too.
func TestOverride(t *testing.T) {
	d := newDesk(t)
	d.know.Agreed.Policy.Lanes = map[string]entry.LaneTerms{"in-1": {Pulse: entry.Duration(3 * time.Second)}}
	dec, err := d.Override(t.Context(), in1, "uid 1000", "wheelchair at the gate", entrytest.Now())
	if err != nil || dec.Outcome != entry.Admit || dec.Reason != entry.ReasonOverride || dec.Event != 1 || dec.Grant.Pulse() != 3*time.Second {
		t.Fatalf("%+v, %v", dec, err)
	}
	ev := d.ledger.Events()[0]
	if ev.Reason != entry.ReasonOverride || ev.Outcome != entry.Admit || ev.Lane != "in-1" || ev.Note != "uid 1000: wheelchair at the gate" {
		t.Errorf("event %+v", ev)
	}
	if err := dec.Grant.Spend("in-1", time.Now()); err != nil {
		t.Error(err)
	}
	d.know.Err = entrytest.ErrInjected
	if dec, err := d.Override(t.Context(), in1, "uid 1000", "power cut", entrytest.Now()); err != nil || dec.Grant == nil {
		t.Errorf("without documents: %+v, %v", dec, err)
	}
}

// Whoever is let in by hand leaves no pass behind that waits: the next guest is not paired with it.
func TestOverrideEndsAWait(t *testing.T) {
	d := newPairDesk(t)
	d.shows(d.health("li"), entry.ReasonSecondPassNeeded)
	if _, err := d.Override(t.Context(), in1, "uid 0", "the other pass is at home", entrytest.Now()); err != nil {
		t.Fatal(err)
	}
	d.shows(d.travel("li"), entry.ReasonSecondPassNeeded)
}

func TestOverrideNeedsReasonAndRecord(t *testing.T) {
	d := newDesk(t)
	for _, why := range []string{"", " ", "...", "123", "two\nlines", "\x1b[2J now", "bad \xff text", strings.Repeat("a", 201)} {
		if dec, err := d.Override(t.Context(), in1, "uid 0", why, entrytest.Now()); !errors.Is(err, entry.ErrNoReason) || dec.Grant != nil {
			t.Errorf("%q: %+v, %v", why, dec, err)
		}
	}
	if n := len(d.ledger.Events()); n != 0 {
		t.Errorf("%d events", n)
	}
	if _, err := d.Override(t.Context(), in1, "uid 0", "门坏了", entrytest.Now()); err != nil {
		t.Error(err)
	}
	d.ledger.Fail(entrytest.ErrInjected, nil)
	if dec, err := d.Override(t.Context(), in1, "uid 0", "fire drill", entrytest.Now()); err != nil || dec.Grant != nil || dec.Reason != entry.ReasonRecordFailed || dec.Outcome != entry.Refer || dec.RecordErr == nil {
		t.Errorf("a record that fails: %+v, %v", dec, err)
	}
}
