// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/entry/entrytest"
)

// hoursDesk is a desk in Berlin whose lane in-1 has terms.
func hoursDesk(t *testing.T, lane entry.LaneTerms) *desk {
	t.Helper()
	d := newDesk(t)
	p := d.know.Agreed.Policy
	p.TimeZone, p.Lanes = "Europe/Berlin", map[string]entry.LaneTerms{"in-1": lane}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	var err error
	if d.know.Agreed.Zone, err = p.Zone(); err != nil {
		t.Fatal(err)
	}
	return d
}

// at is a moment of a clock that is kept right, by which what the desk believes is fresh.
func (d *desk) at(t *testing.T, text string) entry.Moment {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	d.know.Agreed.FreshUntil, d.know.Agreed.HardAfter = at.Add(24*hour), at.Add(48*hour)
	return entry.Moment{At: at, Clock: entry.ClockSynced}
}

// Closed over midnight on 25 October 2026, when clocks in Berlin go back at 03:00; free on the Sunday after.
func TestLaneThatIsClosedAndFreeByHours(t *testing.T) {
	d := hoursDesk(t, entry.LaneTerms{Closed: hours(t, "sat 22:00-02:30", "12:00-12:15"), Free: hours(t, "sun 10:00-14:00", "sat 23:00-23:30")})
	for text, want := range map[string]entry.Reason{
		"2026-10-24T19:59:59Z": "not_accepted", "2026-10-24T20:00:00Z": "lane_closed",
		"2026-10-24T21:15:00Z": "lane_closed", // free and closed
		"2026-10-25T00:29:59Z": "lane_closed", // 02:29:59 the first time
		"2026-10-25T00:45:00Z": "lane_closed", "2026-10-25T01:29:59Z": "lane_closed", "2026-10-25T01:30:00Z": "not_accepted",
		"2026-10-25T08:59:59Z": "not_accepted", "2026-10-25T09:00:00Z": "free_passage", "2026-10-25T11:00:00Z": "lane_closed",
		"2026-10-25T11:15:00Z": "free_passage", "2026-10-25T12:59:59Z": "free_passage", "2026-10-25T13:00:00Z": "not_accepted",
	} {
		now := d.at(t, text)
		code := d.issuer.Pass(credential.Claims{Kind: "staff", Issued: now.At, Expires: now.At.Add(hour)})
		dec := d.Decide(t.Context(), in1, code, now)
		if dec.Reason != want || (dec.Grant != nil) != (want == "free_passage") {
			t.Errorf("%s: %s with grant %v, want %s", text, dec.Reason, dec.Grant, want)
		}
		if free := d.Free(t.Context(), in1, now); (free.Grant != nil) != (want == "free_passage") {
			t.Errorf("%s: %s to who shows nothing, grant %v", text, free.Reason, free.Grant)
		}
		if dec := d.Decide(t.Context(), entry.Lane{Name: "in-2"}, code, now); dec.Reason != "not_accepted" {
			t.Errorf("%s: %s at another lane", text, dec.Reason)
		}
	}
}

// A code that is shown in free hours is let through unread: no use is taken, and nothing of it is kept.
func TestFreePassageTakesNothing(t *testing.T) {
	d := hoursDesk(t, entry.LaneTerms{Free: hours(t, "00:00-24:00")})
	now := d.at(t, "2026-01-04T07:30:00Z")
	code := d.issuer.Pass(credential.Claims{})
	for _, shown := range []string{code, code, "no pass"} {
		dec := d.Decide(t.Context(), in1, shown, now)
		if dec.Reason != entry.ReasonFreePassage || dec.Event == 0 || !dec.Grant.Free() {
			t.Fatalf("%s, event %d", dec.Reason, dec.Event)
		}
	}
	for _, ev := range d.ledger.Events() {
		if ev.Pass != (entry.PassHash{}) || ev.Issuer != "" || ev.Outcome != entry.Admit {
			t.Errorf("recorded %+v", ev)
		}
	}
	d.know.Agreed.Policy.Lanes = nil
	if dec := d.Decide(t.Context(), in1, code, now); dec.Reason != entry.ReasonOK || dec.Grant.Free() {
		t.Errorf("afterwards the ticket is %s", dec.Reason)
	}
}

// Nobody comes in without a pass by a clock or by documents that cannot be relied on.
func TestFreePassageFailsClosed(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*desk, *entry.Moment)
		want   entry.Reason
	}{
		"a clock that was never synced": {func(_ *desk, m *entry.Moment) { m.Clock = entry.ClockNeverSynced }, "not_accepted"},
		"a clock behind the floor":      {func(_ *desk, m *entry.Moment) { m.Clock = entry.ClockBehind }, "not_accepted"},
		"a clock that nobody watches":   {func(_ *desk, m *entry.Moment) { m.Clock = "" }, "not_accepted"},
		"hard data":                     {func(d *desk, m *entry.Moment) { d.know.Agreed.HardAfter = m.At }, "stale_data"},
		"closed by hand":                {func(d *desk, _ *entry.Moment) { d.shut = true }, "lane_closed"},
		"no zone":                       {func(d *desk, _ *entry.Moment) { d.know.Agreed.Zone = nil }, "not_accepted"},
		"no documents":                  {func(d *desk, _ *entry.Moment) { d.know.Err = errors.New("page 7 is damaged") }, "out_of_order"},
		"no policy":                     {func(d *desk, _ *entry.Moment) { d.know.Agreed.Policy = nil }, "out_of_order"},
		"no terms":                      {func(d *desk, _ *entry.Moment) { d.know.Agreed = nil }, "out_of_order"},
		"stale data":                    {func(d *desk, m *entry.Moment) { d.know.Agreed.FreshUntil = m.At }, "free_passage"},
	} {
		t.Run(name, func(t *testing.T) {
			d := hoursDesk(t, entry.LaneTerms{Free: hours(t, "00:00-24:00")})
			now := d.at(t, "2026-01-04T07:30:00Z")
			code := d.issuer.Pass(credential.Claims{Kind: "staff"})
			under := d.Free(t.Context(), in1, now)
			if under.Grant == nil {
				t.Fatalf("not free while all is well: %s", under.Reason)
			}
			c.change(d, &now)
			lane := entry.Lane{Name: "in-1", Closed: d.shut}
			dec, free := d.Decide(t.Context(), lane, code, now), d.Free(t.Context(), lane, now)
			if dec.Reason != c.want || (free.Grant != nil) != (c.want == "free_passage") {
				t.Errorf("%s, and who shows nothing gets %v", dec.Reason, free.Grant)
			}
		})
	}
}

// An event allows an hour of free passage; the end of it is one as well.
func TestFreePassageIsRecorded(t *testing.T) {
	d := hoursDesk(t, entry.LaneTerms{Free: hours(t, "10:00-12:30")})
	now := d.at(t, "2026-01-04T08:59:00Z")
	var of []uint64
	for range 3 * 60 {
		if dec := d.Free(t.Context(), in1, now); dec.Grant != nil {
			of = append(of, dec.Event)
			if dec.Grant.Pulse() != 7*time.Second || dec.Grant.Spend("in-1", time.Now()) != nil {
				t.Fatalf("the lane opens for %v", dec.Grant.Pulse())
			}
			if err := d.Settle(t.Context(), dec, entry.NotPassed, now); err != nil { // no news
				t.Fatal(err)
			}
		}
		now.At = now.At.Add(time.Minute)
	}
	if len(of) != 150 || of[0] != 1 || of[59] != 1 || of[60] != 2 || of[120] != 3 || of[149] != 3 {
		t.Errorf("%d minutes were free, by events %v", len(of), of)
	}
	events := d.ledger.Events()
	if len(events) != 4 {
		t.Fatalf("recorded %+v", events)
	}
	for i, ev := range events[:3] {
		if ev.Reason != "free_passage" || ev.Outcome != entry.Admit || ev.Lane != "in-1" || ev.At.Sub(events[0].At) != time.Duration(i)*hour {
			t.Errorf("event %d: %+v", i+1, ev)
		}
	}
	if end := events[3]; end.Kind != entry.EventIncident || end.Of != 3 || !strings.Contains(end.Note, "over") {
		t.Errorf("the end: %+v", end)
	}
}

// A clock that goes back begins anew, and whoever waits for a second pass need not any more.
func TestFreePassageByAClockThatGoesBack(t *testing.T) {
	d := newPairDesk(t)
	d.know.Agreed.Zone = time.UTC
	d.shows(d.health("li"), "second_pass_needed")
	d.know.Agreed.Policy.Lanes = map[string]entry.LaneTerms{"in-1": {Free: hours(t, "00:00-24:00")}}
	now := entrytest.Now()
	for i, minutes := range []time.Duration{0, 0, -1, 58, 0} {
		now.At = now.At.Add(minutes * time.Minute)
		if dec := d.Free(t.Context(), in1, now); dec.Grant == nil || dec.Event != []uint64{2, 2, 3, 3, 3}[i] {
			t.Errorf("time %d: event %d, grant %v", i, dec.Event, dec.Grant)
		}
	}
	if n := entry.Waiting(d.Decider); n != 0 {
		t.Errorf("%d passes wait at a lane that is free", n)
	}
}

// Of those who walk through each is counted; a disk that fails opens nothing.
func TestFreePassageCountsAndNeedsItsRecord(t *testing.T) {
	d := hoursDesk(t, entry.LaneTerms{Free: hours(t, "00:00-24:00")})
	now, lane := d.at(t, "2026-01-04T07:30:00Z"), entry.Lane{Name: "in-1", Sensor: true}
	d.ledger.Fail(entrytest.ErrInjected, nil)
	if dec := d.Free(t.Context(), lane, now); dec.Grant != nil || dec.Reason != entry.ReasonRecordFailed || dec.RecordErr == nil {
		t.Errorf("a disk that fails: %s, grant %v, %v", dec.Reason, dec.Grant, dec.RecordErr)
	}
	d.ledger.Fail(nil, nil)
	dec := d.Free(t.Context(), lane, now)
	for _, p := range []entry.Passage{entry.Passed, entry.NotPassed, entry.PassageUnknown, entry.Passed} {
		if err := d.Settle(t.Context(), dec, p, now); err != nil {
			t.Fatal(err)
		}
	}
	events := d.ledger.Events()
	if len(events) != 3 || events[1].Passage != entry.Passed || events[2].Of != dec.Event {
		t.Errorf("recorded %+v", events)
	}
}

// What a lane is for may change with a new config while a pass waits for a second one.
func TestPairAtALaneThatChanges(t *testing.T) {
	for name, c := range map[string]struct {
		lane entry.LaneTerms
		want entry.Reason
	}{
		"closed": {entry.LaneTerms{Closed: hours(t, "00:00-24:00")}, "lane_closed"},
		"out":    {entry.LaneTerms{Direction: entry.DirectionOut}, "exit"},
		"free":   {entry.LaneTerms{Free: hours(t, "00:00-24:00")}, "free_passage"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newPairDesk(t)
			d.know.Agreed.Policy.TimeZone, d.know.Agreed.Zone = "UTC", time.UTC
			d.shows(d.health("li"), "second_pass_needed")
			d.know.Agreed.Policy.Lanes = map[string]entry.LaneTerms{"in-1": c.lane}
			if dec := d.Decide(t.Context(), in1, d.travel("li"), entrytest.Now()); dec.Reason != c.want || !dec.Waited {
				t.Errorf("%s, waited %v", dec.Reason, dec.Waited)
			}
			if entry.Waiting(d.Decider) != 0 {
				t.Error("the first pass still waits")
			}
			d.know.Agreed.Policy.Lanes = nil
			d.shows(d.travel("li"), "second_pass_needed")
		})
	}
}

// Wide and zones, as a lane's terms and a pass say them.
func TestZones(t *testing.T) {
	for _, c := range []struct {
		zone  string
		scope []string
		want  entry.Reason
	}{
		{"north", nil, "ok"},
		{"north", []string{"arena"}, "ok"},
		{"north", []string{"arena/north"}, "ok"},
		{"north", []string{"arena/south", "arena/north"}, "ok"},
		{"north", []string{"pool", "arena/south"}, "wrong_zone"},
		{"north", []string{"arena/south", "pool"}, "wrong_zone"},
		{"north", []string{"pool/north"}, "wrong_venue"},
		{"", []string{"arena/north"}, "wrong_zone"},
		{"", []string{"arena"}, "ok"},
	} {
		d := newDesk(t)
		d.know.Agreed.Policy.Lanes = map[string]entry.LaneTerms{"in-1": {Zone: c.zone}, "in-2": {Zone: "south"}}
		if dec := d.decide(t, d.issuer.Pass(credential.Claims{Scope: c.scope})); dec.Reason != c.want {
			t.Errorf("a lane of zone %q and a pass for %v: %s, want %s", c.zone, c.scope, dec.Reason, c.want)
		}
	}
}
