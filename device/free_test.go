// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"testing"

	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/entry"
	"gatehouse/gate"
)

// terms signs other terms of the lane and hands them to the kiosk.
func (b *bench) terms(l entry.LaneTerms) {
	b.tb.Helper()
	b.venue.policy.TimeZone, b.venue.policy.Lanes = "UTC", map[string]entry.LaneTerms{"in-1": l}
	b.importBundle()
}

func allDay(tb testing.TB) []entry.Hours {
	tb.Helper()
	h := make([]entry.Hours, 1)
	if err := h[0].UnmarshalText([]byte("00:00-24:00")); err != nil {
		tb.Fatal(err)
	}
	return h
}

func (b *bench) waitMode(mode entry.Mode) {
	b.tb.Helper()
	b.waitStatus("a lane that is "+string(mode), func(s *client.Status) bool { return s.Lanes[0].Mode == string(mode) })
}

// In its free hours a lane opens by itself, is seen to, and leaves off with a new config.
func TestLaneIsFreeAndClosedByHours(t *testing.T) {
	b := newBench(t)
	b.start()
	b.waitMode(entry.ModeIn)
	mark := b.board.Mark()
	b.terms(entry.LaneTerms{Free: allDay(t)})
	up, err := b.board.WaitEdge(b.ctx(), mark, "in-1", gate.Relay, true)
	if err != nil {
		t.Fatal(err, b.log)
	}
	b.waitMode(entry.ModeFree)
	b.terms(entry.LaneTerms{Closed: allDay(t), Free: allDay(t)})
	b.waitMode(entry.ModeClosed)
	down, err := b.board.WaitEdge(b.ctx(), mark, "in-1", gate.Relay, false)
	if err != nil || down.Time.Sub(up.Time) > gate.MaxActive {
		t.Errorf("the relay was up for %v, %v", down.Time.Sub(up.Time), err)
	}
	b.expect("lane_closed", b.pass(credential.Claims{}))
	page, err := b.client.Events(b.ctx(), client.Query{})
	if err != nil {
		t.Fatal(err)
	}
	var free, over uint64
	for _, ev := range page.Events {
		switch {
		case ev.Reason == "free_passage" && ev.Kind == "decision":
			free = ev.Number
		case ev.Reason == "free_passage":
			over = ev.Of
		}
	}
	if free == 0 || over != free {
		t.Errorf("recorded %+v", page.Events)
	}
	b.terms(entry.LaneTerms{})
	b.waitMode(entry.ModeIn)
	b.expect("ok", b.pass(credential.Claims{}))
}

// A clock that nobody keeps right lets nobody in without a pass.
func TestLaneIsNotFreeByAnUntrustedClock(t *testing.T) {
	b := newBench(t)
	b.clock.Synced = func() bool { return false }
	b.start()
	mark := b.board.Mark()
	b.terms(entry.LaneTerms{Free: allDay(t)})
	b.expect("unrecognised", "no pass")
	b.terms(entry.LaneTerms{Closed: allDay(t)}) // closed goes by the time that the kiosk has
	b.waitMode(entry.ModeClosed)
	if n := b.opens(mark); n != 0 {
		t.Errorf("the lane opened %d times", n)
	}
}

// A wish of rivals' users, through a whole kiosk: out and in again on one pass, also after a restart.
func TestReentryAfterAnExit(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	code := b.pass(credential.Claims{})
	b.expect("ok", code)
	b.expect("already_used", code)
	b.terms(entry.LaneTerms{Direction: entry.DirectionOut})
	b.expect("exit", code)
	b.expect("exit", "nobody is kept in for what he shows")
	if err := b.halt(); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.waitMode(entry.ModeOut)
	b.terms(entry.LaneTerms{})
	b.expect("ok", code)
	b.expect("already_used", code)
}

// Only who walks out has his use back.
func TestReentryNeedsThePassage(t *testing.T) {
	b := newTurnstile(t)
	code := b.pass(credential.Claims{})
	b.expect("ok", code)
	b.walk()
	b.waitLog("passage=passed", 1)
	b.terms(entry.LaneTerms{Direction: entry.DirectionOut})
	b.expect("exit", code)
	b.waitLog("passage=not_passed", 1)
	b.terms(entry.LaneTerms{})
	b.expect("already_used", code)
	b.terms(entry.LaneTerms{Direction: entry.DirectionOut})
	b.expect("exit", code)
	b.walk()
	b.waitLog("passage=passed", 2)
	b.terms(entry.LaneTerms{})
	b.expect("ok", code)
}
