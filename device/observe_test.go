// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/cache"
	"gatehouse/device/client"
	"gatehouse/device/condition"
	"gatehouse/fleet"
)

// waitConditions waits until the status shows exactly these, written as codes does.
func (b *bench) waitConditions(want string) {
	b.tb.Helper()
	last := ""
	defer func() {
		if b.tb.Failed() {
			b.tb.Logf("the conditions are %q, want %q", last, want)
		}
	}()
	b.waitStatus("the conditions "+want, func(s *client.Status) bool {
		last = codes(s.Conditions)
		return last == want
	})
}

// Data gets old by the passing of time alone: nobody tells, and nothing happens but that the status is asked.
func TestDataGetsOld(t *testing.T) {
	b := newBench(t)
	h := &handClock{wall: time.Now(), synced: true, boot: cache.Boot{ID: "one"}}
	b.clock = h.clock()
	b.start()
	b.waitConditions("GH-401")
	b.importBundle()
	b.waitConditions("")
	h.pass(time.Hour)
	b.waitConditions("") // stale, and not for long
	h.pass(delayOf(t, condition.DataStale))
	b.waitConditions("GH-405")
	h.pass(7 * 24 * time.Hour)
	b.waitConditions("GH-406")
}

// A clock that nothing keeps is why data is stale: one is told, and the other under it.
func TestStaleDataIsToldUnderTheClock(t *testing.T) {
	b := newBench(t)
	h := &handClock{wall: time.Now(), boot: cache.Boot{ID: "one"}}
	b.clock = h.clock()
	b.start()
	b.importBundle()
	b.waitConditions("") // a kiosk that has just started has no time yet
	h.pass(delayOf(t, condition.Clock))
	b.waitConditions("GH-501(GH-405)")
	h.set(func(h *handClock) { h.synced = true })
	b.waitConditions("")
}

// What damage was found at the start shows until the next, with what followed from it.
func TestDamageFoundAtTheStartShows(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	if err := b.halt(); err != nil {
		t.Fatal(err)
	}
	garbage := []byte("garbage")
	if err := errors.Join(os.WriteFile(filepath.Join(b.cfg.State, "trust.db"), garbage, 0o600),
		os.WriteFile(filepath.Join(b.cfg.State, "floor.b"), garbage, 0o600)); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.waitConditions("GH-402(GH-401) GH-602")
	b.importBundle()
	b.waitConditions("GH-402 GH-602")
	if err := b.halt(); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.waitConditions("")
}

// A trust store that can no longer be read is not one without documents.
func TestTrustStoreThatCannotBeReadShows(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	k := &kiosk{cfg: b.cfg, health: newHealth(b.clock, b.quiet())}
	if err := b.halt(); err != nil {
		t.Fatal(err)
	}
	var err error
	if k.trust, err = cache.OpenTrust(filepath.Join(b.cfg.State, "trust.db"), cache.TrustOptions{
		Pin: b.cfg.Root, Place: fleet.Place{Venue: b.cfg.Venue, Kiosk: b.cfg.Kiosk}}); err != nil {
		t.Fatal(err)
	}
	if err := k.trust.Close(); err != nil {
		t.Fatal(err)
	}
	k.observeBelief()
	k.health.expect(t, "GH-403")
}
