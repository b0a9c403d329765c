// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/cache"
	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/device/condition"
	"gatehouse/entry"
)

// shows tells whether a status has a condition.
func shows(s *client.Status, code condition.Code) bool {
	var within func(list []client.Condition) bool
	within = func(list []client.Condition) bool {
		for _, c := range list {
			if c.Code == string(code) || within(c.LeadsTo) {
				return true
			}
		}
		return false
	}
	return within(s.Conditions)
}

// A running kiosk forgets what is old enough, and the chain holds from there. What was used by a pass that can still
// verify is never forgotten.
func TestKioskPrunesItsLedger(t *testing.T) {
	b := newBench(t)
	b.cfg.upkeep = 10 * time.Millisecond
	b.venue.must(os.MkdirAll(b.cfg.State, 0o700))
	path := filepath.Join(b.cfg.State, "ledger.db")
	l, err := cache.OpenLedger(path, cache.LedgerOptions{NoSync: true})
	b.venue.must(err)
	long := time.Now().Add(-40 * 24 * time.Hour)
	expired, lasting := entry.PassHash{1}, entry.PassHash{2}
	for pass, expires := range map[entry.PassHash]time.Time{expired: long, lasting: time.Now().Add(time.Hour)} {
		ev := &entry.Event{At: long, Clock: entry.ClockSynced, Kind: entry.EventDecision, Outcome: entry.Admit}
		b.venue.must(l.Reserve(t.Context(), ev, entry.Use{Pass: pass, Limit: 1, Expires: expires, Final: true}))
	}
	b.venue.must(l.Close())
	copied := path + ".schema-1"
	b.venue.must(os.WriteFile(copied, nil, 0o600))

	b.start()
	b.importBundle() // with it the floor knows the time
	b.waitStatus("the old events to be pruned", func(*client.Status) bool {
		chain, err := b.client.CheckLedger(b.ctx())
		return err == nil && chain.First == 3 && chain.Last == 3
	})
	b.waitStatus("the log to tell of the use", func(*client.Status) bool { return strings.Contains(b.log.String(), "uses=1") })
	b.expect("ok", b.pass(credential.Claims{}))
	b.mustHalt()
	if _, err := os.Stat(copied); err != nil {
		t.Errorf("the copy of a former schema went within a day: %v", err)
	}

	l, err = cache.OpenLedger(path, cache.LedgerOptions{NoSync: true})
	b.venue.must(err)
	defer l.Close()
	if past, err := l.Uses(expired); err != nil || len(past) != 0 {
		t.Errorf("the expired pass: %v, %v", past, err)
	}
	if past, err := l.Uses(lasting); err != nil || len(past) != 1 {
		t.Errorf("the pass that still verifies: %v, %v", past, err)
	}
}

// What is forgotten goes by the floor and the clock together: neither a clock that is ahead nor a floor that was driven
// ahead makes a kiosk forget.
func TestPastIsBehindFloorAndClock(t *testing.T) {
	h := &handClock{wall: winter, boot: cache.Boot{ID: "one"}}
	k := newTimekeeper(t, h) // its floor is an hour before
	for _, c := range []struct{ wall, want time.Time }{
		{winter, winter.Add(-time.Hour)},
		{winter.AddDate(10, 0, 0), winter.Add(-time.Hour)},
		{time.Unix(0, 0), time.Unix(0, 0)},
	} {
		h.set(func(h *handClock) { h.wall = c.wall })
		if got := k.past(); !got.Equal(c.want) {
			t.Errorf("at %v: %v, want %v", c.wall, got, c.want)
		}
	}
	h.set(func(h *handClock) { h.wall = winter })
	if err := k.floor.Raise(cache.Believed{Signed: winter.AddDate(10, 0, 0)}, cache.Kept{}); err != nil {
		t.Fatal(err)
	}
	if got := k.past(); !got.Equal(winter) {
		t.Errorf("with a floor ten years ahead: %v", got)
	}
}

func TestCopiesOfAFormerSchemaGoAfterADay(t *testing.T) {
	h := &handClock{wall: winter, boot: cache.Boot{ID: "one", Elapsed: time.Hour}}
	b := newBench(t)
	k := &kiosk{cfg: b.cfg, log: slog.New(slog.DiscardHandler), health: newHealth(h.clock(), slog.New(slog.DiscardHandler)), began: time.Hour}
	b.venue.must(os.MkdirAll(b.cfg.State, 0o700))
	for _, name := range []string{"ledger.db", "ledger.db.schema-1", "trust.db.schema-7", "ledger.db.corrupt-1"} {
		b.venue.must(os.WriteFile(filepath.Join(b.cfg.State, name), nil, 0o600))
	}
	left := func() int {
		names, err := os.ReadDir(b.cfg.State)
		b.venue.must(err)
		return len(names)
	}
	h.pass(23 * time.Hour)
	if k.dropCopies(); left() != 4 {
		t.Errorf("after 23 hours %d files are left", left())
	}
	h.pass(time.Hour)
	if k.dropCopies(); left() != 2 {
		t.Errorf("after a day %d files are left", left())
	}
}

// A state folder that is deleted beside a running kiosk is told, and nobody's use is taken on a record that the next
// start will not find. That start misses the ledger.
func TestStateFolderDeletedWhileRunning(t *testing.T) {
	b := newBench(t)
	b.cfg.upkeep = 10 * time.Millisecond
	b.start()
	b.importBundle()
	used := b.pass(credential.Claims{})
	b.expect("ok", used)

	aside := b.cfg.State + ".moved"
	b.venue.must(os.Rename(b.cfg.State, aside))
	b.waitStatus("the loss to be told", func(s *client.Status) bool { return shows(s, condition.LedgerGone) })
	b.expect("out_of_order", b.pass(credential.Claims{}))
	b.insist(func() error { // the floor is written there meanwhile
		return errors.Join(os.RemoveAll(b.cfg.State), os.Rename(aside, b.cfg.State))
	})
	b.waitStatus("the folder to be there again", func(s *client.Status) bool { return !shows(s, condition.LedgerGone) })
	b.expect("already_used", used)
	b.expect("ok", b.pass(credential.Claims{}))

	b.insist(func() error { return os.RemoveAll(b.cfg.State) })
	b.waitStatus("the loss to be told", func(s *client.Status) bool { return shows(s, condition.LedgerGone) })
	b.expect("out_of_order", b.pass(credential.Claims{}))
	b.mustHalt()
	b.start()
	b.importBundle()
	b.waitStatus("the start to miss it", func(s *client.Status) bool { return shows(s, condition.LedgerLost) })
	b.expect("out_of_order", used)
	b.venue.must(b.client.AcceptLoss(b.ctx()))
	b.expect("ok", b.pass(credential.Claims{}))
}

// insist does what a kiosk that writes at the same time may disturb.
func (b *bench) insist(do func() error) {
	b.tb.Helper()
	ctx := b.ctx()
	for err := do(); err != nil; err = do() {
		if ctx.Err() != nil {
			b.tb.Fatal(err)
		}
	}
}

// slowLedger is a ledger on a disk that can be stalled.
type slowLedger struct {
	entry.Ledger
	stalled atomic.Bool
}

func (l *slowLedger) Reserve(ctx context.Context, ev *entry.Event, uses ...entry.Use) error {
	if l.stalled.Load() {
		<-ctx.Done()
	}
	return l.Ledger.Reserve(ctx, ev, uses...)
}

func (l *slowLedger) Record(ctx context.Context, ev *entry.Event) error {
	if l.stalled.Load() {
		<-ctx.Done()
	}
	return l.Ledger.Record(ctx, ev)
}

// While the disk stalls the lane holds; the code that is still in front is answered when the disk is back.
func TestStalledDiskHoldsTheLane(t *testing.T) {
	b := newBench(t)
	b.cfg.Lanes[0].Scanner.SameCode = entry.Duration(time.Hour)
	slow := &slowLedger{}
	b.cfg.ledger = func(l entry.Ledger) entry.Ledger { slow.Ledger = l; return slow }
	b.start()
	b.importBundle()
	slow.stalled.Store(true)
	code := b.pass(credential.Claims{})
	for range 2 {
		reason, opened := b.show(code)
		if reason != entry.ReasonRecordFailed || opened {
			t.Fatalf("got %s, opened: %v", reason, opened)
		}
	}
	s := b.waitStatus("the condition", func(s *client.Status) bool { return true })
	if s.Lanes[0].Outcomes["wait"] != 2 || !strings.Contains(b.log.String(), "late=true") {
		t.Errorf("it is reported as %+v", s.Lanes[0])
	}
	slow.stalled.Store(false)
	b.expect("ok", code)
	b.mustHalt()
	b.start() // and its scanner reads the held code anew
	b.expect("already_used", code)
}
