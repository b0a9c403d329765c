// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"path/filepath"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"gatehouse/entry"
)

var morning = time.Date(2026, 5, 4, 9, 30, 0, 123456000, time.UTC)

func ledgerPath(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "ledger.db")
}

func openLedger(tb testing.TB, path string) *Ledger {
	tb.Helper()
	l, err := OpenLedger(path, LedgerOptions{At: morning})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	return l
}

func passHash(n uint64) (h entry.PassHash) {
	binary.BigEndian.PutUint64(h[:], n*0x9E3779B97F4A7C15)
	h[15] = 1
	return h
}

func admission(lane string) *entry.Event {
	return &entry.Event{
		At: morning, Kind: entry.EventDecision, Lane: lane, Outcome: entry.Admit, Reason: entry.ReasonOK,
		Format: "gh1", Issuer: "arena", KeyID: []byte{1, 2, 3, 4, 5, 6, 7, 8}, PassKind: "ticket", Rule: "day ticket",
		Steps: []entry.StepCode{entry.StepVerify, entry.StepUses},
	}
}

func reserve(tb testing.TB, l *Ledger, pass entry.PassHash, limit uint) uint64 {
	tb.Helper()
	ev := admission("in-1")
	if err := l.Reserve(tb.Context(), ev, entry.Use{Pass: pass, Limit: limit}); err != nil {
		tb.Fatal(err)
	}
	return ev.Seq
}

func states(tb testing.TB, l *Ledger, pass entry.PassHash) []entry.UseState {
	tb.Helper()
	past, err := l.Uses(pass)
	if err != nil {
		tb.Fatal(err)
	}
	got := []entry.UseState{}
	for _, u := range past {
		got = append(got, u.State)
	}
	return got
}

func TestReserveTakesOneUseAndAppendsOneEvent(t *testing.T) {
	l := openLedger(t, ledgerPath(t))
	ev := admission("in-1")
	ev.Pass = passHash(1)
	if err := l.Reserve(t.Context(), ev, entry.Use{Pass: passHash(1), Limit: 2, Final: true}); err != nil {
		t.Fatal(err)
	}
	if ev.Seq != 1 || l.Commits() != 1 {
		t.Fatalf("event number %d after %d commits, want 1 and 1", ev.Seq, l.Commits())
	}
	events, err := l.Events(0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != 1 || !reflect.DeepEqual(events[0], *ev) {
		t.Errorf("stored %+v, want %+v", events, *ev)
	}
	want := []entry.PastUse{{Seq: 1, At: morning, Lane: "in-1", State: entry.UseCommitted}}
	if past, err := l.Uses(passHash(1)); err != nil || !reflect.DeepEqual(past, want) {
		t.Errorf("uses %+v, %v; want %+v", past, err, want)
	}
}

func TestReserveAtTheLimitWritesNothing(t *testing.T) {
	l := openLedger(t, ledgerPath(t))
	reserve(t, l, passHash(1), 1)
	ev := admission("in-2")
	err := l.Reserve(t.Context(), ev, entry.Use{Pass: passHash(1), Limit: 1})
	var used *entry.UsedError
	if !errors.As(err, &used) || !errors.Is(err, entry.ErrUsed) {
		t.Fatalf("got %v, want a UsedError", err)
	}
	if len(used.Past) != 1 || used.Past[0].Lane != "in-1" || used.Past[0].State != entry.UseReserved {
		t.Errorf("it tells of %+v", used.Past)
	}
	if ev.Seq != 0 || l.Commits() != 1 {
		t.Errorf("event number %d after %d commits: something was written", ev.Seq, l.Commits())
	}
	if events, _ := l.Events(0, 10); len(events) != 1 {
		t.Errorf("%d events, want 1", len(events))
	}
}

func TestReserveRefusesALimitedUseWithoutPass(t *testing.T) {
	l := openLedger(t, ledgerPath(t))
	if err := l.Reserve(t.Context(), admission("in-1"), entry.Use{Limit: 1}); !errors.Is(err, ErrUse) {
		t.Errorf("got %v", err)
	}
}

// Rivals looked a ticket up and inserted its use in two steps; two gates then admitted it at the same moment.
func TestRivalUsedCheckAndInsertWithoutOneTransaction(t *testing.T) {
	l := openLedger(t, ledgerPath(t))
	for ticket := range uint64(30) {
		var won, refused sync.Map
		var lanes sync.WaitGroup
		start := make(chan struct{})
		for _, lane := range []string{"in-1", "in-2"} {
			lanes.Go(func() {
				<-start
				err := l.Reserve(t.Context(), admission(lane), entry.Use{Pass: passHash(ticket + 1), Limit: 1})
				switch {
				case err == nil:
					won.Store(lane, true)
				case errors.Is(err, entry.ErrUsed):
					refused.Store(lane, true)
				default:
					t.Error(err)
				}
			})
		}
		close(start)
		lanes.Wait()
		if count(&won) != 1 || count(&refused) != 1 {
			t.Fatalf("ticket %d: %d lanes admitted it, %d refused it", ticket, count(&won), count(&refused))
		}
	}
}

func count(m *sync.Map) (n int) {
	m.Range(func(any, any) bool { n++; return true })
	return n
}

func TestSettle(t *testing.T) {
	for _, c := range []struct {
		passages []entry.Passage
		want     entry.UseState
	}{
		{[]entry.Passage{entry.Passed}, entry.UseCommitted},
		{[]entry.Passage{entry.PassageUnknown}, entry.UseCommitted},
		{[]entry.Passage{entry.Fault}, entry.UseCommitted},
		{[]entry.Passage{entry.NotPassed}, entry.UseAnnulled},
		{[]entry.Passage{entry.NotPassed, entry.NotPassed}, entry.UseAnnulled},
		{[]entry.Passage{entry.NotPassed, entry.Passed}, entry.UseCommitted},
	} {
		l := openLedger(t, ledgerPath(t))
		seq := reserve(t, l, passHash(1), 1)
		for _, p := range c.passages {
			if err := l.Settle(t.Context(), ending(seq, p)); err != nil {
				t.Fatalf("%v: %v", c.passages, err)
			}
		}
		if got := states(t, l, passHash(1)); len(got) != 1 || got[0] != c.want {
			t.Errorf("%v: %v, want %v", c.passages, got, c.want)
		}
		events, err := l.Events(seq+1, 10)
		if err != nil || len(events) != len(c.passages) || l.Commits() != uint64(1+len(events)) {
			t.Errorf("%v: recorded %+v (%v) in %d transactions", c.passages, events, err, l.Commits()-1)
		}
		for i, ev := range events {
			if ev.Passage != c.passages[i] || ev.Of != seq {
				t.Errorf("%v: recorded %+v", c.passages, ev)
			}
		}
	}
}

func TestSettleRefusesWhatIsNotOpen(t *testing.T) {
	l := openLedger(t, ledgerPath(t))
	seq := reserve(t, l, passHash(1), 1)
	if err := l.Settle(t.Context(), ending(seq, "flown")); err == nil {
		t.Error("an unheard-of passage was taken")
	}
	if err := l.Settle(t.Context(), ending(seq+1, entry.Passed)); !errors.Is(err, ErrNoReservation) {
		t.Errorf("a reservation never made: %v", err)
	}
	if err := l.Settle(t.Context(), ending(seq, entry.Passed)); err != nil {
		t.Fatal(err)
	}
	if err := l.Settle(t.Context(), ending(seq, entry.NotPassed)); !errors.Is(err, ErrNoReservation) {
		t.Errorf("a committed use was settled again: %v", err)
	}
	if got := states(t, l, passHash(1)); got[0] != entry.UseCommitted {
		t.Errorf("it became %v", got)
	}
}

func TestAnAnnulledUseCanBeTakenAgain(t *testing.T) {
	l := openLedger(t, ledgerPath(t))
	if err := l.Settle(t.Context(), ending(reserve(t, l, passHash(1), 1), entry.NotPassed)); err != nil {
		t.Fatal(err)
	}
	reserve(t, l, passHash(1), 1)
	if err := l.Reserve(t.Context(), admission("in-1"), entry.Use{Pass: passHash(1), Limit: 1}); !errors.Is(err, entry.ErrUsed) {
		t.Errorf("third time: %v", err)
	}
}

func TestReopenRemembers(t *testing.T) {
	path := ledgerPath(t)
	l := openLedger(t, path)
	id := l.ID()
	reserve(t, l, passHash(1), 1)
	annulled := reserve(t, l, passHash(2), 1)
	if err := l.Settle(t.Context(), ending(annulled, entry.NotPassed)); err != nil {
		t.Fatal(err)
	}
	if err := l.Record(t.Context(), &entry.Event{At: morning, Kind: entry.EventStart}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	l = openLedger(t, path)
	if l.ID() != id || l.Recovered() != 1 {
		t.Errorf("id kept: %v; %d reservations recovered, want 1", l.ID() == id, l.Recovered())
	}
	if err := l.Reserve(t.Context(), admission("in-1"), entry.Use{Pass: passHash(1), Limit: 1}); !errors.Is(err, entry.ErrUsed) {
		t.Errorf("the use was forgotten: %v", err)
	}
	if got := states(t, l, passHash(1)); got[0] != entry.UseUncertain {
		t.Errorf("an open reservation became %v, want uncertain", got)
	}
	if got := states(t, l, passHash(2)); got[0] != entry.UseAnnulled {
		t.Errorf("an annulled use became %v", got)
	}
	events, err := l.Events(5, 10)
	if err != nil {
		t.Fatal(err)
	}
	want := entry.Event{Seq: 5, At: morning, Kind: entry.EventPassage, Lane: "in-1", Passage: entry.PassageUnknown, Of: 1}
	if len(events) != 1 || !reflect.DeepEqual(events[0], want) {
		t.Errorf("recorded %+v, want %+v", events, want)
	}
	l.Close()
	if l = openLedger(t, path); l.Recovered() != 0 {
		t.Errorf("the second start recovered %d again", l.Recovered())
	}
}

func TestEventsPages(t *testing.T) {
	l := openLedger(t, ledgerPath(t))
	for range 5 {
		if err := l.Record(t.Context(), &entry.Event{Kind: entry.EventIncident}); err != nil {
			t.Fatal(err)
		}
	}
	events, err := l.Events(2, 3)
	if err != nil || len(events) != 3 || events[0].Seq != 2 || events[2].Seq != 4 || !events[0].At.IsZero() {
		t.Errorf("got %+v, %v", events, err)
	}
}

// stall makes the writer wait inside a transaction until the returned function is called, at the latest by the end of
// the test.
func stall(t *testing.T, l *Ledger) (release func()) {
	t.Helper()
	entered, leave := make(chan struct{}), make(chan struct{})
	var stalled sync.WaitGroup
	stalled.Go(func() {
		l.submit(context.Background(), &job{do: func(*bbolt.Tx, bool) error {
			close(entered)
			<-leave
			return nil
		}})
	})
	<-entered
	release = sync.OnceFunc(func() { close(leave); stalled.Wait() })
	t.Cleanup(release)
	return release
}

// leaveQueued calls write with a context that ends once the write waits behind a stalled one, and returns its error.
func leaveQueued(t *testing.T, l *Ledger, write func(ctx context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- write(ctx) }()
	for len(l.jobs) == 0 && ctx.Err() == nil {
		runtime.Gosched()
	}
	cancel()
	return <-answer
}

func TestCloseWritesWhatWaits(t *testing.T) {
	path := ledgerPath(t)
	l := openLedger(t, path)
	release := stall(t, l)
	err := leaveQueued(t, l, func(ctx context.Context) error { return l.Record(ctx, admission("in-1")) })
	if !errors.Is(err, entry.ErrLate) {
		t.Fatal(err)
	}
	var closing sync.WaitGroup
	closing.Go(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	release()
	closing.Wait()
	if err := l.Record(t.Context(), admission("in-1")); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := l.Uses(passHash(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if events, err := openLedger(t, path).Events(1, 10); err != nil || len(events) != 1 {
		t.Errorf("%d events, %v; want the one that waited", len(events), err)
	}
}

// ending is the event with which the reservation of another ends.
func ending(of uint64, p entry.Passage) *entry.Event {
	return &entry.Event{At: morning, Kind: entry.EventPassage, Lane: "in-1", Passage: p, Of: of}
}
