// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/entry/entrytest"
)

// slowRule is a rule as passes.md words it, with nothing prepared.
type slowRule struct {
	clauses    []entry.Clause
	hours      slowHours // from "": always
	anyHolder  bool
	pairWithin time.Duration
}

// slowPass is a pass with what it says.
type slowPass struct {
	credential.Claims
	issuer string
	code   string
}

// slowVenue decides about scans by asking everything of everything, one word of the plan after the other.
type slowVenue struct {
	rules   []slowRule
	closed  map[string]slowHours // of lanes; from "": never
	free    map[string]slowHours
	down    []string
	stale   time.Time
	used    map[*slowPass]uint
	waiting map[string]*slowPass
	since   map[string]time.Time
}

func (v *slowVenue) decide(lane string, p *slowPass, at time.Time, synced bool) entry.Reason {
	first, age := v.waiting[lane], at.Sub(v.since[lane])
	delete(v.waiting, lane)
	switch {
	case lane == "out-1":
		return "exit"
	case v.closed[lane].onTheWall(at):
		return "lane_closed"
	case synced && v.free[lane].onTheWall(at):
		return "free_passage"
	}
	if !at.Before(p.Expires) {
		return "expired"
	}
	if first != nil && !at.Before(first.Expires) {
		first = nil
	}
	said := map[entry.Reason][]entry.Clause{} // what the first rule that says so takes the passes for
	note := func(r entry.Reason, taken ...entry.Clause) {
		if _, before := said[r]; !before {
			said[r] = taken
		}
	}
	for _, r := range v.rules {
		before := len(said["ok"])
		for i, c := range r.clauses {
			switch young := v.young(c, p, at, synced); {
			case !fits(c, p):
			case r.hours.from != "" && !r.hours.onTheWall(at):
				note("outside_hours")
			case young != "ok":
				note(young)
			case len(r.clauses) == 1:
				note("ok", c)
			default:
				other := r.clauses[1-i]
				good := first != nil && first != p && age >= 0 && age <= r.pairWithin && fits(other, first) && v.young(other, first, at, synced) == "ok"
				same := good && len(p.Holder) > 0 && string(p.Holder) == string(first.Holder)
				switch {
				case good && (same || r.anyHolder):
					note("ok", c, other)
				case good:
					note("different_holder", c, other)
				default:
					note("second_pass_needed", c)
				}
			}
		}
		if len(said["ok"]) > before {
			break
		}
	}
	for _, r := range []entry.Reason{"ok", "different_holder", "second_pass_needed", "not_yet_valid", "too_old", "outside_hours"} {
		taken, ok := said[r]
		if !ok {
			continue
		}
		passes := []*slowPass{p, first}
		for i, c := range taken {
			if limit := usesOf(c, passes[i]); limit > 0 && v.used[passes[i]] >= limit {
				return "already_used"
			}
		}
		if r == "ok" {
			for i, c := range taken {
				if usesOf(c, passes[i]) > 0 {
					v.used[passes[i]]++
				}
			}
		}
		if r == "second_pass_needed" {
			v.waiting[lane], v.since[lane] = p, at
		}
		return r
	}
	return "not_accepted"
}

func fits(c entry.Clause, p *slowPass) bool {
	return c.Kind == p.Kind && slices.Contains(c.Issuers, p.issuer) && (c.Level == nil || slices.Contains(c.Level, p.Level))
}

func (v *slowVenue) young(c entry.Clause, p *slowPass, at time.Time, synced bool) entry.Reason {
	if c.MaxAge == 0 {
		return "ok"
	}
	if p.Issued.After(at) {
		return "not_yet_valid"
	}
	most := time.Duration(c.MaxAge)
	if c.OutageMaxAge != 0 && (slices.Contains(v.down, p.issuer) || !at.Before(v.stale) || !synced) {
		most = time.Duration(c.OutageMaxAge)
	}
	if p.Issued.Add(most).Before(at) {
		return "too_old"
	}
	return "ok"
}

// leave gives one use back to whoever was seen to go out.
func (v *slowVenue) leave(p *slowPass, passage entry.Passage, sensor bool) {
	if passage == entry.Passed || passage == entry.PassageUnknown && !sensor {
		v.used[p] = max(v.used[p], 1) - 1
	}
}

// onTheWall goes by what a clock on the wall in Shanghai shows, where none has been changed since 1991.
func (h slowHours) onTheWall(at time.Time) bool {
	there := at.In(time.FixedZone("", 8*60*60))
	on := func(t time.Time) bool {
		return len(h.days) == 0 || slices.Contains(h.days, strings.ToLower(t.Format("Mon")))
	}
	clock := there.Format("15:04")
	switch {
	case h.from == "":
		return false
	case h.from < h.to:
		return on(there) && h.from <= clock && clock < h.to
	}
	return on(there) && h.from <= clock || on(there.AddDate(0, 0, -1)) && clock < h.to
}

func usesOf(c entry.Clause, p *slowPass) (limit uint) {
	if c.Kind == "ticket" {
		limit = 1
	}
	if c.Uses != nil {
		limit = *c.Uses
	}
	if p.Uses > 0 && (limit == 0 || p.Uses < limit) {
		limit = p.Uses
	}
	return limit
}

// drawRule draws a rule for the venue, and the same for the reference.
func drawRule(t *rapid.T, n int) (entry.Rule, slowRule) {
	slow := slowRule{pairWithin: entry.DefaultPairWithin}
	clauses, plan := 2, n == 0 && rapid.Bool().Draw(t, "the plan's own rule first")
	if !plan {
		clauses = rapid.SampledFrom([]int{2, 2, 1}).Draw(t, "clauses")
	}
	for i := range clauses {
		c := entry.Clause{
			Kind:    rapid.SampledFrom([]string{"health", "travel", "health", "ticket"}).Draw(t, "kind"),
			Issuers: rapid.SampledFrom([][]string{{"city", "telecom"}, {"city"}, {"telecom"}}).Draw(t, "issuers"),
		}
		if plan {
			c.Kind, c.Issuers = []string{"health", "travel"}[i], []string{"city", "telecom"}
		}
		if c.Kind != "ticket" {
			c.Level = rapid.SampledFrom([][]string{{"green"}, {"green", "yellow"}}).Draw(t, "level")
			c.MaxAge = entry.Duration(rapid.SampledFrom([]time.Duration{0, 30 * time.Second, hour}).Draw(t, "max_age"))
		}
		if c.MaxAge != 0 {
			c.OutageMaxAge = rapid.SampledFrom([]entry.Duration{0, c.MaxAge, 3 * c.MaxAge}).Draw(t, "outage_max_age")
		}
		if uses := rapid.UintRange(0, 2).Draw(t, "uses"); uses > 0 {
			c.Uses = &uses
		}
		slow.clauses = append(slow.clauses, c)
	}
	rule := entry.Rule{Name: fmt.Sprint("rule ", n), All: slow.clauses}
	if !plan && rapid.IntRange(0, 3).Draw(t, "hours") == 0 {
		slow.hours, rule.Hours = drawSpan(t)
	}
	if len(slow.clauses) == 2 {
		if slow.anyHolder = rapid.IntRange(0, 3).Draw(t, "any holder") == 0; slow.anyHolder {
			rule.SameHolder = new(bool)
		}
		if rapid.Bool().Draw(t, "pair_within") {
			slow.pairWithin = 5 * time.Second
			rule.PairWithin = entry.Duration(slow.pairWithin)
		}
	}
	return rule, slow
}

// drawSpan draws hours around the morning of the test, in Shanghai.
func drawSpan(t *rapid.T) (slowHours, []entry.Hours) {
	slow := slowHours{
		days: rapid.SampledFrom([][]string{nil, {"sun"}, {"sat"}, {"mon", "sat"}}).Draw(t, "days"),
		from: rapid.SampledFrom([]string{"15:30", "15:31", "23:00"}).Draw(t, "from"),
		to:   rapid.SampledFrom([]string{"00:00", "15:32", "15:33", "20:00"}).Draw(t, "to"),
	}
	hours := make([]entry.Hours, 1)
	if err := hours[0].UnmarshalText([]byte(slow.text())); err != nil {
		t.Fatal(err)
	}
	return slow, hours
}

// drawLanes gives two lanes in their hours, and adds a lane out.
func drawLanes(t *rapid.T, slow *slowVenue) map[string]entry.LaneTerms {
	slow.closed, slow.free = map[string]slowHours{}, map[string]slowHours{}
	lanes := map[string]entry.LaneTerms{"out-1": {Direction: entry.DirectionOut}}
	for _, name := range []string{"in-1", "in-2"} {
		var l entry.LaneTerms
		if rapid.IntRange(0, 3).Draw(t, "closed") == 0 {
			slow.closed[name], l.Closed = drawSpan(t)
		}
		if rapid.IntRange(0, 3).Draw(t, "free") == 0 {
			slow.free[name], l.Free = drawSpan(t)
		}
		lanes[name] = l
	}
	return lanes
}

func drawPass(t *rapid.T, issuers map[string]*entrytest.Issuer) *slowPass {
	p := &slowPass{issuer: rapid.SampledFrom([]string{"city", "telecom"}).Draw(t, "issuer")}
	p.Kind = rapid.SampledFrom([]string{"health", "travel", "health", "ticket"}).Draw(t, "kind")
	if p.Kind != "ticket" {
		p.Level = rapid.SampledFrom([]string{"green", "green", "green", "yellow", "red"}).Draw(t, "level")
	}
	if who := rapid.SampledFrom([]string{"li", "li", "wang", ""}).Draw(t, "holder"); who != "" {
		p.Holder = holder(who)
	}
	p.Uses = rapid.SampledFrom([]uint{0, 0, 1}).Draw(t, "uses")
	p.Issued = entrytest.Start.Add(-rapid.SampledFrom([]time.Duration{0, 0, 25 * time.Second, 80 * time.Second, 2 * hour, -10 * time.Second}).Draw(t, "age"))
	p.Expires = entrytest.Start.Add(rapid.SampledFrom([]time.Duration{hour, hour, hour, 15 * time.Second}).Draw(t, "lasts"))
	p.code = issuers[p.issuer].Pass(p.Claims)
	return p
}

// TestRuleAgainstTheSlowOne draws venues, passes and mornings, and compares each answer.
func TestRuleAgainstTheSlowOne(t *testing.T) {
	city, telecom := entrytest.NewIssuer(t, "city"), entrytest.NewIssuer(t, "telecom")
	issuers := map[string]*entrytest.Issuer{"city": city, "telecom": telecom}
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[entry.Reason]int{}
	rapid.Check(t, func(rt *rapid.T) {
		know, ledger := entrytest.NewKnowledge(city, telecom), entrytest.NewLedger()
		slow := &slowVenue{used: map[*slowPass]uint{}, waiting: map[string]*slowPass{}, since: map[string]time.Time{},
			stale: entrytest.Start.Add(rapid.SampledFrom([]time.Duration{hour, 0, 20 * time.Second}).Draw(rt, "stale after"))}
		policy := &entry.Policy{TimeZone: "Asia/Shanghai", Lanes: drawLanes(rt, slow)}
		for n := range rapid.IntRange(1, 4).Draw(rt, "rules") {
			rule, plain := drawRule(rt, n)
			policy.Accept, slow.rules = append(policy.Accept, rule), append(slow.rules, plain)
		}
		if err := policy.Validate(); err != nil {
			rt.Fatal(err)
		}
		know.Agreed.Policy, know.Agreed.Zone, know.Agreed.FreshUntil = policy, zone, slow.stale
		if rapid.Bool().Draw(rt, "down") {
			slow.down = []string{"telecom"}
			know.Agreed.Down = map[string]time.Time{"telecom": entrytest.Start}
		}
		var passes []*slowPass
		for range rapid.IntRange(3, 5).Draw(rt, "passes") {
			passes = append(passes, drawPass(rt, issuers))
		}
		d := entrytest.NewDecider(t, know, ledger)
		at := entrytest.Start
		for n := range rapid.IntRange(20, 60).Draw(rt, "scans") {
			name := rapid.SampledFrom([]string{"in-1", "in-1", "in-2", "out-1"}).Draw(rt, "lane")
			p := rapid.SampledFrom(passes).Draw(rt, "pass")
			at = at.Add(rapid.SampledFrom([]time.Duration{0, 0, time.Second, time.Second, 5 * time.Second, 21 * time.Second, -2 * time.Second}).Draw(rt, "after"))
			now := entry.Moment{At: at, Clock: rapid.SampledFrom([]entry.ClockState{entry.ClockSynced, entry.ClockSynced, entry.ClockSynced, entry.ClockNeverSynced}).Draw(rt, "clock")}
			lane := entry.Lane{Name: name, Sensor: name == "out-1" && rapid.Bool().Draw(rt, "sensor")}
			want := slow.decide(name, p, at, now.Clock == entry.ClockSynced)
			dec := d.Decide(t.Context(), lane, p.code, now)
			if dec.Reason != want || (dec.Grant != nil) != (want.Outcome() == entry.Admit) {
				rt.Fatalf("scan %d, %s pass of %s: %s by %q, want %s; steps %+v", n, p.Kind, p.issuer, dec.Reason, dec.Rule, want, dec.Steps)
			}
			if want == entry.ReasonExit {
				passage := rapid.SampledFrom([]entry.Passage{entry.Passed, entry.PassageUnknown, entry.NotPassed, entry.Fault}).Draw(rt, "passage")
				slow.leave(p, passage, lane.Sensor)
				if err := d.Settle(t.Context(), dec, passage, now); err != nil {
					rt.Fatal(err)
				}
			}
			seen[want]++
		}
	})
	t.Log(seen)
	for _, r := range []entry.Reason{"ok", "different_holder", "second_pass_needed", "not_yet_valid", "too_old", "outside_hours", "not_accepted", "already_used", "expired", "exit", "lane_closed", "free_passage"} {
		if seen[r] == 0 && !t.Failed() && !testing.Short() { // which draws a fifth
			t.Errorf("nothing drawn ends in %s", r)
		}
	}
}
