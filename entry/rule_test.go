// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry_test

import (
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/entry/entrytest"
)

// Every reason that a rule gives, with what the guest showed before.
func TestReasonsOfARule(t *testing.T) {
	single := func(edit func(*entry.Rule)) func(*pairDesk) {
		return func(d *pairDesk) {
			*d.rule() = entry.Rule{Name: "staff", All: []entry.Clause{{Kind: "staff", Issuers: []string{"arena"}, MaxAge: entry.Duration(hour)}}}
			d.know.Agreed.Policy.TimeZone, d.know.Agreed.Zone = "Asia/Shanghai", time.FixedZone("", 8*60*60)
			edit(d.rule())
		}
	}
	staff := func(age time.Duration) func(*pairDesk) string {
		return func(d *pairDesk) string {
			return d.issuer.Pass(credential.Claims{Kind: "staff", Issued: entrytest.Start.Add(-age)})
		}
	}
	health := func(who string) func(*pairDesk) string { return func(d *pairDesk) string { return d.health(who) } }
	travel := func(who string) func(*pairDesk) string { return func(d *pairDesk) string { return d.travel(who) } }
	for _, c := range []struct {
		want   entry.Reason
		name   string
		setup  func(*pairDesk)
		before func(*pairDesk) string // nil: nothing was shown
		code   func(*pairDesk) string
		step   entry.StepCode // that did not hold
	}{
		{"ok", "young", single(func(*entry.Rule) {}), nil, staff(time.Minute), ""},
		{"too_old", "old", single(func(*entry.Rule) {}), nil, staff(2 * hour), entry.StepRule},
		{"not_yet_valid", "issued in the future", single(func(*entry.Rule) {}), nil, staff(-time.Minute), entry.StepRule},
		{"ok", "within hours", single(func(r *entry.Rule) { r.Hours = hours(t, "sun 15:00-16:00") }), nil, staff(0), ""},
		{"outside_hours", "of another day", single(func(r *entry.Rule) { r.Hours = hours(t, "mon-sat 15:00-16:00") }), nil, staff(0), entry.StepRule},
		{"outside_hours", "old as well: the door is shut anyway", single(func(r *entry.Rule) { r.Hours = hours(t, "16:00-17:00") }), nil, staff(2 * hour), entry.StepRule},
		{"not_accepted", "a kind of no rule, in no hours", single(func(r *entry.Rule) { r.Hours = hours(t, "16:00-17:00") }), nil, health("li"), entry.StepRule},
		{"second_pass_needed", "the first of two", nil, nil, health("li"), entry.StepSecond},
		{"second_pass_needed", "the same one again", nil, travel("li"), travel("li"), entry.StepSecond},
		{"ok", "the second of two", nil, health("li"), travel("li"), ""},
		{"different_holder", "of two people", nil, health("li"), travel("wang"), entry.StepSecond},
		{"not_accepted", "beside a pass of no rule", nil, health("li"), staff(0), entry.StepRule},
	} {
		t.Run(string(c.want)+"/"+c.name, func(t *testing.T) {
			d := newPairDesk(t)
			if c.setup != nil {
				c.setup(d)
			}
			if c.before != nil {
				d.shows(c.before(d), entry.ReasonSecondPassNeeded)
			}
			dec := d.shows(c.code(d), c.want)
			last := dec.Steps[len(dec.Steps)-1]
			if last.Held != (c.step == "") || !last.Held && last.Code != c.step {
				t.Errorf("ended at the step %+v, want %q", last, c.step)
			}
			events := d.ledger.Events()
			if ev := events[len(events)-1]; ev.Reason != c.want || ev.Seq != dec.Event {
				t.Errorf("recorded as %s, event %d", ev.Reason, ev.Seq)
			}
		})
	}
}
