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

	"gatehouse/entry"
	"gatehouse/entry/entrytest"
)

// slowHours are hours as docs/rule.md words them.
type slowHours struct {
	days     []string // none: every day
	from, to string   // "07:00"
}

func (h slowHours) text() string {
	return strings.TrimSpace(strings.Join(h.days, ",") + " " + h.from + "-" + h.to)
}

// count looks at a clock on the wall of a zone, minute by minute for three days around a moment.
func (h slowHours) count(at time.Time, zone *time.Location) bool {
	type look struct {
		moment time.Time
		shown  string
	}
	var looks []look
	for m := at.Add(-72 * time.Hour); m.Before(at.Add(72 * time.Hour)); m = m.Add(time.Minute) {
		looks = append(looks, look{m, m.In(zone).Format("2006-01-02 15:04")})
	}
	// when it shows a time: the first moment or the last one, or where it skips it the moment at which it does.
	when := func(shown string, last bool) (found time.Time) {
		for i, l := range looks {
			switch {
			case l.shown == shown && (found.IsZero() || last):
				found = l.moment
			case found.IsZero() && i > 0 && looks[i-1].shown < shown && shown < l.shown:
				found = l.moment
			}
		}
		return found
	}
	there := at.In(zone)
	for days := -2; days <= 2; days++ {
		day := time.Date(there.Year(), there.Month(), there.Day()+days, 0, 0, 0, 0, time.UTC)
		if len(h.days) > 0 && !slices.Contains(h.days, strings.ToLower(day.Format("Mon"))) {
			continue
		}
		end, to := day, h.to
		if h.to == "24:00" {
			to = "00:00"
		}
		if to <= h.from {
			end = day.AddDate(0, 0, 1)
		}
		begins, ends := when(day.Format(time.DateOnly)+" "+h.from, false), when(end.Format(time.DateOnly)+" "+to, true)
		if !begins.IsZero() && !at.Before(begins) && at.Before(ends) {
			return true
		}
	}
	return false
}

func drawHours(t *rapid.T) slowHours {
	clock := func(label string, hours int) string {
		return fmt.Sprintf("%02d:%02d", rapid.IntRange(0, hours).Draw(t, label), rapid.SampledFrom([]int{0, 1, 15, 30, 45, 59}).Draw(t, label))
	}
	h := slowHours{from: clock("from", 23), to: clock("to", 23)}
	if rapid.IntRange(0, 4).Draw(t, "near the change") > 0 {
		h.from = clock("from, by night", 3)
	}
	if rapid.IntRange(0, 7).Draw(t, "midnight") == 0 || h.from == h.to {
		h.to = "24:00"
	}
	h.days = rapid.SampledFrom([][]string{nil, {"sat"}, {"sun"}, {"sat", "sun"}, {"mon", "fri"}}).Draw(t, "days")
	return h
}

// TestHoursAgainstTheSlowOnes draws hours and moments around changes of clocks: forward and back by an hour, by half an
// hour and by two, over midnight, and by a whole day.
func TestHoursAgainstTheSlowOnes(t *testing.T) {
	changes := map[string][]string{
		"Europe/Berlin":       {"2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"},
		"America/New_York":    {"2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"},
		"Australia/Lord_Howe": {"2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z"},
		"Antarctica/Troll":    {"2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"},
		"America/St_Johns":    {"2010-03-14T03:31:00Z", "2010-11-07T02:31:00Z"},
		"Pacific/Apia":        {"2011-12-30T10:00:00Z"},
		"Asia/Shanghai":       {"2026-01-04T00:00:00Z"},
	}
	names := make([]string, 0, len(changes))
	for name := range changes {
		names = append(names, name)
	}
	slices.Sort(names)
	seen := map[bool]int{}
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.SampledFrom(names).Draw(rt, "zone")
		zone, err := time.LoadLocation(name)
		if err != nil {
			rt.Fatal(err)
		}
		change, err := time.Parse(time.RFC3339, rapid.SampledFrom(changes[name]).Draw(rt, "change"))
		if err != nil {
			rt.Fatal(err)
		}
		at := change.Add(time.Duration(rapid.IntRange(-300, 300).Draw(rt, "minutes")) * time.Minute)
		if rapid.Bool().Draw(rt, "another day") {
			at = at.Add(time.Duration(rapid.IntRange(-30, 30).Draw(rt, "hours")) * time.Hour)
		}
		slow := drawHours(rt)
		lane := entry.LaneTerms{Closed: make([]entry.Hours, 1)}
		if err := lane.Closed[0].UnmarshalText([]byte(slow.text())); err != nil {
			rt.Fatal(err)
		}
		terms := entrytest.NewKnowledge().Agreed
		terms.Zone, terms.Policy.Lanes = zone, map[string]entry.LaneTerms{"in-1": lane}
		want := slow.count(at, zone)
		seen[want]++
		if got := terms.Mode(in1, entry.Moment{At: at}) == entry.ModeClosed; got != want {
			rt.Fatalf("%s in %s at %s (%s there): within %v, want %v", slow.text(), name, at.Format(time.RFC3339), at.In(zone).Format("Mon 15:04 MST"), got, want)
		}
	})
	if !t.Failed() && (seen[true] == 0 || seen[false] == 0) {
		t.Errorf("drawn within and without: %v", seen)
	}
}
