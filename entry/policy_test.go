// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/entry"
)

func TestPolicyFaults(t *testing.T) {
	zero, many := uint(0), uint(1<<31)
	good := func() entry.Clause { return entry.Clause{Kind: "ticket", Issuers: []string{"arena"}} }
	rule := func(c ...entry.Clause) entry.Rule { return entry.Rule{Name: "day", All: c} }
	edit := func(f func(*entry.Clause)) []entry.Rule { c := good(); f(&c); return []entry.Rule{rule(c)} }
	lane := func(l entry.LaneTerms) *entry.Policy {
		return &entry.Policy{TimeZone: "Europe/Berlin", Lanes: map[string]entry.LaneTerms{"in-1": l}}
	}
	for want, p := range map[string]*entry.Policy{
		"there is none":                                 nil,
		"give the rule a name":                          {Accept: []entry.Rule{{All: []entry.Clause{good()}}}},
		"two rules have this":                           {Accept: []entry.Rule{rule(good()), rule(good())}},
		"one pass or two":                               {Accept: []entry.Rule{rule(good(), good(), good())}},
		"for rules of two passes":                       {Accept: []entry.Rule{{Name: "day", All: []entry.Clause{good()}, SameHolder: new(bool)}}},
		"pair_within are for rules":                     {Accept: []entry.Rule{{Name: "day", All: []entry.Clause{good()}, PairWithin: 1}}},
		"pair_within: 1ns is not between":               {Accept: []entry.Rule{{Name: "day", All: []entry.Clause{good(), good()}, PairWithin: 1}}},
		"pair_within: 3m0s is not between":              {Accept: []entry.Rule{{Name: "day", All: []entry.Clause{good(), good()}, PairWithin: entry.Duration(3 * time.Minute)}}},
		"all[1]: kind is missing":                       {Accept: []entry.Rule{rule(good(), entry.Clause{})}},
		"all has 0 clauses":                             {Accept: []entry.Rule{rule()}},
		"kind is missing":                               {Accept: edit(func(c *entry.Clause) { c.Kind = "" })},
		"issuers is missing":                            {Accept: edit(func(c *entry.Clause) { c.Issuers = nil })},
		"an empty name":                                 {Accept: edit(func(c *entry.Clause) { c.Issuers = []string{""} })},
		"level has an empty":                            {Accept: edit(func(c *entry.Clause) { c.Level = []string{""} })},
		"not a healthy person":                          {Accept: edit(func(c *entry.Clause) { c.Kind = "health" })},
		"kind travel needs":                             {Accept: edit(func(c *entry.Clause) { c.Kind = "travel" })},
		"which admits nobody":                           {Accept: edit(func(c *entry.Clause) { c.Uses = &zero })},
		`kind "Health": write`:                          {Accept: edit(func(c *entry.Clause) { c.Kind = "Health" })},
		`kind "health ": write`:                         {Accept: edit(func(c *entry.Clause) { c.Kind = "health " })},
		`kind "Ticket": write`:                          {Accept: edit(func(c *entry.Clause) { c.Kind = "Ticket" })},
		"kind \"h\u0435alth\": write":                   {Accept: edit(func(c *entry.Clause) { c.Kind = "h\u0435alth" })},
		`private[0] "Staff"`:                            {Private: []string{"Staff"}},
		"at most 2147483647":                            {Accept: edit(func(c *entry.Clause) { c.Uses = &many })},
		"cannot be negative":                            {Lanes: map[string]entry.LaneTerms{"in-1": {Pulse: -1}}},
		`zone: "arena/north" is`:                        lane(entry.LaneTerms{Zone: "arena/north"}),
		`direction: "Out" is unknown`:                   lane(entry.LaneTerms{Direction: "Out"}),
		"whoever leaves goes by it":                     lane(entry.LaneTerms{Direction: "out", Free: hours(t, "09:00-18:00")}),
		"lanes.in-1: a lane out has no":                 lane(entry.LaneTerms{Direction: "out", Closed: hours(t, "09:00-18:00")}),
		"closed has an empty entry":                     lane(entry.LaneTerms{Closed: make([]entry.Hours, 1)}),
		"free has 65 entries":                           lane(entry.LaneTerms{Free: make([]entry.Hours, 65)}),
		"lanes.in-1: hours need":                        {Lanes: map[string]entry.LaneTerms{"in-1": {Closed: hours(t, "22:00-06:00")}}},
		"max_hard cannot be":                            {MaxHard: -1},
		"max_fresh and max_hard":                        {MaxFresh: -1},
		"stale before it is hard":                       {MaxFresh: 3, MaxHard: 2},
		"max_age and outage_max_age cannot be negative": {Accept: edit(func(c *entry.Clause) { c.MaxAge = -1 })},
		"max_age, which is missing":                     {Accept: edit(func(c *entry.Clause) { c.OutageMaxAge = 1 })},
		"outage_max_age is shorter":                     {Accept: edit(func(c *entry.Clause) { c.MaxAge, c.OutageMaxAge = 2, 1 })},
		"hours has 65 entries":                          {Accept: []entry.Rule{{Name: "day", All: []entry.Clause{good()}, Hours: make([]entry.Hours, 65)}}},
		"hours has an empty entry":                      {Accept: []entry.Rule{{Name: "day", All: []entry.Clause{good()}, Hours: make([]entry.Hours, 1)}}},
		"need the venue's time_zone":                    {Accept: []entry.Rule{{Name: "day", All: []entry.Clause{good()}, Hours: hours(t, "09:00-18:00")}}},
		`time_zone "Europe/Atlantis"`:                   {TimeZone: "Europe/Atlantis"},
		`time_zone "Local"`:                             {TimeZone: "Local"},
		`time_zone "../zone"`:                           {TimeZone: "../zone"},
		"at most 64 are":                                {Accept: make([]entry.Rule, 65)},
		"at most 512 are":                               {Accept: edit(func(c *entry.Clause) { c.Issuers = make([]string, 513) })},
		`accept[0] "day": all[0]`:                       {Accept: edit(func(c *entry.Clause) { c.Kind = "" })},
	} {
		err := p.Validate()
		if !errors.Is(err, entry.ErrPolicy) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if err := (&entry.Policy{Accept: []entry.Rule{rule(good())}}).Validate(); err != nil {
		t.Errorf("a good policy: %v", err)
	}
}

func TestCap(t *testing.T) {
	start := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	at := func(fresh, hard time.Duration) entry.Bands {
		return entry.Bands{Signed: start, FreshUntil: start.Add(fresh), HardAfter: start.Add(hard)}
	}
	const day = 24 * time.Hour
	long, hour := at(100*day, 200*day), entry.Duration(time.Hour)
	for _, c := range []struct {
		p          entry.Policy
		said, want entry.Bands
	}{
		{entry.Policy{}, long, at(12*time.Hour, 7*day)},
		{entry.Policy{}, at(time.Hour, 2*time.Hour), at(time.Hour, 2*time.Hour)},
		{entry.Policy{}, at(time.Hour, 200*day), at(time.Hour, 7*day)},
		{entry.Policy{MaxHard: hour}, long, at(time.Hour, time.Hour)},
		{entry.Policy{MaxFresh: 10 * 24 * hour}, long, at(10*day, 10*day)},
		{entry.Policy{MaxFresh: hour, MaxHard: 24 * hour}, long, at(time.Hour, day)},
		{entry.Policy{MaxFresh: 1000 * 24 * hour, MaxHard: 1000 * 24 * hour}, long, long},
	} {
		if got := c.p.Cap(c.said); got != c.want {
			t.Errorf("max_fresh %v, max_hard %v: %v of %v, want %v", c.p.MaxFresh, c.p.MaxHard, got, c.said, c.want)
		}
	}
}

func TestDurationText(t *testing.T) {
	for text, want := range map[string]time.Duration{"500ms": 500 * time.Millisecond, "24h": 24 * time.Hour, "270d": 270 * 24 * time.Hour, "0s": 0} {
		var d entry.Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || time.Duration(d) != want {
			t.Errorf("%s: %v %v", text, time.Duration(d), err)
		}
		b, err := d.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back entry.Duration
		if err := back.UnmarshalText(b); err != nil || back != d {
			t.Errorf("%s → %s → %v %v", text, b, time.Duration(back), err)
		}
	}
	for _, text := range []string{"", "d", "1", "1.5d", "99999999d", "9999999999999999d", "abc"} {
		if err := new(entry.Duration).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
