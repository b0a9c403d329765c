// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/credential"
)

func drawClause(rt *rapid.T) Clause {
	c := Clause{Kind: rapid.SampledFrom([]string{"ticket", "health"}).Draw(rt, "kind"), Issuers: rapid.SampledFrom([][]string{{"a"}, {"a", "b"}, {"c"}}).Draw(rt, "issuers")}
	if c.Kind == "health" || rapid.Bool().Draw(rt, "levels") {
		c.Level = rapid.SampledFrom([][]string{{"green"}, {"green", "blue"}, {"red"}}).Draw(rt, "level")
	}
	if c.MaxAge = Duration(rapid.IntRange(0, 3).Draw(rt, "age")) * Duration(time.Hour); c.MaxAge != 0 && rapid.Bool().Draw(rt, "outage") {
		c.OutageMaxAge = c.MaxAge + Duration(time.Hour)
	}
	return c
}

func drawPolicy(rt *rapid.T) *Policy {
	p := &Policy{TimeZone: "UTC"}
	for range rapid.IntRange(0, 3).Draw(rt, "rules") {
		r := Rule{Name: "r", All: []Clause{drawClause(rt)}}
		if rapid.Bool().Draw(rt, "two") {
			r.All = append(r.All, drawClause(rt))
			if rapid.Bool().Draw(rt, "any holder") {
				r.SameHolder = new(bool)
			}
		}
		if rapid.Bool().Draw(rt, "hours") {
			var h Hours
			if err := h.UnmarshalText([]byte(rapid.SampledFrom([]string{"00:00-12:00", "12:00-24:00"}).Draw(rt, "when"))); err != nil {
				rt.Fatal(err)
			}
			r.Hours = []Hours{h}
		}
		p.Accept = append(p.Accept, r)
	}
	return p
}

// past is a pass as it was, and what is known of it.
type past struct {
	shown
	known Recorded
	exact bool
}

func drawPast(rt *rapid.T, at time.Time, n byte) past {
	age := time.Duration(rapid.IntRange(0, 9).Draw(rt, "half hours")) * 30 * time.Minute
	outage := rapid.SampledFrom([]string{"", "down"}).Draw(rt, "down")
	level := rapid.SampledFrom([]string{"", "green", "blue", "red"}).Draw(rt, "level of the pass")
	p := past{shown: shown{hash: PassHash{n}, outage: outage, Pass: &credential.Pass{
		Kind: rapid.SampledFrom([]string{"ticket", "health"}).Draw(rt, "kind of the pass"), Issuer: rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "issuer"),
		Level: level, Since: at.Add(-age), Holder: []byte{rapid.Byte().Draw(rt, "holder") % 2, 1},
	}}}
	p.known = Recorded{Kind: p.Kind, Issuer: p.Issuer}
	p.exact = outage != "" && rapid.Bool().Draw(rt, "all is known") // that there was no outage is never known
	if p.exact {
		p.known.Levels, p.known.Within = []string{level}, max(age, 1)
		p.known.Over, p.known.Outage = age-1, true
		return p
	}
	switch rapid.IntRange(0, 2).Draw(rt, "levels known") {
	case 0:
		p.known.Levels = []string{level}
	case 1:
		p.known.Levels = []string{"red", level}
	}
	if rapid.Bool().Draw(rt, "age known") {
		p.known.Within = age + time.Duration(rapid.IntRange(0, 2).Draw(rt, "and more"))*time.Hour + 1
		p.known.Over = max(0, age-time.Hour)
	}
	p.known.Outage = outage != "" && rapid.Bool().Draw(rt, "outage known")
	return p
}

// A verdict that is known is what the rules said of the passes themselves; only where a fact is not known may it be none.
func TestReplayNeverGuesses(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		at := time.Date(2026, 5, 4, rapid.IntRange(0, 23).Draw(rt, "hour"), 0, 0, 0, time.UTC)
		policy := drawPolicy(rt)
		last := drawPast(rt, at, 1)
		s := Showing{Lane: "in-1", At: Moment{At: at, Clock: ClockSynced}, Passes: []Recorded{last.known}}
		shows := showing{pass: &last.shown, at: at, zone: time.UTC}
		exact := last.exact
		truth := policy.match(shows)
		if rapid.Bool().Draw(rt, "two passes") {
			first := drawPast(rt, at, 2)
			s.Waited = time.Duration(rapid.IntRange(0, 30).Draw(rt, "waited")) * time.Second
			s.Passes = []Recorded{first.known, last.known}
			same := sameHolder(first.Pass, last.Pass)
			if known := rapid.Bool().Draw(rt, "holder known"); known {
				s.SameHolder = &same
			} else {
				exact = false
			}
			exact = exact && first.exact
			alone := policy.match(showing{pass: &first.shown, at: at, zone: time.UTC})
			shows.first, shows.waited = &first.shown, s.Waited
			if truth = policy.match(shows); alone.reason == ReasonOK || alone.nearer(truth) {
				truth = alone
			}
		}
		v := (&Terms{Policy: policy, Zone: time.UTC, FreshUntil: at.Add(time.Hour), HardAfter: at.Add(time.Hour)}).Replay(s)
		if v.Known != (len(v.Missing) == 0) {
			rt.Fatalf("known %v, missing %v", v.Known, v.Missing)
		}
		if exact && !v.Known {
			rt.Fatalf("all facts are known, and it misses %v", v.Missing)
		}
		if v.Known && (v.Reason == ReasonOK) != (truth.reason == ReasonOK) {
			rt.Fatalf("replay says %s, and the rules said %s", v.Reason, truth.reason)
		}
		if exact && v.Reason != truth.reason {
			rt.Fatalf("replay says %s, and the rules said %s", v.Reason, truth.reason)
		}
	})
}

func TestReplayAsksTheLaneFirst(t *testing.T) {
	var night Hours
	if err := night.UnmarshalText([]byte("22:00-06:00")); err != nil {
		t.Fatal(err)
	}
	p := &Policy{Accept: []Rule{{Name: "day", All: []Clause{{Kind: "ticket", Issuers: []string{"a"}}}}}, TimeZone: "UTC", Lanes: map[string]LaneTerms{
		"shut": {Closed: []Hours{night}}, "open": {Free: []Hours{night}}, "out": {Direction: DirectionOut},
	}}
	at := time.Date(2026, 5, 4, 23, 0, 0, 0, time.UTC)
	terms := &Terms{Policy: p, Zone: time.UTC, FreshUntil: at.AddDate(1, 0, 0), HardAfter: at.AddDate(1, 0, 0)}
	for lane, want := range map[string]Reason{"shut": ReasonLaneClosed, "open": ReasonFreePassage, "out": ReasonExit, "in-1": ReasonOK} {
		v := terms.Replay(Showing{Lane: lane, At: Moment{At: at, Clock: ClockSynced}, Passes: []Recorded{{Kind: "ticket", Issuer: "a", Levels: []string{""}}}})
		if !v.Known || v.Reason != want {
			t.Errorf("lane %s: %+v", lane, v)
		}
		if want == ReasonOK && (v.Rule != "day" || !slices.Equal(v.Limits, []uint{1})) {
			t.Errorf("lane %s: %+v", lane, v)
		}
	}
}
