// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"errors"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"gatehouse/entry"
)

// aged makes a ledger with n events, one a minute from morning on, by a clock that was kept right.
func aged(t *testing.T, n int) (*Ledger, string) {
	t.Helper()
	path := ledgerPath(t)
	l, err := OpenLedger(path, LedgerOptions{At: morning, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for i := range n {
		recordAt(t, l, minute(i), entry.ClockSynced)
	}
	return l, path
}

func minute(n int) time.Time { return morning.Add(time.Duration(n) * time.Minute) }

func recordAt(t *testing.T, l *Ledger, at time.Time, clock entry.ClockState) {
	t.Helper()
	if err := l.Record(t.Context(), &entry.Event{At: at, Clock: clock, Kind: entry.EventIncident}); err != nil {
		t.Fatal(err)
	}
}

func prune(t *testing.T, l *Ledger, r Retention) Pruned {
	t.Helper()
	p, err := l.Prune(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// keeps checks that exactly the events from first to last are kept, and that the chain holds from there.
func keeps(t *testing.T, l *Ledger, first, last uint64) {
	t.Helper()
	if chain, err := l.CheckChain(t.Context()); err != nil || chain.First != first || chain.Last != last {
		t.Errorf("chain %+v, %v; want %d to %d", chain, err, first, last)
	}
	if events := allEvents(t, l); len(events) != int(last-first+1) || events[0].Seq != first {
		t.Errorf("%d events from %d, want %d from %d", len(events), events[0].Seq, last-first+1, first)
	}
}

func TestPruneByAgeKeepsTheChainAndTheNumbers(t *testing.T) {
	l, path := aged(t, 20)
	before, err := l.CheckChain(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p := prune(t, l, Retention{Before: minute(7), From: 20}); p.Events != 7 {
		t.Errorf("%+v", p)
	}
	keeps(t, l, 8, 20)
	if p := prune(t, l, Retention{Before: minute(7), From: 20}); p.Events != 0 {
		t.Errorf("again: %+v", p)
	}
	if after, err := l.CheckChain(t.Context()); err != nil || after.Link != before.Link {
		t.Errorf("the last link changed: %+v, %v", after, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLedger(t, path)
	keeps(t, l, 8, 20)
	recordAt(t, l, minute(20), entry.ClockSynced)
	keeps(t, l, 8, 21)
}

func TestPruneKeepsTheLastEventAndWhatTheFloorKnows(t *testing.T) {
	l, _ := aged(t, 20)
	if p := prune(t, l, Retention{Before: minute(1000)}); p.Events != 0 {
		t.Errorf("without a first event to keep: %+v", p)
	}
	seventh := Kept{ID: l.ID(), Last: 7}
	l.file.view(func(tx *bbolt.Tx) (err error) {
		seventh.Link, _, err = splitEvent(eventKey(7), tx.Bucket(eventBucket).Get(eventKey(7)))
		return err
	})
	prune(t, l, Retention{Before: minute(1000), From: 8})
	keeps(t, l, 8, 20)
	if err := l.Holds(seventh); err != nil {
		t.Errorf("the event before the first that is kept: %v", err)
	}
	if err := l.Holds(Kept{ID: l.ID(), Last: 7}); !errors.Is(err, ErrChain) {
		t.Errorf("another link there: %v", err)
	}
	prune(t, l, Retention{Before: minute(1000), From: 1000})
	keeps(t, l, 20, 20)
}

func TestPruneBySize(t *testing.T) {
	l, _ := aged(t, 1000)
	var size uint64
	l.file.view(func(tx *bbolt.Tx) error { t, err := readTail(tx); size = t.bytes; return err })
	if p := prune(t, l, Retention{Bytes: size, From: 1000}); p.Events != 0 {
		t.Errorf("at the size: %+v", p)
	}
	if p := prune(t, l, Retention{Bytes: size / 4, From: 1000}); p.Events < 740 || p.Events > 760 {
		t.Errorf("%+v", p)
	}
	l.file.view(func(tx *bbolt.Tx) error {
		now, err := readTail(tx)
		left := now.bytes
		tx.Bucket(eventBucket).ForEach(func(key, sealed []byte) error { left -= kept(key, sealed); return nil })
		if err != nil || now.bytes > size/4 || left != 0 {
			t.Errorf("%d bytes are counted, %d of them are not there, %v", now.bytes, int64(left), err)
		}
		return nil
	})
}

// A clock that was wrong says nothing about the age of an event. It goes with the next that is old for certain.
func TestPruneDoesNotGoByAWrongClock(t *testing.T) {
	l, _ := aged(t, 0)
	for range 5 {
		recordAt(t, l, time.Unix(0, 0), entry.ClockBehind)
	}
	r := Retention{Before: minute(3), From: 100}
	if p := prune(t, l, r); p.Events != 0 {
		t.Errorf("events of 1970 went: %+v", p)
	}
	recordAt(t, l, minute(1), entry.ClockSynced)
	recordAt(t, l, minute(2), entry.ClockNeverSynced)
	recordAt(t, l, minute(3), entry.ClockSynced)
	if p := prune(t, l, r); p.Events != 6 {
		t.Errorf("%+v", p)
	}
	keeps(t, l, 7, 8)
}

// A thousand and more events that nothing is known of do not hide the one behind them that is old.
func TestPruneLooksOnWhereItLeftOff(t *testing.T) {
	l, _ := aged(t, 0)
	for range chunk + 10 {
		recordAt(t, l, time.Unix(0, 0), entry.ClockNeverSynced)
	}
	recordAt(t, l, minute(0), entry.ClockSynced)
	recordAt(t, l, minute(1), entry.ClockSynced)
	r := Retention{Before: minute(1), From: 1 << 40}
	if p := prune(t, l, r); p.Events != 0 {
		t.Errorf("at first: %+v", p)
	}
	if p := prune(t, l, r); p.Events != chunk+11 {
		t.Errorf("then: %+v", p)
	}
}

func TestPruneStopsAtAnOpenReservation(t *testing.T) {
	l, _ := aged(t, 3)
	open := reserve(t, l, passHash(1), 1) // 4
	annulled := reserve(t, l, passHash(2), 1)
	if err := l.Settle(t.Context(), ending(annulled, entry.NotPassed)); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		recordAt(t, l, minute(10+i), entry.ClockSynced)
	}
	all := Retention{Before: minute(1000), From: 10}
	prune(t, l, all)
	keeps(t, l, 4, 11)
	if err := l.Settle(t.Context(), ending(open, entry.Passed)); err != nil {
		t.Fatal(err)
	}
	prune(t, l, all)
	keeps(t, l, 10, 12)
	if got := states(t, l, passHash(1)); !slices.Equal(got, []entry.UseState{entry.UseCommitted}) {
		t.Errorf("the use went with its event: %v", got)
	}
	if err := l.Settle(t.Context(), ending(annulled, entry.Passed)); !errors.Is(err, ErrNoReservation) {
		t.Errorf("a passage after the event was pruned: %v", err)
	}
}

// Evidence is not pruned away.
func TestPruneStopsAtABrokenChain(t *testing.T) {
	l, _ := aged(t, 9)
	err := l.file.update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(eventBucket)
		value, err := unseal(eventKey(5), b.Get(eventKey(5)))
		if err != nil {
			return err
		}
		value = slices.Clone(value)
		value[len(value)-1] ^= 1
		return b.Put(eventKey(5), seal(eventKey(5), value))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Prune(t.Context(), Retention{Bytes: 1, From: 9}); !errors.Is(err, ErrChain) {
		t.Errorf("got %v", err)
	}
	if events := allEvents(t, l); len(events) != 9 {
		t.Errorf("%d events are left", len(events))
	}
}

func TestPruneUses(t *testing.T) {
	l, path := aged(t, 0)
	take := func(n uint64, expires time.Time, final bool) uint64 {
		ev := admission("in-1")
		if err := l.Reserve(t.Context(), ev, entry.Use{Pass: passHash(n), Limit: 2, Expires: expires, Final: final}); err != nil {
			t.Fatal(err)
		}
		return ev.Seq
	}
	half := minute(10).Truncate(time.Second).Add(time.Second / 2)
	take(1, minute(1), true)
	take(2, time.Time{}, true) // a pass that never expires
	take(3, minute(20), true)
	take(4, half, true)
	open := take(5, minute(1), false)
	annulled := take(6, minute(1), false)
	take(7, minute(1), true)
	take(7, minute(30), true) // issued again, for longer
	if err := l.Settle(t.Context(), ending(annulled, entry.NotPassed)); err != nil {
		t.Fatal(err)
	}
	known := func() (n []uint64) {
		for i := range uint64(9) {
			if len(states(t, l, passHash(i))) > 0 {
				n = append(n, i)
			}
		}
		return n
	}
	for _, c := range []struct {
		at   time.Time
		want []uint64
	}{
		{time.Time{}, []uint64{1, 2, 3, 4, 5, 6, 7}},
		{minute(0), []uint64{1, 2, 3, 4, 5, 6, 7}},
		{half, []uint64{2, 3, 4, 5, 7}}, // a pass that expires within this second can still verify
		{half.Add(time.Second), []uint64{2, 3, 5, 7}},
		{minute(1000), []uint64{2, 5}},
	} {
		for range 2 { // wherever the looking began, the second goes around
			prune(t, l, Retention{Expired: c.at})
		}
		if got := known(); !slices.Equal(got, c.want) {
			t.Errorf("%v: uses of %v are kept, want %v", c.at, got, c.want)
		}
	}
	if err := l.Settle(t.Context(), ending(annulled, entry.Passed)); !errors.Is(err, ErrNoReservation) {
		t.Errorf("a late passage of a pass that is forgotten: %v", err)
	}
	if err := l.Settle(t.Context(), ending(open, entry.Passed)); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l := openLedger(t, path); l.Recovered() != 0 {
		t.Errorf("%d reservations were left open", l.Recovered())
	}
}

// Where the records of many passes lie does not matter: all that expired go within a few calls.
func TestPruneUsesOverManyChunks(t *testing.T) {
	l, err := OpenLedger(ledgerPath(t), LedgerOptions{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const passes = 3 * chunk
	err = l.file.update(func(tx *bbolt.Tx) error {
		for n := range uint64(passes) {
			r := &useRecord{Expires: minute(int(n % 2)).Unix(), Uses: []useEntry{{Seq: n + 1, State: stateCommitted}}}
			if err := writeUses(tx, passHash(n), r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	gone := 0
	for range 2 * passes / batch {
		p := prune(t, l, Retention{Expired: minute(1)})
		if gone += p.Uses; p.Uses > batch {
			t.Errorf("%d in one transaction", p.Uses)
		}
	}
	left := 0
	l.file.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(useBucket).ForEach(func(_, _ []byte) error { left++; return nil })
	})
	if gone != passes/2 || left != passes/2 {
		t.Errorf("%d are gone and %d left of %d", gone, left, passes)
	}
}

// A ledger whose oldest events were taken out by another hand is damaged.
func TestOldestEventMissing(t *testing.T) {
	l, path := aged(t, 5)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	tamper(t, path, func(tx *bbolt.Tx) error {
		return errors.Join(tx.Bucket(eventBucket).Delete(eventKey(1)), tx.Bucket(eventBucket).Delete(eventKey(2)))
	})
	refused(t, path, ErrDamaged)
}
