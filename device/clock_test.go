// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/cache"
	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/device/condition"
	"gatehouse/entry"
)

// handClock is a machine's clocks, turned by hand.
type handClock struct {
	mu     sync.Mutex
	wall   time.Time
	synced bool
	boot   cache.Boot
}

func (h *handClock) clock() Clock {
	return Clock{
		Wall:   func() time.Time { h.mu.Lock(); defer h.mu.Unlock(); return h.wall },
		Synced: func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.synced },
		Boot:   func() (cache.Boot, error) { h.mu.Lock(); defer h.mu.Unlock(); return h.boot, nil },
	}
}

// set turns the clocks.
func (h *handClock) set(f func(*handClock)) { h.mu.Lock(); defer h.mu.Unlock(); f(h) }

// pass lets time pass on both clocks.
func (h *handClock) pass(d time.Duration) {
	h.set(func(h *handClock) { h.wall = h.wall.Add(d); h.boot.Elapsed += d })
}

var winter = time.Date(2026, 1, 4, 7, 30, 0, 0, time.UTC)

func newTimekeeper(t *testing.T, h *handClock) *timekeeper {
	t.Helper()
	floor, err := cache.OpenFloor(filepath.Join(t.TempDir(), "floor"), cache.FloorOptions{Boot: h.clock().Boot})
	if err != nil {
		t.Fatal(err)
	}
	if err := floor.Raise(cache.Believed{Signed: winter.Add(-time.Hour)}, cache.Kept{}); err != nil {
		t.Fatal(err)
	}
	return &timekeeper{Clock: h.clock(), floor: floor}
}

func expectMoment(t *testing.T, k *timekeeper, at time.Time, state entry.ClockState) {
	t.Helper()
	if m := k.moment(); !m.At.Equal(at) || m.Clock != state {
		t.Errorf("it is %v (%s), want %v (%s)", m.At, m.Clock, at, state)
	}
}

func TestClockThatWasNeverSynced(t *testing.T) {
	h := &handClock{wall: winter, boot: cache.Boot{ID: "one"}}
	k := newTimekeeper(t, h)
	expectMoment(t, k, winter, entry.ClockNeverSynced)
	if unsynced, behind := k.observe(); !k.at().IsZero() || unsynced != errNeverSynced || behind != nil {
		t.Errorf("documents are believed by %v, conditions %v, %v", k.at(), unsynced, behind)
	}
}

// A clock that starts in 1970 is behind the floor: the floor is what time it is, and it goes on.
func TestClockOf1970(t *testing.T) {
	h := &handClock{wall: time.Unix(100, 0), boot: cache.Boot{ID: "one"}}
	k := newTimekeeper(t, h)
	expectMoment(t, k, winter.Add(-time.Hour), entry.ClockBehind)
	_, before := k.observe()
	h.pass(10 * time.Minute)
	expectMoment(t, k, winter.Add(-50*time.Minute), entry.ClockBehind)
	_, behind := k.observe()
	if behind == nil || !strings.Contains(behind.Error(), "set the clock") {
		t.Errorf("condition %v", behind)
	}
	if before == nil || behind.Error() != before.Error() {
		t.Errorf("the condition was %v, and is %v: it is told anew whenever somebody looks", before, behind)
	}
}

// The clock of who signs may be a little ahead of the kiosk's. The floor then goes on with both, and never would be reached.
func TestClockALittleBehindTheFloor(t *testing.T) {
	floor := winter.Add(-time.Hour)
	h := &handClock{wall: floor.Add(-skew), synced: true, boot: cache.Boot{ID: "one"}}
	k := newTimekeeper(t, h)
	expectMoment(t, k, floor, entry.ClockSynced)
	if unsynced, behind := k.observe(); unsynced != nil || behind != nil || !k.at().Equal(floor) {
		t.Errorf("conditions %v, %v; documents are believed by %v", unsynced, behind, k.at())
	}
	h.set(func(h *handClock) { h.wall = h.wall.Add(-time.Second) })
	expectMoment(t, k, floor, entry.ClockBehind)
}

// Once synced, nobody moves the kiosk's time by setting the wall clock: by minutes, a day or ten years, either way.
func TestWallClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{5 * time.Minute, 24 * time.Hour, 10 * 365 * 24 * time.Hour} {
		for _, sign := range []time.Duration{1, -1} {
			h := &handClock{wall: winter, synced: true, boot: cache.Boot{ID: "one"}}
			k := newTimekeeper(t, h)
			expectMoment(t, k, winter, entry.ClockSynced)
			h.set(func(h *handClock) { h.synced, h.wall = false, h.wall.Add(sign*jump) })
			h.pass(time.Minute)
			expectMoment(t, k, winter.Add(time.Minute), entry.ClockSynced)
			h.pass(trustedFor)
			expectMoment(t, k, winter.Add(time.Minute+trustedFor), entry.ClockNeverSynced)
		}
	}
}

// A time server that is ten years ahead for a while is believed while it lasts, and leaves nothing behind.
func TestWrongTimeServerIsNoPermanentHarm(t *testing.T) {
	h := &handClock{wall: winter.AddDate(10, 0, 0), synced: true, boot: cache.Boot{ID: "one"}}
	k := newTimekeeper(t, h)
	expectMoment(t, k, winter.AddDate(10, 0, 0), entry.ClockSynced)
	if err := k.floor.Raise(cache.Believed{}, cache.Kept{}); err != nil { // the minute's writing of the floor
		t.Fatal(err)
	}
	h.set(func(h *handClock) { h.wall = winter })
	expectMoment(t, k, winter, entry.ClockSynced)
}

// A kiosk without a battery is provisioned and admits, and says that its clock is wrong.
func TestKioskOf1970(t *testing.T) {
	b := newBench(t)
	h := &handClock{wall: time.Unix(100, 0), boot: cache.Boot{ID: "one"}}
	b.clock = h.clock()
	b.start()
	b.importBundle()
	pass := func(from, until time.Time) string {
		return b.pass(credential.Claims{NotBefore: from, Expires: until})
	}
	signed := b.venue.signed
	b.expect("ok", pass(signed.Add(-time.Minute), signed.Add(time.Hour)))
	b.expect("expired", pass(signed.Add(-time.Hour), signed.Add(-time.Minute)))
	b.expect("not_yet_valid", pass(signed.Add(time.Hour), signed.Add(2*time.Hour)))
	b.waitStatus("the clock's condition", func(s *client.Status) bool {
		for _, c := range s.Conditions {
			if c.Code == string(condition.ClockBehind) && strings.Contains(c.Text, "decisions go by that") {
				return s.Data.Freshness == "stale"
			}
		}
		return false
	})
	if err := b.halt(); err != nil {
		t.Fatal(err)
	}
	h.set(func(h *handClock) { h.boot = cache.Boot{ID: "two"} }) // the next morning, in 1970 again
	b.start()
	b.expect("expired", pass(signed.Add(-time.Hour), signed.Add(-time.Minute)))
	b.expect("ok", pass(signed.Add(-time.Minute), signed.Add(time.Hour)))
}
