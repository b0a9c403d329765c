// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"strings"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/entry"
)

// An emergency measure explains itself: how old the pass is, what the rule allows, who is down since when, at what hour.
func TestExplainAgesOutagesAndHours(t *testing.T) {
	b := newBench(t)
	now := b.clock.Wall()
	green := entry.Clause{Kind: "health", Issuers: []string{"arena"}, Level: []string{"green"},
		MaxAge: entry.Duration(24 * time.Hour), OutageMaxAge: entry.Duration(72 * time.Hour)}
	var closed entry.Hours // an hour that is not now, whenever the test runs
	from := now.UTC().Add(6 * time.Hour).Format("15:04")
	if err := closed.UnmarshalText([]byte(from + "-" + now.UTC().Add(7*time.Hour).Format("15:04"))); err != nil {
		t.Fatal(err)
	}
	b.venue.policy.TimeZone = "Etc/UTC"
	b.venue.policy.Accept = []entry.Rule{
		{Name: "tickets", All: []entry.Clause{{Kind: "ticket", Issuers: []string{"arena"}}}},
		{Name: "night", All: []entry.Clause{green}, Hours: []entry.Hours{closed}},
		{Name: "health", All: []entry.Clause{green}},
	}
	b.start()
	b.importBundle()
	code := b.pass(credential.Claims{Kind: "health", Level: "green", Issued: now.Add(-30 * time.Hour)})
	if a := b.explain(t, code).Answers[0]; a.Reason != "too_old" || a.Outage || !strings.Contains(a.Remedy, "gatehouse-fleet issuer down NAME") {
		t.Errorf("without an outage: %+v", a)
	}
	b.venue.down = map[string]uint64{"arena": uint64(now.Add(-2 * time.Hour).Unix())}
	b.importBundle()
	a := b.explain(t, code).Answers[0]
	if a.Reason != "ok" || !a.Outage || a.Rule != "health" || a.Pass != "" {
		t.Errorf("during an outage: %+v", a)
	}
	var went strings.Builder
	for _, s := range a.Steps {
		for _, i := range s.Inputs {
			went.WriteString(i.Name + "=" + i.Value + "\n")
		}
	}
	for _, want := range []string{
		"age=1d6h, since ", "outage=arena is down since ", ", 2h\n", "rule=night: outside_hours (max_age 1d, outage_max_age 3d, hours " + from,
		"rule=health: ok (max_age 1d, outage_max_age 3d)\n", "rules=1 more, for passes of another kind", "hour=", " in Etc/UTC\n",
	} {
		if !strings.Contains(went.String(), want) {
			t.Errorf("it does not tell %q:\n%s", want, &went)
		}
	}
	d := b.waitStatus("a status", func(*client.Status) bool { return true }).Data
	if len(d.Down) != 1 || d.Down[0].Issuer != "arena" || now.Sub(d.Down[0].Since).Round(time.Minute) != 2*time.Hour || len(d.Emergency) != 2 {
		t.Errorf("the status tells of %+v and %+v", d.Down, d.Emergency)
	}
	if m := d.Emergency[1]; m.Rule != "health" || m.Kind != "health" || len(m.Issuers) != 1 || m.MaxAge != "1d" || m.OutageMaxAge != "3d" {
		t.Errorf("%+v", m)
	}
	if trust, err := b.client.Trust(b.ctx()); err != nil || len(trust.Issuers) != 1 || !trust.Issuers[0].Down.Equal(d.Down[0].Since) {
		t.Errorf("trust tells %+v, %v", trust, err)
	}
	b.expect("ok", code)
	page, err := b.client.Events(b.ctx(), client.Query{Outcome: "admit"})
	if err != nil || len(page.Events) != 1 || !page.Events[0].Outage {
		t.Errorf("the record does not say that it was an emergency measure: %+v, %v", page, err)
	}
}

// Two passes are explained as they are shown; what waits at the lane counts for one.
func TestExplainTwoPasses(t *testing.T) {
	b := newBench(t)
	clause := func(kind string) entry.Clause {
		return entry.Clause{Kind: kind, Issuers: []string{"arena"}, Level: []string{"green"}}
	}
	off := false
	b.venue.policy.Accept = []entry.Rule{{Name: "both", All: []entry.Clause{clause("health"), clause("travel")}, SameHolder: &off}}
	b.start()
	b.importBundle()
	health, travel := b.pass(credential.Claims{Kind: "health", Level: "green"}), b.pass(credential.Claims{Kind: "travel", Level: "green"})
	told := b.explain(t, health, travel)
	if len(told.Answers) != 2 || told.Answers[0].Reason != "second_pass_needed" || told.Answers[1].Reason != "ok" || !told.Answers[1].AnyHolder {
		t.Fatalf("%+v", told)
	}
	last := told.Answers[1].Steps[len(told.Answers[1].Steps)-1]
	if last.Step != "second" || len(last.Inputs) != 1 || last.Inputs[0].Value != "this pass names nobody" {
		t.Errorf("%+v", last)
	}
	if told = b.explain(t, "nothing", travel); len(told.Answers) != 1 || told.Answers[0].Reason != "unrecognised" {
		t.Errorf("after a refusal: %+v", told)
	}
	b.expect("second_pass_needed", health)
	if a := b.explain(t, travel).Answers[0]; a.Reason != "ok" {
		t.Errorf("with one that waits: %+v", a)
	}
	b.expect("ok", travel)
	page, err := b.client.Events(b.ctx(), client.Query{Outcome: "admit"})
	if err != nil || len(page.Events) != 1 || page.Events[0].Of != page.Events[0].Number-1 || !page.Events[0].AnyHolder {
		t.Errorf("the record of two passes: %+v, %v", page, err)
	}
}

func (b *bench) explain(t *testing.T, codes ...string) *client.Explanation {
	t.Helper()
	e, err := b.client.Explain(b.ctx(), client.Shown{Codes: codes})
	if err != nil || len(e.Answers) == 0 {
		t.Fatalf("%+v, %v", e, err)
	}
	return e
}

// A lane that is closed at this hour says by which hours, and what time it is by them.
func TestExplainTellsTheHoursOfALane(t *testing.T) {
	b := newBench(t)
	b.start()
	b.terms(entry.LaneTerms{Closed: allDay(t)})
	a := b.explain(t, b.pass(credential.Claims{})).Answers[0]
	last := a.Steps[len(a.Steps)-1]
	if a.Reason != "lane_closed" || last.Step != "lane" || last.Held || len(last.Inputs) != 2 || last.Inputs[0] != (client.Input{Name: "closed", Value: "00:00-24:00"}) ||
		!strings.HasSuffix(last.Inputs[1].Value, " in UTC") {
		t.Errorf("%+v", a)
	}
}
