// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"testing"
	"time"
	"unicode/utf8"
)

func TestCentralCheck(t *testing.T) {
	gone := time.Date(2026, 1, 4, 8, 10, 0, 0, china)
	back := gone.Add(200 * time.Minute)
	people := []arrival{
		{gone.Add(-time.Second), true}, // before
		{gone, true},
		{gone.Add(20 * time.Minute), false},
		{back.Add(-time.Second), true},
		{back, true}, // it answers again
	}
	if got := central(people, gone, back); got != (outside{came: 3, admitted: 2, longest: 200 * time.Minute}) {
		t.Errorf("got %+v", got)
	}
	if got := central(nil, gone, back); got != (outside{}) {
		t.Errorf("nobody came, and got %+v", got)
	}
}

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1))
	}
	for _, c := range []struct {
		of   []time.Duration
		p    int
		want time.Duration
	}{
		{nil, 50, 0}, {hundred[:1], 50, 1}, {hundred[:1], 99, 1}, {hundred[:2], 50, 1}, {hundred, 50, 50}, {hundred, 99, 99},
		{hundred, 100, 100}, {hundred[:67], 99, 67},
	} {
		if got := percentile(c.of, c.p); got != c.want {
			t.Errorf("p%d of %d: %d, wanted %d", c.p, len(c.of), got, c.want)
		}
	}
}

func TestStoryBeginsAtSeven(t *testing.T) {
	for _, now := range []time.Time{
		time.Date(2100, 3, 1, 6, 59, 0, 0, china), time.Date(2100, 2, 28, 7, 1, 0, 0, china), time.Date(2100, 2, 28, 22, 30, 0, 0, time.UTC),
	} {
		if got, want := opening(now), time.Date(2100, 3, 1, 7, 0, 0, 0, china); !got.Equal(want) {
			t.Errorf("from %v: %v, wanted %v", now, got, want)
		}
	}
}

// Each act begins at a time of the day, and none before the one that it follows. What happens fits its column.
func TestActsFollowEachOther(t *testing.T) {
	var before time.Time
	for _, a := range story() {
		at, err := timeOfDay(time.Now(), a.at)
		if err != nil || !at.After(before) {
			t.Errorf("%s at %q: %v after %v, %v", a.title, a.at, at, before, err)
		}
		before = at
		for _, sc := range a.scenes {
			if n := utf8.RuneCountInString(sc.what); n == 0 || n > 52 {
				t.Errorf("%s: %q has %d characters", a.title, sc.what, n)
			}
		}
	}
	if _, err := timeOfDay(time.Now(), "7 o'clock"); !errors.Is(err, errNoTime) {
		t.Errorf("got %v", err)
	}
}

// A process that maps the same hands sees what the story does to them.
func TestHands(t *testing.T) {
	path, begin := t.TempDir()+"/hands", time.Now().Add(time.Hour)
	story, err := newHands(path, begin)
	if err != nil {
		t.Fatal(err)
	}
	defer story.close()
	kiosk, err := openHands(path)
	if err != nil {
		t.Fatal(err)
	}
	defer kiosk.close()
	clock := kiosk.clock()
	boot, err := clock.Boot()
	if err != nil {
		t.Fatal(err)
	}
	near := func(what string, got, want time.Time) {
		t.Helper()
		if d := got.Sub(want).Abs(); d > time.Minute {
			t.Errorf("%s: %v, wanted %v", what, got, want)
		}
	}
	near("the beginning", clock.Wall(), begin)
	story.pass(10 * time.Hour)
	story.pass(-time.Hour) // time does not go back
	near("after ten hours", clock.Wall(), begin.Add(10*time.Hour))
	if later, err := clock.Boot(); err != nil || later.ID != boot.ID || (later.Elapsed-boot.Elapsed-10*time.Hour).Abs() > time.Minute {
		t.Errorf("boot %v after %v, %v", later, boot, err)
	}
	story.tear(-tenYears, false)
	near("torn", clock.Wall(), begin.Add(10*time.Hour-tenYears))
	near("the story's own", story.now(), begin.Add(10*time.Hour))
	if clock.Synced() {
		t.Error("a torn clock is synced")
	}
	story.tear(0, true)
	if near("right", clock.Wall(), begin.Add(10*time.Hour)); !clock.Synced() {
		t.Error("a clock that is right is not synced")
	}
}
