// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/cache"
	"gatehouse/device/client"
	"gatehouse/entry"
	"gatehouse/gate/gpio"
)

// fillingLedger is on a disk that is full until there is room.
type fillingLedger struct {
	entry.Ledger
	full atomic.Bool
}

func (f *fillingLedger) Record(ctx context.Context, ev *entry.Event) error {
	if f.full.Load() {
		return cache.ErrFull
	}
	return f.Ledger.Record(ctx, ev)
}

// A record that panics takes nobody's way out: neither of those who are recorded, nor of the lane that records a passage.
func TestRecordThatPanics(t *testing.T) {
	b := newWayOutBench(t)
	b.cfg.Lanes[0].GPIO.Passage, b.cfg.Lanes[0].PassageTimeout = gpio.Input{Name: "sensor0"}, entry.Duration(time.Second)
	disk := &panickingLedger{}
	disk.panics.Store(true)
	b.cfg.ledger = func(l entry.Ledger) entry.Ledger { disk.Ledger = l; return disk }
	b.start()
	b.walk() // unadmitted
	b.waitLog("code=GH-201", 1)
	b.waitStatus("the gate again", func(s *client.Status) bool { return s.Lanes[0].Gate == inService })
	b.wantLetOut()
	b.waitLog("way out not recorded", 1)
	b.wantLetOut()
	disk.panics.Store(false)
	b.waitLog("what=exit", 2)
}

type panickingLedger struct {
	entry.Ledger
	panics atomic.Bool
}

func (p *panickingLedger) Record(ctx context.Context, ev *entry.Event) error {
	if p.panics.Load() {
		panic("the record is broken")
	}
	return p.Ledger.Record(ctx, ev)
}

// Who leaves while the disk is full leaves, and is recorded when there is room.
func TestExitsOnAFullDisk(t *testing.T) {
	b := newWayOutBench(t)
	disk := &fillingLedger{}
	disk.full.Store(true)
	b.cfg.ledger = func(l entry.Ledger) entry.Ledger { disk.Ledger = l; return disk }
	b.start()
	for range 3 {
		b.wantLetOut()
	}
	b.waitLog("code=GH-301", 1)
	disk.full.Store(false)
	b.waitLog("what=exit", 3)
	b.venue.must(b.halt())
	if got, want := b.incidents(), []string{"exit", "exit", "exit"}; !slices.Equal(got, want) {
		t.Errorf("recorded %q, want %q", got, want)
	}
}

// Forced, held and fire are events of the record, as an access controller has them.
func TestForcedHeldAndFireAreEvents(t *testing.T) {
	b := newWayOutBench(t)
	b.cfg.Lanes[0].GPIO.Passage, b.cfg.Lanes[0].PassageTimeout = gpio.Input{Name: "sensor0"}, entry.Duration(time.Second)
	b.start()
	b.walk()
	b.waitLog("passage=unadmitted_passage", 1)
	b.board.SetPassing("in-1", true)
	b.waitLog("passage=held_passage", 1)
	b.board.SetPassing("in-1", false)
	b.wantFire(true)
	b.wantFire(false)
	b.waitLog("what=fire_ended", 1)
	b.venue.must(b.halt())
	want := []string{"unadmitted_passage", "unadmitted_passage", "held_passage", "fire_began", "fire_ended"}
	if got := b.incidents(); !slices.Equal(got, want) {
		t.Errorf("recorded %q, want %q", got, want)
	}
}

// What happened before the stores could be opened is recorded when they are, at its own time.
func TestWayOutIsRecordedLater(t *testing.T) {
	b := newWayOutBench(t)
	b.venue.must(os.WriteFile(b.cfg.State, nil, 0o600))
	b.cfg.reopen = 10 * time.Millisecond
	b.run()
	b.waitStatus("the stores told", func(s *client.Status) bool { return hasCondition(s, "GH-307") })
	before := time.Now()
	b.wantLetOut()
	after := time.Now()
	b.venue.must(os.Remove(b.cfg.State))
	b.waitLog("what=exit", 1)
	b.waitStatus("open stores", func(s *client.Status) bool { return !hasCondition(s, "GH-307") && s.Ledger.ID != "" })
	b.venue.must(b.halt())
	l, err := cache.OpenLedger(filepath.Join(b.cfg.State, "ledger.db"), cache.LedgerOptions{At: time.Now()})
	b.venue.must(err)
	defer l.Close()
	events, err := l.Events(1, 10)
	b.venue.must(err)
	i := slices.IndexFunc(events, func(ev entry.Event) bool { return ev.Note == "exit" })
	if i < 0 || events[i].At.Before(before.Add(-time.Millisecond)) || events[i].At.After(after) || !events[i].Late || events[i].Reason != entry.ReasonExit {
		t.Errorf("got %+v, want an exit between %v and %v", events, before, after)
	}
}

// Who walks through before the stores are open is recorded like anybody else, and ends nothing.
func TestPassageBeforeTheStores(t *testing.T) {
	b := newWayOutBench(t)
	b.cfg.Lanes[0].GPIO.Passage, b.cfg.Lanes[0].PassageTimeout = gpio.Input{Name: "sensor0"}, entry.Duration(time.Second)
	b.venue.must(os.WriteFile(b.cfg.State, nil, 0o600))
	b.cfg.reopen = 10 * time.Millisecond
	b.run()
	b.waitStatus("the gate", func(s *client.Status) bool { return hasCondition(s, "GH-307") && s.Lanes[0].Gate == inService })
	b.wantLetOut()
	b.walk() // with those who leave
	b.wantLetOut()
	b.venue.must(os.Remove(b.cfg.State))
	b.waitLog("what=exit", 2)
	b.venue.must(b.halt())
	if got, want := b.incidents(), []string{"exit", "exit"}; !slices.Equal(got, want) {
		t.Errorf("recorded %q, want %q", got, want)
	}
}
