// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry_test

import (
	"encoding/hex"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/entry/entrytest"
)

// pairDesk wants a health pass and a travel pass of one person.
type pairDesk struct {
	*desk
	t       *testing.T
	telecom *entrytest.Issuer
	at      time.Time
}

func newPairDesk(t *testing.T) *pairDesk {
	d := &pairDesk{desk: newDesk(t), t: t, telecom: entrytest.NewIssuer(t, "telecom"), at: entrytest.Start}
	d.know.KeyList = append(d.know.KeyList, d.telecom.Key())
	d.know.Agreed.Policy.Accept = []entry.Rule{{Name: "both", All: []entry.Clause{
		{Kind: "health", Issuers: []string{"arena"}, Level: []string{"green"}, MaxAge: entry.Duration(24 * hour), OutageMaxAge: entry.Duration(72 * hour)},
		{Kind: "travel", Issuers: []string{"telecom"}, Level: []string{"green"}, MaxAge: entry.Duration(24 * hour), OutageMaxAge: entry.Duration(72 * hour)},
	}}}
	return d
}

func (d *pairDesk) rule() *entry.Rule { return &d.know.Agreed.Policy.Accept[0] }

func holder(name string) []byte { return append(make([]byte, 16-len(name)), name...) }

func (d *pairDesk) health(who string) string {
	return d.issuer.Pass(credential.Claims{Kind: "health", Level: "green", Holder: holder(who)})
}

func (d *pairDesk) travel(who string) string {
	return d.telecom.Pass(credential.Claims{Kind: "travel", Level: "green", Holder: holder(who)})
}

func (d *pairDesk) shows(code string, want entry.Reason) entry.Decision {
	d.t.Helper()
	return d.showsAt("in-1", code, want)
}

func (d *pairDesk) showsAt(lane, code string, want entry.Reason) entry.Decision {
	d.t.Helper()
	if err := d.know.Agreed.Policy.Validate(); err != nil {
		d.t.Fatal(err)
	}
	dec := d.Decide(d.t.Context(), entry.Lane{Name: lane, Sensor: true}, code, entry.Moment{At: d.at, Clock: entry.ClockSynced})
	if dec.Reason != want || dec.Outcome != want.Outcome() || (dec.Grant != nil) != (want == entry.ReasonOK) {
		d.t.Fatalf("%s (%s), grant %v; want %s; steps %+v", dec.Reason, dec.Outcome, dec.Grant, want, dec.Steps)
	}
	return dec
}

func TestPairInBothOrders(t *testing.T) {
	for name, swap := range map[string]bool{"health first": false, "travel first": true} {
		t.Run(name, func(t *testing.T) {
			d := newPairDesk(t)
			one, two := d.health("li"), d.travel("li")
			if swap {
				one, two = two, one
			}
			first := d.shows(one, entry.ReasonSecondPassNeeded)
			dec := d.shows(two, entry.ReasonOK)
			if dec.Rule != "both" || dec.AnyHolder || dec.Outage {
				t.Errorf("%+v", dec)
			}
			events := d.ledger.Events()
			if len(events) != 2 || events[0].Reason != entry.ReasonSecondPassNeeded || events[1].Of != first.Event || events[0].Of != 0 {
				t.Errorf("recorded %+v", events)
			}
			d.shows(two, entry.ReasonSecondPassNeeded) // both are forgotten, and count again
			d.shows(one, entry.ReasonOK)
		})
	}
}

func TestPairOfTwoPeople(t *testing.T) {
	d := newPairDesk(t)
	d.shows(d.health("li"), entry.ReasonSecondPassNeeded)
	d.shows(d.travel("wang"), entry.ReasonDifferentHolder)
	d.shows(d.travel("li"), entry.ReasonSecondPassNeeded) // a refusal ends the wait
	d.shows(d.health("li"), entry.ReasonOK)

	// A pass that names nobody is nobody's, also beside another that names nobody.
	nobody := func(i *entrytest.Issuer, kind string) string {
		return i.Pass(credential.Claims{Kind: kind, Level: "green"})
	}
	d.shows(d.health("li"), entry.ReasonSecondPassNeeded)
	d.shows(nobody(d.telecom, "travel"), entry.ReasonDifferentHolder)
	d.shows(nobody(d.telecom, "travel"), entry.ReasonSecondPassNeeded)
	d.shows(nobody(d.issuer, "health"), entry.ReasonDifferentHolder)
}

func TestPairWhoseHoldersAreNotCompared(t *testing.T) {
	d := newPairDesk(t)
	d.rule().SameHolder = new(bool)
	d.shows(d.health("li"), entry.ReasonSecondPassNeeded)
	dec := d.shows(d.travel("wang"), entry.ReasonOK)
	events := d.ledger.Events()
	if !dec.AnyHolder || !events[len(events)-1].AnyHolder {
		t.Errorf("the decision does not say so: %+v", dec)
	}
	yes := true
	d.rule().SameHolder = &yes
	d.shows(d.health("li"), entry.ReasonSecondPassNeeded)
	d.shows(d.travel("wang"), entry.ReasonDifferentHolder)
}

func TestPairTimes(t *testing.T) {
	for _, c := range []struct {
		name   string
		within time.Duration
		after  time.Duration
		want   entry.Reason
	}{
		{"at once", 0, 0, "ok"},
		{"in time", 0, 20 * time.Second, "ok"},
		{"late", 0, 20*time.Second + time.Millisecond, "second_pass_needed"},
		{"in a time of its own", 5 * time.Second, 5 * time.Second, "ok"},
		{"late for a time of its own", 5 * time.Second, 6 * time.Second, "second_pass_needed"},
		{"by a clock that was torn back", 0, -time.Second, "second_pass_needed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newPairDesk(t)
			d.rule().PairWithin = entry.Duration(c.within)
			d.shows(d.health("li"), entry.ReasonSecondPassNeeded)
			d.at = d.at.Add(c.after)
			d.shows(d.travel("li"), c.want)
			if c.want != entry.ReasonOK {
				d.shows(d.health("li"), entry.ReasonOK) // the second waits now, for the first
			}
		})
	}
}

// What waits is one lane's, and any other answer there ends the wait.
func TestPairIsOfOneLane(t *testing.T) {
	d := newPairDesk(t)
	d.showsAt("in-1", d.health("li"), entry.ReasonSecondPassNeeded)
	d.showsAt("in-2", d.travel("li"), entry.ReasonSecondPassNeeded)
	d.showsAt("in-1", d.travel("li"), entry.ReasonOK)
	d.showsAt("in-2", d.health("li"), entry.ReasonOK)

	d.shows(d.health("li"), entry.ReasonSecondPassNeeded)
	d.shows("no pass", entry.ReasonUnrecognised)
	d.shows(d.travel("li"), entry.ReasonSecondPassNeeded)

	d.know.Agreed.Policy.Accept = append(d.know.Agreed.Policy.Accept, entry.Rule{Name: "day", All: []entry.Clause{{Kind: "ticket", Issuers: []string{"arena"}}}})
	d.shows(d.issuer.Pass(credential.Claims{}), entry.ReasonOK) // another guest, by another rule
	d.shows(d.health("li"), entry.ReasonSecondPassNeeded)
}

// One pass is never two, and the newest is the one that waits.
func TestPairOfOneKind(t *testing.T) {
	d := newPairDesk(t)
	d.know.Agreed.Policy.Accept = []entry.Rule{{Name: "two staff", All: []entry.Clause{
		{Kind: "staff", Issuers: []string{"arena"}}, {Kind: "staff", Issuers: []string{"arena", "telecom"}}}, SameHolder: new(bool)}}
	one, two := d.issuer.Pass(credential.Claims{Kind: "staff"}), d.issuer.Pass(credential.Claims{Kind: "staff"})
	d.shows(one, entry.ReasonSecondPassNeeded)
	d.shows(one, entry.ReasonSecondPassNeeded)
	d.shows(two, entry.ReasonOK)

	// Either pass may be the one that only the second clause takes.
	abroad := d.telecom.Pass(credential.Claims{Kind: "staff"})
	d.shows(abroad, entry.ReasonSecondPassNeeded)
	d.shows(one, entry.ReasonOK)
	d.shows(one, entry.ReasonSecondPassNeeded)
	d.shows(abroad, entry.ReasonOK)
	d.shows(abroad, entry.ReasonSecondPassNeeded)
	d.shows(d.telecom.Pass(credential.Claims{Kind: "staff"}), entry.ReasonSecondPassNeeded)
}

// Both are checked again when the second is shown.
func TestPairIsCheckedAgain(t *testing.T) {
	id := []byte("0123456789abcdef")
	for name, change := range map[string]func(*pairDesk){
		"withdrawn":             func(d *pairDesk) { d.know.Gone[hex.EncodeToString(id)] = true },
		"expired":               func(d *pairDesk) { d.at = d.at.Add(15 * time.Second) },
		"its key is gone":       func(d *pairDesk) { d.know.KeyList = d.know.KeyList[1:] },
		"too old by a new rule": func(d *pairDesk) { d.rule().All[0].MaxAge, d.rule().All[0].OutageMaxAge = 1, 0 },
		"its level counts no more": func(d *pairDesk) {
			d.rule().All[0].Level = []string{"blue"}
		},
		"its revocations are not here": func(d *pairDesk) {
			d.know.Agreed.Lists = map[string]entry.Bands{"arena": {HardAfter: d.at}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newPairDesk(t)
			d.shows(d.issuer.Pass(credential.Claims{ID: id, Kind: "health", Level: "green", Holder: holder("li"), Expires: d.at.Add(10 * time.Second)}), entry.ReasonSecondPassNeeded)
			change(d)
			d.shows(d.travel("li"), entry.ReasonSecondPassNeeded)
		})
	}
}

// A new config comes into force between the two passes: the second is answered by it alone.
func TestPairByANewRule(t *testing.T) {
	no, yes := new(bool), true
	for name, c := range map[string]struct {
		change func(r *entry.Rule)
		who    string // shows the second
		want   entry.Reason
	}{
		"the same again":                   {func(*entry.Rule) {}, "li", "ok"},
		"another name":                     {func(r *entry.Rule) { r.Name = "renamed" }, "li", "ok"},
		"the second alone":                 {func(r *entry.Rule) { r.All = r.All[1:] }, "wang", "ok"},
		"the first alone":                  {func(r *entry.Rule) { r.All = r.All[:1] }, "li", "not_accepted"},
		"none":                             {func(r *entry.Rule) { r.All[0].Kind, r.All[1].Kind = "staff", "ticket" }, "li", "not_accepted"},
		"less time":                        {func(r *entry.Rule) { r.PairWithin = entry.Duration(4 * time.Second) }, "li", "second_pass_needed"},
		"more time":                        {func(r *entry.Rule) { r.PairWithin = entry.Duration(2 * time.Minute) }, "li", "ok"},
		"whoever's":                        {func(r *entry.Rule) { r.SameHolder = no }, "wang", "ok"},
		"one person's, and said so":        {func(r *entry.Rule) { r.SameHolder = &yes }, "wang", "different_holder"},
		"another issuer's first":           {func(r *entry.Rule) { r.All[0].Issuers = []string{"telecom"} }, "li", "second_pass_needed"},
		"another kind beside the second's": {func(r *entry.Rule) { r.All[0].Kind = "ticket" }, "li", "second_pass_needed"},
		"not at this hour":                 {func(r *entry.Rule) { r.Hours = hours(t, "20:00-21:00") }, "li", "outside_hours"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newPairDesk(t)
			d.know.Agreed.Policy.TimeZone, d.know.Agreed.Zone = "UTC", time.UTC
			d.shows(d.health("li"), entry.ReasonSecondPassNeeded)
			former := d.know.Agreed
			terms, policy := *former, *former.Policy
			rule := policy.Accept[0]
			rule.All = append([]entry.Clause(nil), rule.All...)
			c.change(&rule)
			policy.Accept = []entry.Rule{rule}
			terms.Policy = &policy
			d.know.Agreed = &terms
			d.at = d.at.Add(5 * time.Second)
			d.shows(d.travel(c.who), c.want)
		})
	}
}

func TestPairWhereOneNeedsTheOutageAge(t *testing.T) {
	d := newPairDesk(t)
	old := d.telecom.Pass(credential.Claims{Kind: "travel", Level: "green", Holder: holder("li"), Issued: d.at.Add(-30 * hour)})
	d.shows(old, entry.ReasonTooOld)
	d.know.Agreed.Down = map[string]time.Time{"telecom": d.at}
	if dec := d.shows(old, entry.ReasonSecondPassNeeded); !dec.Outage {
		t.Error("the first does not say that outage_max_age took it")
	}
	if dec := d.shows(d.health("li"), entry.ReasonOK); !dec.Outage {
		t.Error("the admission does not say that outage_max_age took one")
	}
	d.shows(d.health("li"), entry.ReasonSecondPassNeeded)
	d.know.Agreed.Down = nil
	d.shows(old, entry.ReasonTooOld)
	d.know.Agreed.Lists = map[string]entry.Bands{"telecom": {FreshUntil: d.at, HardAfter: d.at.Add(hour)}}
	d.shows(old, entry.ReasonSecondPassNeeded)
	if dec := d.shows(d.health("li"), entry.ReasonOK); !dec.Stale {
		t.Error("the admission does not say that what is known of the first is stale")
	}
}

// A rule above that one pass fulfils is asked first, and so is one that two fulfil.
func TestPairAmongRules(t *testing.T) {
	d := newPairDesk(t)
	alone := entry.Rule{Name: "health alone", All: []entry.Clause{d.rule().All[0]}}
	d.know.Agreed.Policy.Accept = append(d.know.Agreed.Policy.Accept, alone)
	if dec := d.shows(d.health("li"), entry.ReasonOK); dec.Rule != "health alone" {
		t.Errorf("by %q", dec.Rule)
	}
	d.shows(d.travel("li"), entry.ReasonSecondPassNeeded)
	if dec := d.shows(d.health("li"), entry.ReasonOK); dec.Rule != "both" {
		t.Errorf("by %q", dec.Rule)
	}
}

// limited gives both clauses of the rule one use each.
func (d *pairDesk) limited() {
	one := uint(1)
	d.rule().All[0].Uses, d.rule().All[1].Uses = &one, &one
}

func TestPairTakesBothUsesOrNone(t *testing.T) {
	d := newPairDesk(t)
	d.limited()
	health, travel := d.health("li"), d.travel("li")
	d.shows(health, entry.ReasonSecondPassNeeded)
	dec := d.shows(travel, entry.ReasonOK)
	d.shows(health, entry.ReasonAlreadyUsed) // told at once, and not after the second
	if err := d.Settle(t.Context(), dec, entry.NotPassed, entrytest.Now()); err != nil {
		t.Fatal(err)
	}
	d.shows(health, entry.ReasonSecondPassNeeded)
	dec = d.shows(travel, entry.ReasonOK)
	if err := d.Settle(t.Context(), dec, entry.Passed, entrytest.Now()); err != nil {
		t.Fatal(err)
	}
	d.shows(travel, entry.ReasonAlreadyUsed)
	other := d.travel("li")
	d.shows(other, entry.ReasonSecondPassNeeded)
	d.shows(health, entry.ReasonAlreadyUsed)
	d.shows(d.health("li"), entry.ReasonSecondPassNeeded)
	d.shows(other, entry.ReasonOK) // no use of it was taken with the one that was used up
}

// The first pass is used up at another lane while it waits at this one.
func TestPairUsedElsewhereMeanwhile(t *testing.T) {
	d := newPairDesk(t)
	d.limited()
	health, travel := d.health("li"), d.travel("li")
	d.showsAt("in-1", health, entry.ReasonSecondPassNeeded)
	d.showsAt("in-2", health, entry.ReasonSecondPassNeeded)
	d.showsAt("in-2", d.travel("li"), entry.ReasonOK)
	if dec := d.showsAt("in-1", travel, entry.ReasonAlreadyUsed); len(dec.Past) != 1 {
		t.Errorf("past uses %v", dec.Past)
	}
	if n := len(d.ledger.Events()); n != 4 {
		t.Errorf("%d events", n)
	}
}

// A pair that could not be recorded admits nobody, and both are shown again.
func TestPairOnADiskThatFails(t *testing.T) {
	d := newPairDesk(t)
	d.shows(d.health("li"), entry.ReasonSecondPassNeeded)
	d.ledger.Fail(entrytest.ErrInjected, nil)
	d.shows(d.travel("li"), entry.ReasonRecordFailed)
	d.ledger.Fail(nil, nil)
	d.shows(d.travel("li"), entry.ReasonSecondPassNeeded)
	d.know.Err = errors.New("page 7 is damaged")
	d.shows(d.health("li"), entry.ReasonOutOfOrder)
	d.know.Err = nil
	d.shows(d.health("li"), entry.ReasonSecondPassNeeded)
}

func TestPairOpensWideForEither(t *testing.T) {
	d := newPairDesk(t)
	d.shows(d.issuer.Pass(credential.Claims{Kind: "health", Level: "green", Holder: holder("li"), Grant: "wide"}), entry.ReasonSecondPassNeeded)
	if dec := d.shows(d.travel("li"), entry.ReasonOK); !dec.Grant.Wide() {
		t.Error("not wide, though the first pass says so")
	}
}

// The hours are asked when the second pass is shown.
func TestPairEndsWithTheHours(t *testing.T) {
	d := newPairDesk(t)
	d.know.Agreed.Policy.TimeZone, d.know.Agreed.Zone = "UTC", time.UTC
	d.rule().Hours = hours(t, "07:00-07:31")
	d.at = time.Date(2026, 1, 4, 7, 30, 55, 0, time.UTC)
	d.shows(d.health("li"), entry.ReasonSecondPassNeeded)
	d.at = d.at.Add(5 * time.Second)
	d.shows(d.travel("li"), entry.ReasonOutsideHours)
}

// Nothing of a pass stays in memory when its time is over, also where nobody comes to the lane any more.
func TestPairIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newPairDesk(t)
		d.shows(d.health("li"), entry.ReasonSecondPassNeeded)
		time.Sleep(entry.DefaultPairWithin - time.Nanosecond) // of the synctest bubble's clock
		synctest.Wait()
		if n := entry.Waiting(d.Decider); n != 1 {
			t.Errorf("%d passes wait just before the time is over", n)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if n := entry.Waiting(d.Decider); n != 0 {
			t.Errorf("%d passes wait when the time is over", n)
		}
		d.shows(d.travel("li"), entry.ReasonSecondPassNeeded)
		d.shows(d.health("li"), entry.ReasonOK)
		if n := entry.Waiting(d.Decider); n != 0 {
			t.Errorf("%d passes wait after an admission", n)
		}
	})
}
