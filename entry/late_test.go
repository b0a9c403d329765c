// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/entry/entrytest"
)

// stalled is a ledger on a disk that takes no write: it keeps what callers hold and leaves, as a ledger must.
type stalled struct {
	*entrytest.Ledger
	full bool // there is no room to hold events
	held []entry.Event
}

func (s *stalled) Reserve(ctx context.Context, _ *entry.Event, _ ...entry.Use) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func (s *stalled) Record(ctx context.Context, ev *entry.Event) error {
	<-ctx.Done()
	if s.full {
		return fmt.Errorf("nothing was written: %w", context.Cause(ctx))
	}
	s.held = append(s.held, *ev)
	return fmt.Errorf("%w: %w", entry.ErrLate, context.Cause(ctx))
}

func (s *stalled) Settle(ctx context.Context, ev *entry.Event, _ ...entry.PassHash) error {
	return s.Record(ctx, ev)
}

func TestADiskThatStalls(t *testing.T) {
	open := &entry.RecordTerms{Deadline: entry.Duration(300 * time.Millisecond), Late: entry.LateOpen}
	staff := func(d *desk) string { return d.issuer.Pass(credential.Claims{Kind: "staff"}) }
	ticket := func(d *desk) string { return d.issuer.Pass(credential.Claims{}) }
	for _, c := range []struct {
		name    string
		terms   *entry.RecordTerms
		code    func(*desk) string
		full    bool
		outcome entry.Outcome
		reason  entry.Reason
		waits   time.Duration
		held    int
	}{
		{"by default a ticket is held", nil, ticket, false, entry.Wait, entry.ReasonRecordFailed, entry.DefaultDeadline, 1},
		{"by default nobody is let in", nil, staff, false, entry.Wait, entry.ReasonRecordFailed, entry.DefaultDeadline, 1},
		{"hold with a deadline", &entry.RecordTerms{Deadline: entry.Duration(time.Second)}, staff, false, entry.Wait, entry.ReasonRecordFailed, time.Second, 1},
		{"open lets in without a limit", open, staff, false, entry.Admit, entry.ReasonOK, 300 * time.Millisecond, 1},
		{"open never lets a ticket in", open, ticket, false, entry.Wait, entry.ReasonRecordFailed, 300 * time.Millisecond, 1},
		{"open holds when the memory is full", open, staff, true, entry.Wait, entry.ReasonRecordFailed, 300 * time.Millisecond, 0},
		{"a refusal stands", nil, func(*desk) string { return "no pass" }, false, entry.Deny, entry.ReasonUnrecognised, entry.DefaultDeadline, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				p := d.know.Agreed.Policy
				p.Accept = append(p.Accept, entry.Rule{Name: "staff", All: []entry.Clause{{Kind: "staff", Issuers: []string{"arena"}}}})
				p.Record = c.terms
				ledger := &stalled{Ledger: d.ledger, full: c.full}
				decider, err := entry.NewDecider(d.know, ledger, ledger, entrytest.VenueKey())
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				dec := decider.Decide(t.Context(), in1, c.code(d), entrytest.Now())
				if dec.Outcome != c.outcome || dec.Reason != c.reason || time.Since(began) != c.waits {
					t.Errorf("%s %s after %v: %+v", dec.Outcome, dec.Reason, time.Since(began), dec.Steps)
				}
				if (dec.Grant != nil) != (c.outcome == entry.Admit) || dec.Late != (c.outcome != entry.Deny) || dec.Event != 0 {
					t.Errorf("grant %v, late %v, event %d", dec.Grant, dec.Late, dec.Event)
				}
				if dec.RecordErr == nil || errors.Is(dec.RecordErr, entry.ErrLate) == c.full {
					t.Errorf("said to the kiosk: %v", dec.RecordErr)
				}
				if len(ledger.held) != c.held || c.held == 1 && ledger.held[0].Outcome != c.outcome {
					t.Errorf("held: %+v", ledger.held)
				}
				if dec.Grant != nil && dec.Grant.Spend("in-1", time.Now()) != nil {
					t.Error("the grant was too old when it was made")
				}
			})
		})
	}
}

func TestSettleDoesNotWaitForAStalledDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		dec := d.Decide(t.Context(), entry.Lane{Name: "in-1", Sensor: true}, d.issuer.Pass(credential.Claims{}), entrytest.Now())
		if dec.Grant == nil {
			t.Fatal(dec.Reason)
		}
		ledger := &stalled{Ledger: d.ledger}
		decider, err := entry.NewDecider(d.know, ledger, ledger, entrytest.VenueKey())
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := decider.Settle(t.Context(), dec, entry.Passed, entrytest.Now()); !errors.Is(err, entry.ErrLate) || time.Since(began) != entry.DefaultDeadline {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if len(ledger.held) != 1 || ledger.held[0].Passage != entry.Passed {
			t.Errorf("the passage is lost: %+v", ledger.held)
		}
	})
}

// A lane that writes down a passage of nobody who was admitted goes on to its next guest while the disk stalls.
func TestRecordDoesNotWaitForAStalledDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		ledger := &stalled{Ledger: d.ledger}
		decider, err := entry.NewDecider(d.know, ledger, ledger, entrytest.VenueKey())
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []time.Duration{entry.DefaultDeadline, 300 * time.Millisecond} {
			began := time.Now()
			err := decider.Record(context.WithoutCancel(t.Context()), &entry.Event{Kind: entry.EventIncident})
			if !errors.Is(err, entry.ErrLate) || time.Since(began) != want {
				t.Errorf("after %v, not %v: %v", time.Since(began), want, err)
			}
			d.know.Agreed.Policy.Record = &entry.RecordTerms{Deadline: entry.Duration(300 * time.Millisecond)}
		}
	})
}

func TestRecordTermsAreChecked(t *testing.T) {
	for text, terms := range map[string]*entry.RecordTerms{
		"record.deadline": {Deadline: entry.Duration(time.Millisecond)},
		"between":         {Deadline: entry.Duration(time.Minute)},
		"record.late":     {Late: "close"},
	} {
		p := entrytest.NewKnowledge(entrytest.NewIssuer(t, "arena")).Agreed.Policy
		p.Record = terms
		if err := p.Validate(); !errors.Is(err, entry.ErrPolicy) || !strings.Contains(err.Error(), text) {
			t.Errorf("%+v: %v", terms, err)
		}
		p.Record = &entry.RecordTerms{Deadline: entry.Duration(5 * time.Second), Late: entry.LateOpen}
		if err := p.Validate(); err != nil {
			t.Error(err)
		}
	}
}
