// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a kiosk's image may have none, and every kiosk must know the venue's zone alike
)

// Hours are one stretch of time of some days of the week, by the clocks of the venue. Their text form is
// "mon-fri,sun 22:00-04:00": the days on which it begins (absent: every day), when it begins, and when it is over. An end
// that is not later than the beginning is that of the next day; 24:00 is midnight at the end of the day.
//
// The stretch has no gap: where clocks go back over its beginning or end, it begins the first time and ends the last time
// that they show it; where they skip one, it is the moment of the change.
type Hours struct {
	days     [7]bool // by time.Weekday
	from, to int     // minutes after midnight: 0 to 1439, and to 1440
}

var dayNames = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

const (
	minutesOfDay = 24 * 60
	hoursForm    = "write mon-fri 09:00-18:00, sat,sun 22:00-04:00, or 09:00-18:00 for every day"
)

// MarshalText writes days in the order of the week, from Monday, in runs.
func (h Hours) MarshalText() ([]byte, error) {
	var runs []string
	for i := 0; i < 7; {
		n := i
		for n < 7 && h.days[(n+1)%7] {
			n++
		}
		switch first, last := dayNames[(i+1)%7], dayNames[n%7]; {
		case n == i:
			n++
		case n == i+1:
			runs = append(runs, first)
		default:
			runs = append(runs, first+"-"+last)
		}
		i = n
	}
	clock := fmt.Sprintf("%02d:%02d-%02d:%02d", h.from/60, h.from%60, h.to/60, h.to%60)
	if h.days == everyDay {
		return []byte(clock), nil
	}
	return []byte(strings.Join(runs, ",") + " " + clock), nil
}

var everyDay = [7]bool{true, true, true, true, true, true, true}

// UnmarshalText reads what MarshalText writes, with the days in any order.
func (h *Hours) UnmarshalText(text []byte) error {
	read := Hours{days: everyDay}
	days, clock, named := strings.Cut(string(text), " ")
	if !named {
		days, clock = "", days
	}
	from, to, ok := strings.Cut(clock, "-")
	ok = ok && readMinutes(from, &read.from) && readMinutes(to, &read.to) && read.from != minutesOfDay && read.from != read.to
	if !ok || named && !read.readDays(days) {
		return fmt.Errorf("entry: %q are no hours; %s", text, hoursForm)
	}
	*h = read
	return nil
}

// readMinutes reads "00:00" to "24:00".
func readMinutes(s string, into *int) bool {
	if len(s) != 5 || s[2] != ':' {
		return false
	}
	var digits [4]int
	for i, c := range []byte(s[:2] + s[3:]) {
		if c < '0' || c > '9' {
			return false
		}
		digits[i] = int(c - '0')
	}
	minute := digits[2]*10 + digits[3]
	*into = (digits[0]*10+digits[1])*60 + minute
	return minute < 60 && *into <= minutesOfDay
}

// readDays reads "mon-fri,sun". A run may go over the end of the week.
func (h *Hours) readDays(s string) bool {
	h.days = [7]bool{}
	for run := range strings.SplitSeq(s, ",") {
		first, last, several := strings.Cut(run, "-")
		if !several {
			last = first
		}
		i, end := slices.Index(dayNames[:], first), slices.Index(dayNames[:], last)
		if i < 0 || end < 0 || several && i == end {
			return false
		}
		for h.days[i] = true; i != end; h.days[i] = true {
			i = (i + 1) % 7
		}
	}
	return true
}

// checkHours checks a list of hours in a policy.
func checkHours(key string, list []Hours) error {
	switch {
	case len(list) > maxHours:
		return fmt.Errorf("%s has %d entries, at most %d are allowed", key, len(list), maxHours)
	case slices.Contains(list, Hours{}):
		return fmt.Errorf("%s has an empty entry; %s", key, hoursForm)
	}
	return nil
}

// within tells whether a moment lies within one of several hours. Without a time zone nobody can tell, and it does not.
func within(list []Hours, at time.Time, zone *time.Location) bool {
	return zone != nil && slices.ContainsFunc(list, func(h Hours) bool { return h.contain(at, zone) })
}

// contain tells whether a moment lies within, by the clocks of a zone.
func (h Hours) contain(at time.Time, zone *time.Location) bool {
	today := at.In(zone)
	// A stretch of today, or one that began yesterday; or tomorrow, where clocks went back over midnight.
	for _, days := range []int{-1, 0, 1} {
		day := time.Date(today.Year(), today.Month(), today.Day()+days, 0, 0, 0, 0, time.UTC)
		if !h.days[day.Weekday()] {
			continue
		}
		end := h.to
		if end <= h.from {
			end += minutesOfDay
		}
		begins, _ := clockShows(day, h.from, zone)
		_, ends := clockShows(day, end, zone)
		if !at.Before(begins) && at.Before(ends) {
			return true
		}
	}
	return false
}

// clockShows are the first and the last moment at which clocks in a zone show so many minutes after the midnight of a day,
// which is given in UTC. They differ where clocks go back over that time. Where clocks skip it, both are the change.
func clockShows(day time.Time, minutes int, zone *time.Location) (first, last time.Time) {
	shown := day.Add(time.Duration(minutes) * time.Minute)
	offset := func(at time.Time) time.Duration {
		_, seconds := at.In(zone).Zone()
		return time.Duration(seconds) * time.Second
	}
	before, after := offset(shown.Add(-24*time.Hour)), offset(shown.Add(24*time.Hour))
	first, last = shown.Add(-before), shown.Add(-after)
	switch early, late := offset(first) == before, offset(last) == after; {
	case early && late:
		return first, last
	case early:
		return first, first
	case late:
		return last, last
	}
	change, _ := first.In(zone).ZoneBounds()
	return change, change
}
