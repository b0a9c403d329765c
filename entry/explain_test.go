// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/entry/entrytest"
)

// What is explained is what would be decided, step by step, and leaves nothing behind.
func TestExplainIsADryRun(t *testing.T) {
	d := newDesk(t)
	ticket := d.issuer.Pass(credential.Claims{ID: []byte("0123456789abcdef")})
	for _, code := range []string{ticket, ticket, "https://example.org/menu", d.issuer.Pass(credential.Claims{Kind: "staff"}), ticket[:40]} {
		before := len(d.ledger.Events())
		var told entry.Explanation
		for range 3 {
			told = d.Explain(in1, entrytest.Now(), code)[0]
		}
		if told.Grant != nil || told.Event != 0 || len(d.ledger.Events()) != before {
			t.Fatalf("explaining left something behind: %+v, %d events", told.Decision, len(d.ledger.Events())-before)
		}
		if told.Terms != d.know.Agreed {
			t.Error("it does not tell the terms that it was judged by")
		}
		made := d.decide(t, code)
		if told.Outcome != made.Outcome || told.Reason != made.Reason || told.Rule != made.Rule || told.PassHash != made.PassHash {
			t.Errorf("explained %s, decided %s", told.Reason, made.Reason)
		}
		steps := made.Steps
		if made.Outcome == entry.Admit {
			steps = steps[:len(steps)-1] // that it is recorded
			if len(told.Uses) != 1 || told.Uses[0].Limit != 1 {
				t.Errorf("a ticket takes %+v", told.Uses)
			}
		}
		if !reflect.DeepEqual(told.Steps, steps) {
			t.Errorf("explained %v, decided %v", told.Steps, steps)
		}
	}
	d.know.Err = entrytest.ErrInjected
	if told := d.Explain(in1, entrytest.Now(), ticket)[0]; told.Reason != entry.ReasonOutOfOrder || told.Terms != nil {
		t.Errorf("nothing can be read: %+v", told)
	}
}

// The sequence of two codes is explained as two passes for one entry, whatever waits at the lane; one code with what waits.
func TestExplainTwoPasses(t *testing.T) {
	d := newPairDesk(t)
	now := entrytest.Now()
	reasons := func(codes ...string) (list []entry.Reason) {
		for _, told := range d.Explain(in1, now, codes...) {
			list = append(list, told.Reason)
		}
		return list
	}
	health, travel, other := d.health("li"), d.travel("li"), d.travel("wang")
	for what, c := range map[string]struct{ got, want []entry.Reason }{
		"one":            {reasons(health), []entry.Reason{entry.ReasonSecondPassNeeded}},
		"both":           {reasons(health, travel), []entry.Reason{entry.ReasonSecondPassNeeded, entry.ReasonOK}},
		"the other way":  {reasons(travel, health), []entry.Reason{entry.ReasonSecondPassNeeded, entry.ReasonOK}},
		"of two people":  {reasons(health, other), []entry.Reason{entry.ReasonSecondPassNeeded, entry.ReasonDifferentHolder}},
		"one twice":      {reasons(health, health), []entry.Reason{entry.ReasonSecondPassNeeded, entry.ReasonSecondPassNeeded}},
		"a refusal ends": {reasons("nothing", travel), []entry.Reason{entry.ReasonUnrecognised}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: %v, want %v", what, c.got, c.want)
		}
	}
	if len(d.ledger.Events()) != 0 || entry.Waiting(d.Decider) != 0 {
		t.Error("explaining left something behind")
	}
	d.shows(health, entry.ReasonSecondPassNeeded)
	if got := reasons(travel); got[0] != entry.ReasonOK {
		t.Errorf("with one that waits: %v", got)
	}
	if got := reasons(other, d.health("wang")); !reflect.DeepEqual(got, []entry.Reason{entry.ReasonSecondPassNeeded, entry.ReasonOK}) {
		t.Errorf("a sequence beside one that waits: %v", got)
	}
	d.shows(travel, entry.ReasonOK) // it was not taken away
}

// A wish of rivals' users, an outage that explains itself: what each rule says is told, with the clause that is for such a
// pass, so that ages, outages and hours can be.
func TestExplainTellsWhatEachRuleSays(t *testing.T) {
	d := newPairDesk(t)
	policy := d.know.Agreed.Policy
	health := policy.Accept[0].All[0]
	policy.Accept = []entry.Rule{
		{Name: "tickets", All: []entry.Clause{{Kind: "ticket", Issuers: []string{"arena"}}}},
		{Name: "night", All: []entry.Clause{health}, Hours: hours(t, "02:00-03:00")},
		{Name: "health", All: []entry.Clause{health}},
	}
	d.know.Agreed.Zone = time.UTC
	policy.TimeZone = "Etc/UTC"
	now := entrytest.Now()
	pass := d.issuer.Pass(credential.Claims{Kind: "health", Level: "green", Issued: now.At.Add(-30 * time.Hour), Expires: now.At.Add(time.Hour)})
	told := d.Explain(in1, now, pass)[0]
	if told.Reason != entry.ReasonTooOld || now.At.Sub(told.Since) != 30*time.Hour || told.Named || len(told.Rules) != 3 {
		t.Fatalf("%+v", told)
	}
	for i, want := range []entry.Reason{entry.ReasonNotAccepted, entry.ReasonOutsideHours, entry.ReasonTooOld} {
		if said := told.Rules[i]; said.Reason != want || said.Rule != &policy.Accept[i] || (said.Clause != nil) != (i > 0) {
			t.Errorf("rule %d: %+v", i, said)
		}
	}
	d.know.Agreed.Down = map[string]time.Time{"arena": now.At.Add(-time.Hour)}
	if told = d.Explain(in1, now, pass)[0]; told.Reason != entry.ReasonOK || !told.Outage || told.Rules[2].Reason != entry.ReasonOK {
		t.Errorf("while its issuer is down: %+v", told)
	}
}

// A wish of rivals' users: a guest who is told "already used" asks where, when and how long ago.
func TestAlreadyUsedTellsWhereWhenAndHowLongAgo(t *testing.T) {
	d := newDesk(t)
	ticket := d.issuer.Pass(credential.Claims{ID: []byte("0123456789abcdef")})
	d.decide(t, ticket)
	now := entrytest.Now()
	now.At = now.At.Add(3*time.Minute + 5*time.Second)
	dec := d.Decide(t.Context(), entry.Lane{Name: "in-2"}, ticket, now)
	want := "1 of 1 taken, the last 3m5s ago at lane in-1 (event 1, " + entrytest.Start.UTC().Format(time.RFC3339) + ")"
	if last := dec.Steps[len(dec.Steps)-1]; dec.Reason != entry.ReasonAlreadyUsed || last.Note != want {
		t.Errorf("told %q, want %q", last.Note, want)
	}
	if note := d.Explain(in1, now, ticket)[0].Steps[6].Note; !strings.Contains(note, want) {
		t.Errorf("explained %q", note)
	}
}
