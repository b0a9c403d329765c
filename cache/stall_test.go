// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"gatehouse/entry"
)

// slowDisk stalls the next write within its transaction. entered is closed when it stands, and release lets it go on.
type slowDisk struct {
	entered chan struct{}
	release func()
}

// stallNext makes a ledger's next write stall until it is released, at the latest by the end of the test. It is to be
// called before that write is asked for.
func stallNext(t *testing.T, l *Ledger) *slowDisk {
	t.Helper()
	leave := make(chan struct{})
	d := &slowDisk{make(chan struct{}), sync.OnceFunc(func() { close(leave) })}
	t.Cleanup(d.release)
	l.stall = sync.OnceFunc(func() {
		close(d.entered)
		<-leave
	})
	return d
}

// leaveUnderWay calls write with a context that ends while the disk stalls in it, and returns its error.
func (d *slowDisk) leaveUnderWay(t *testing.T, write func(ctx context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- write(ctx) }()
	select {
	case <-d.entered:
	case <-ctx.Done():
		t.Fatal("the write never began")
	}
	cancel()
	return <-answer
}

// events returns all events of a ledger.
func allEvents(t *testing.T, l *Ledger) []entry.Event {
	t.Helper()
	events, err := l.Events(1, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// drained waits until everything that was asked for before is written.
func drained(t *testing.T, l *Ledger) {
	t.Helper()
	if err := l.Record(t.Context(), &entry.Event{At: morning, Kind: entry.EventStart}); err != nil {
		t.Fatal(err)
	}
}

// A guest who was refused because the disk stalled keeps the use of the pass: what becomes durable late is taken back.
func TestAReservationWhoseCallerLeftUnderWayIsTakenBack(t *testing.T) {
	for name, final := range map[string]bool{"with a sensor": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			path := ledgerPath(t)
			l := openLedger(t, path)
			d := stallNext(t, l)
			use, ev := entry.Use{Pass: passHash(1), Limit: 1, Final: final}, admission("in-1")
			err := d.leaveUnderWay(t, func(ctx context.Context) error { return l.Reserve(ctx, ev, use) })
			if !errors.Is(err, context.Canceled) || !errors.Is(err, ErrOutcomeUnknown) {
				t.Errorf("got %v", err)
			}
			d.release()
			drained(t, l)
			if got := states(t, l, passHash(1)); len(got) != 0 {
				t.Errorf("the use is %v, want none: an annulled one counts towards a referral of the guest", got)
			}
			events := allEvents(t, l)
			want := entry.Event{Seq: 2, At: morning, Kind: entry.EventPassage, Lane: "in-1", Passage: entry.NotPassed, Of: 1, Late: true}
			if len(events) != 3 || !events[1].Late || events[1].Of != want.Of || events[1].Passage != want.Passage || events[1].Lane != want.Lane {
				t.Errorf("recorded %+v, want %+v second", events, want)
			}
			if ev.Seq != 0 {
				t.Error("the event of a caller who left was touched")
			}
			if err := l.Reserve(t.Context(), ev, use); err != nil {
				t.Errorf("the guest who shows the pass again: %v", err)
			}
			l.Close()
			if l = openLedger(t, path); l.Recovered() != map[bool]int{true: 0, false: 1}[final] {
				t.Errorf("%d reservations were open at the next start", l.Recovered())
			}
		})
	}
}

func TestAReservationWhoseCallerLeftBeforeItsTurnIsNeverMade(t *testing.T) {
	l := openLedger(t, ledgerPath(t))
	release := stall(t, l)
	for _, use := range []entry.Use{{Pass: passHash(1), Limit: 1}, {}} {
		err := leaveQueued(t, l, func(ctx context.Context) error { return l.Reserve(ctx, admission("in-1"), use) })
		if !errors.Is(err, context.Canceled) || errors.Is(err, ErrOutcomeUnknown) || errors.Is(err, entry.ErrLate) {
			t.Errorf("got %v", err)
		}
	}
	release()
	drained(t, l)
	if got, events := states(t, l, passHash(1)), allEvents(t, l); len(got) != 0 || len(events) != 1 {
		t.Errorf("uses %v, events %+v", got, events)
	}
}

func TestAnEventIsHeldForACallerWhoLeft(t *testing.T) {
	l := openLedger(t, ledgerPath(t))
	d := stallNext(t, l)
	record := func(note string) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			return l.Record(ctx, &entry.Event{At: morning, Kind: entry.EventDecision, Lane: "in-1", Note: note})
		}
	}
	if err := d.leaveUnderWay(t, record("under way")); !errors.Is(err, entry.ErrLate) || !errors.Is(err, context.Canceled) {
		t.Errorf("under way: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := record("held")(ended); !errors.Is(err, entry.ErrLate) {
		t.Errorf("held: %v", err)
	}
	d.release()
	drained(t, l)
	events := allEvents(t, l)
	if len(events) != 4 {
		t.Fatalf("recorded %+v", events)
	}
	if events[0].Note != "under way" || events[0].Late || !events[1].Late || events[1].Of != 1 || events[1].Kind != entry.EventIncident {
		t.Errorf("under way: %+v", events[:2])
	}
	if events[2].Note != "held" || !events[2].Late || events[3].Late {
		t.Errorf("held: %+v", events[2:])
	}
}

// What is held in memory has a bound, beyond which a caller is told that nothing is recorded.
func TestHeldEventsAreBounded(t *testing.T) {
	l := openLedger(t, ledgerPath(t))
	release := stall(t, l)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	held := 0
	for ; held <= queued; held++ {
		if err := l.Record(ended, admission("in-1")); !errors.Is(err, entry.ErrLate) {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			break
		}
	}
	if n := l.Pending(); n != held+1 {
		t.Errorf("%d writes are said to be pending, want %d", n, held+1)
	}
	release()
	drained(t, l)
	for l.Pending() != 0 { // at once, or the test times out
		runtime.Gosched()
	}
	if events := allEvents(t, l); held != queued || len(events) != held+1 {
		t.Errorf("%d were held and %d written, want %d", held, len(events)-1, queued)
	}
}

func TestAReservationIsNotBegunForAContextThatEnded(t *testing.T) {
	l := openLedger(t, ledgerPath(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := l.Reserve(ctx, admission("in-1"), entry.Use{Pass: passHash(1), Limit: 1})
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("got %v", err)
	}
	if drained(t, l); l.Commits() != 1 {
		t.Errorf("%d commits, want 1", l.Commits())
	}
}

// A settlement is done although its lane went on, and one that becomes durable late still finds its reservation.
func TestASettlementIsHeldForACallerWhoLeft(t *testing.T) {
	l := openLedger(t, ledgerPath(t))
	seq := reserve(t, l, passHash(1), 1)
	release := stall(t, l)
	err := leaveQueued(t, l, func(ctx context.Context) error { return l.Settle(ctx, ending(seq, entry.NotPassed)) })
	if !errors.Is(err, entry.ErrLate) {
		t.Errorf("got %v", err)
	}
	release()
	drained(t, l)
	if got := states(t, l, passHash(1)); got[0] != entry.UseAnnulled {
		t.Errorf("the use is %v", got)
	}
}
