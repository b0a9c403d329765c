// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry_test

import (
	"strings"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/entry/entrytest"
)

func hours(tb testing.TB, texts ...string) (list []entry.Hours) {
	tb.Helper()
	for _, text := range texts {
		var h entry.Hours
		if err := h.UnmarshalText([]byte(text)); err != nil {
			tb.Fatal(err)
		}
		list = append(list, h)
	}
	return list
}

// Clocks go forward in Berlin on 2026-03-29 at 02:00 and back on 2026-10-25 at 03:00; in New York on 2026-03-08 and on
// 2026-11-01, at 02:00 both; on Lord Howe Island by half an hour, forward on 2026-10-04 and back on 2026-04-05, at 02:00 both;
// in Shanghai never since 1991. Newfoundland went back over midnight until 2010, and Samoa left out a day in 2011.
func TestHours(t *testing.T) {
	const shanghai, berlin, newYork, lordHowe = "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
	for _, c := range []struct {
		zone, hours string
		open, shut  string // moments in UTC
	}{
		{shanghai, "09:00-18:00", "2026-03-29T01:00:00Z 2026-03-29T09:59:59Z", "2026-03-29T00:59:59Z 2026-03-29T10:00:00Z"},
		{shanghai, "sun 22:00-06:00", "2026-03-29T14:00:00Z 2026-03-29T21:59:59Z", "2026-03-29T13:59:59Z 2026-03-29T22:00:00Z 2026-03-28T15:00:00Z 2026-03-30T15:00:00Z"},
		{shanghai, "mon-fri 07:00-09:30", "2026-01-05T00:00:00Z", "2026-01-04T00:00:00Z 2026-01-10T00:00:00Z"},
		{shanghai, "fri-mon 07:00-09:30", "2026-01-05T00:00:00Z 2026-01-04T00:00:00Z 2026-01-09T00:00:00Z", "2026-01-06T00:00:00Z 2026-01-08T00:00:00Z"},
		{shanghai, "00:00-24:00", "2026-03-28T16:00:00Z 2026-03-29T15:59:59Z", ""},
		{shanghai, "sat 00:00-24:00", "2026-01-09T16:00:00Z 2026-01-10T15:59:59Z", "2026-01-09T15:59:59Z 2026-01-10T16:00:00Z"},
		{shanghai, "20:00-00:00", "2026-01-05T12:00:00Z 2026-01-05T15:59:59Z", "2026-01-05T16:00:00Z 2026-01-05T11:59:59Z"},

		{berlin, "09:00-18:00", "2026-03-28T08:00:00Z 2026-03-29T07:00:00Z 2026-10-24T07:00:00Z 2026-10-25T08:00:00Z", "2026-03-28T07:59:59Z 2026-03-29T06:59:59Z 2026-10-25T07:59:59Z 2026-10-25T17:00:00Z"},
		// Forward: the night is an hour shorter, and 02:00 to 03:00 is nowhere.
		{berlin, "sat 22:00-06:00", "2026-03-28T21:00:00Z 2026-03-29T01:00:00Z 2026-03-29T03:59:59Z", "2026-03-28T20:59:59Z 2026-03-29T04:00:00Z"},
		{berlin, "sat 22:00-02:30", "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z 2026-03-29T01:30:00Z"},
		{berlin, "sun 02:30-06:00", "2026-03-29T01:00:00Z 2026-03-29T03:59:59Z", "2026-03-29T00:59:59Z 2026-03-29T04:00:00Z"},
		{berlin, "sun 02:15-02:45", "", "2026-03-29T00:59:59Z 2026-03-29T01:00:00Z 2026-03-29T01:30:00Z"},
		// Back: the night is an hour longer, and 02:00 to 03:00 comes twice.
		{berlin, "sat 22:00-06:00", "2026-10-24T20:00:00Z 2026-10-25T00:30:00Z 2026-10-25T01:30:00Z 2026-10-25T04:59:59Z", "2026-10-24T19:59:59Z 2026-10-25T05:00:00Z"},
		{berlin, "sat 22:00-02:30", "2026-10-25T00:29:59Z 2026-10-25T00:45:00Z 2026-10-25T01:29:59Z", "2026-10-25T01:30:00Z"},
		{berlin, "sun 02:30-06:00", "2026-10-25T00:30:00Z 2026-10-25T01:15:00Z 2026-10-25T04:59:59Z", "2026-10-25T00:29:59Z 2026-10-25T05:00:00Z"},
		{berlin, "sun 02:15-02:45", "2026-10-25T00:15:00Z 2026-10-25T01:44:59Z", "2026-10-25T00:14:59Z 2026-10-25T01:45:00Z"},

		{newYork, "09:00-18:00", "2026-03-07T14:00:00Z 2026-03-08T13:00:00Z 2026-10-31T13:00:00Z 2026-11-01T14:00:00Z", "2026-03-07T13:59:59Z 2026-03-08T12:59:59Z 2026-11-01T13:59:59Z"},
		{newYork, "sat 22:00-06:00", "2026-03-08T03:00:00Z 2026-03-08T07:00:00Z 2026-03-08T09:59:59Z", "2026-03-08T02:59:59Z 2026-03-08T10:00:00Z"},
		{newYork, "sat 22:00-02:30", "2026-03-08T06:59:59Z", "2026-03-08T07:00:00Z"},
		{newYork, "sat 22:00-01:30", "2026-11-01T05:29:59Z 2026-11-01T05:45:00Z 2026-11-01T06:29:59Z", "2026-11-01T06:30:00Z"},
		{newYork, "sun 01:30-06:00", "2026-11-01T05:30:00Z 2026-11-01T06:15:00Z 2026-11-01T10:59:59Z", "2026-11-01T05:29:59Z 2026-11-01T11:00:00Z"},
		{newYork, "sun 02:30-03:30", "2026-03-08T07:00:00Z 2026-03-08T07:29:59Z", "2026-03-08T06:59:59Z 2026-03-08T07:30:00Z"},
		{newYork, "sun 02:15-02:45", "", "2026-03-08T06:59:59Z 2026-03-08T07:00:00Z 2026-03-08T07:30:00Z"},
		{lordHowe, "09:00-18:00", "2026-04-03T22:00:00Z 2026-04-04T22:30:00Z 2026-10-03T22:00:00Z", "2026-04-03T21:59:59Z 2026-04-04T22:29:59Z 2026-10-03T21:59:59Z 2026-10-04T07:00:00Z"},
		{lordHowe, "sun 02:00-02:30", "", "2026-10-03T15:29:59Z 2026-10-03T15:30:00Z"},
		{lordHowe, "sun 02:15-03:00", "2026-10-03T15:30:00Z 2026-10-03T15:59:59Z", "2026-10-03T15:29:59Z 2026-10-03T16:00:00Z"},
		{lordHowe, "sat 22:00-02:15", "2026-10-03T11:30:00Z 2026-10-03T15:29:59Z", "2026-10-03T11:29:59Z 2026-10-03T15:30:00Z"},
		{lordHowe, "sun 01:45-03:00", "2026-04-04T14:45:00Z 2026-04-04T15:05:00Z 2026-04-04T16:29:59Z", "2026-04-04T14:44:59Z 2026-04-04T16:30:00Z"},
		{lordHowe, "sat 22:00-01:45", "2026-04-04T11:00:00Z 2026-04-04T14:59:59Z 2026-04-04T15:14:59Z", "2026-04-04T10:59:59Z 2026-04-04T15:15:00Z"},
		// Sunday has begun, and clocks show Saturday once more.
		{"America/St_Johns", "sun 00:00-04:00", "2010-11-07T02:30:00Z 2010-11-07T02:31:00Z 2010-11-07T07:29:59Z", "2010-11-07T02:29:59Z 2010-11-07T07:30:00Z"},
		{"Pacific/Apia", "fri 00:00-24:00", "2011-12-23T10:00:00Z", "2011-12-30T09:59:59Z 2011-12-30T10:00:00Z"},
		{"Pacific/Apia", "thu 22:00-06:00", "2011-12-30T08:00:00Z 2011-12-30T09:59:59Z", "2011-12-30T10:00:00Z"},
		// An evening in New York is another day in UTC.
		{newYork, "fri 19:00-23:00", "2026-01-10T00:00:00Z 2026-01-10T03:59:59Z", "2026-01-09T23:59:59Z 2026-01-10T04:00:00Z"},
	} {
		t.Run(c.zone+" "+c.hours, func(t *testing.T) {
			d := newDesk(t)
			p := d.know.Agreed.Policy
			p.TimeZone, p.Accept[0].Hours = c.zone, hours(t, c.hours)
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			var err error
			if d.know.Agreed.Zone, err = p.Zone(); err != nil {
				t.Fatal(err)
			}
			for want, moments := range map[entry.Reason]string{entry.ReasonOK: c.open, entry.ReasonOutsideHours: c.shut} {
				for _, text := range strings.Fields(moments) {
					at, err := time.Parse(time.RFC3339, text)
					if err != nil {
						t.Fatal(err)
					}
					d.know.Agreed.FreshUntil, d.know.Agreed.HardAfter = at.Add(hour), at.Add(hour)
					code := d.issuer.Pass(credential.Claims{Issued: at, Expires: at.Add(hour)})
					dec := d.Decide(t.Context(), in1, code, entry.Moment{At: at, Clock: entry.ClockSynced})
					if dec.Reason != want {
						t.Errorf("%s (%s there): %s, want %s", text, at.In(d.know.Agreed.Zone).Format("Mon 15:04 MST"), dec.Reason, want)
					}
				}
			}
		})
	}
}

// Without a zone, which no valid policy lacks, hours are never.
func TestHoursWithoutAZone(t *testing.T) {
	d := newDesk(t)
	d.know.Agreed.Policy.Accept[0].Hours = hours(t, "00:00-24:00")
	if dec := d.decide(t, d.issuer.Pass(credential.Claims{})); dec.Reason != entry.ReasonOutsideHours {
		t.Errorf("%s", dec.Reason)
	}
}

// A rule that is shut does not stand before one that is open, whatever else it would say.
func TestHoursOfSeveralRules(t *testing.T) {
	d := newDesk(t)
	d.know.Agreed.Zone = time.UTC
	p := d.know.Agreed.Policy
	shut := p.Accept[0]
	shut.Name, shut.Hours = "evening", hours(t, "18:00-22:00")
	p.Accept = []entry.Rule{shut, {Name: "two", All: p.Accept[0].All, Hours: hours(t, "03:00-04:00", "07:00-08:00")}}
	if dec := d.decide(t, d.issuer.Pass(credential.Claims{})); dec.Reason != entry.ReasonOK || dec.Rule != "two" {
		t.Errorf("%s by %q at %v", dec.Reason, dec.Rule, entrytest.Start)
	}
}

func TestHoursText(t *testing.T) {
	for text, want := range map[string]string{
		"09:00-18:00": "09:00-18:00", "mon-sun 09:00-18:00": "09:00-18:00", "sun 22:00-04:00": "sun 22:00-04:00",
		"sat-mon 00:00-24:00": "mon,sat-sun 00:00-24:00", "fri,mon,tue,wed 07:15-07:16": "mon-wed,fri 07:15-07:16",
		"tue-mon 10:00-11:00": "10:00-11:00", "sun,mon 23:59-00:00": "mon,sun 23:59-00:00",
	} {
		h := hours(t, text)[0]
		b, err := h.MarshalText()
		if err != nil || string(b) != want || hours(t, want)[0] != h {
			t.Errorf("%q → %q, %v; want %q", text, b, err, want)
		}
	}
	for _, text := range []string{"", " ", "09:00", "9:00-18:00", "09:00-18:00 ", " 09:00-18:00", "24:00-09:00", "09:00-09:00", "09:00-24:01", "09:60-18:00",
		"mon 09:00 - 18:00", "Mon 09:00-18:00", "monday 09:00-18:00", "mon- 09:00-18:00", "mon-mon 09:00-18:00", ",mon 09:00-18:00", "mon  09:00-18:00", "-1:00-18:00"} {
		if err := new(entry.Hours).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func FuzzHours(f *testing.F) {
	for _, seed := range []string{"09:00-18:00", "sat,sun 22:00-04:00", "fri-mon 00:00-24:00", "mon 24:00-24:00", "x 1:2-3:4"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var h, back entry.Hours
		if h.UnmarshalText([]byte(text)) != nil {
			if h != (entry.Hours{}) {
				t.Errorf("%q was refused and changed something", text)
			}
			return
		}
		b, err := h.MarshalText()
		if err != nil || back.UnmarshalText(b) != nil || back != h {
			t.Errorf("%q → %q → another", text, b)
		}
	})
}
