// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/entry"
)

// TestLedgerAgainstAModel does what happens to a ledger to a few passes: scans, passages, callers who leave a disk that
// stalls, pruning, stops, and crashes between any two writes. Every answer is compared with a map.
func TestLedgerAgainstAModel(t *testing.T) {
	t.Parallel() // it waits for the disk
	rapid.Check(t, func(rt *rapid.T) {
		m := &ledgerModel{tb: t, path: ledgerPath(t), now: morning, uses: map[entry.PassHash][]entry.PastUse{},
			expires: map[entry.PassHash]int64{}, open: map[uint64]entry.PassHash{}, first: 1}
		m.start(rt)
		defer func() { m.ledger.Close() }()
		rt.Repeat(map[string]func(*rapid.T){
			"reserve":       m.reserve,
			"leave reserve": m.leaveReserve,
			"leave queued":  m.leaveQueued,
			"leave record":  m.leaveRecord,
			"settle":        m.settle,
			"record":        m.record,
			"prune":         m.prune,
			"leaves":        m.leaves,
			"time passes": func(rt *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(1, 3).Draw(rt, "minutes")) * time.Minute)
			},
			"reopen": func(rt *rapid.T) {
				m.stop(rt)
				m.start(rt)
			},
			"crash": func(rt *rapid.T) { m.crash(rt, m.snapshot()) },
			"":      m.check,
		})
	})
}

type ledgerModel struct {
	tb      testing.TB
	path    string
	ledger  *Ledger
	now     time.Time
	uses    map[entry.PassHash][]entry.PastUse
	expires map[entry.PassHash]int64
	open    map[uint64]entry.PassHash
	events  []modelEvent // from 1 on, those that were pruned too
	first   uint64       // that is kept
}

type modelEvent struct {
	at   time.Time // zero: by a clock that was not kept right
	late bool
}

func (m *ledgerModel) last() uint64 { return uint64(len(m.events)) }

// appended notes the next event and returns its number.
func (m *ledgerModel) appended(ev modelEvent) uint64 {
	m.events = append(m.events, ev)
	return m.last()
}

func (m *ledgerModel) start(rt *rapid.T) {
	l, err := OpenLedger(m.path, LedgerOptions{At: m.now, NoSync: true})
	if err != nil {
		rt.Fatal(err)
	}
	m.ledger = l
	for seq, pass := range m.open {
		if u := m.find(pass, seq); u.State == entry.UseReserved {
			u.State = entry.UseUncertain
			m.appended(modelEvent{})
		}
		delete(m.open, seq)
	}
}

func (m *ledgerModel) stop(rt *rapid.T) {
	if err := m.ledger.Close(); err != nil {
		rt.Fatal(err)
	}
}

// snapshot is the file as a crash now would leave it.
func (m *ledgerModel) snapshot() []byte {
	content, err := os.ReadFile(m.path)
	if err != nil {
		m.tb.Fatal(err)
	}
	return content
}

// crash goes on with what the file was at a moment.
func (m *ledgerModel) crash(rt *rapid.T, content []byte) {
	m.stop(rt)
	if err := os.WriteFile(m.path, content, 0o600); err != nil {
		rt.Fatal(err)
	}
	m.start(rt)
}

func (m *ledgerModel) find(pass entry.PassHash, seq uint64) *entry.PastUse {
	for i := range m.uses[pass] {
		if m.uses[pass][i].Seq == seq {
			return &m.uses[pass][i]
		}
	}
	m.tb.Fatalf("the model lost use %d", seq)
	return nil
}

// drawn is a use that somebody asks for, and its event.
func (m *ledgerModel) drawn(rt *rapid.T) (entry.Use, *entry.Event) {
	use := entry.Use{
		Pass: passHash(rapid.Uint64Range(1, 5).Draw(rt, "pass")), Limit: rapid.UintRange(0, 3).Draw(rt, "limit"),
		Final: rapid.Bool().Draw(rt, "final"),
	}
	if lasts := rapid.IntRange(0, 5).Draw(rt, "lasts"); lasts > 0 {
		use.Expires = m.now.Add(time.Duration(lasts) * time.Minute)
	}
	ev := admission(rapid.SampledFrom([]string{"in-1", "in-2"}).Draw(rt, "lane"))
	ev.At, ev.Clock = m.now, entry.ClockSynced
	return use, ev
}

// full tells whether a use is refused.
func (m *ledgerModel) full(use entry.Use) bool {
	var standing uint
	for _, u := range m.uses[use.Pass] {
		if u.State.Stands() {
			standing++
		}
	}
	return use.Limit > 0 && standing >= use.Limit
}

// took notes an admission that became durable.
func (m *ledgerModel) took(use entry.Use, ev *entry.Event) (seq uint64) {
	seq = m.appended(modelEvent{at: m.now})
	if use.Limit == 0 {
		return seq
	}
	u := entry.PastUse{Seq: seq, At: m.now, Lane: ev.Lane, State: entry.UseCommitted}
	if !use.Final {
		u.State = entry.UseReserved
		m.open[seq] = use.Pass
	}
	m.uses[use.Pass] = append(m.uses[use.Pass], u)
	expires := int64(never)
	if !use.Expires.IsZero() {
		expires = use.Expires.Unix()
	}
	m.expires[use.Pass] = max(m.expires[use.Pass], expires)
	return seq
}

func (m *ledgerModel) reserve(rt *rapid.T) {
	use, ev := m.drawn(rt)
	err := m.ledger.Reserve(m.tb.Context(), ev, use)
	if m.full(use) {
		if !errors.Is(err, entry.ErrUsed) {
			rt.Fatalf("all of %d taken, and the answer was %v", use.Limit, err)
		}
		return
	}
	if seq := m.took(use, ev); err != nil || ev.Seq != seq {
		rt.Fatalf("event %d, %v; want event %d", ev.Seq, err, seq)
	}
}

// stalled has the ledger stall within a write whose caller then leaves, and within what amends it: there the file is as a
// crash between the two would leave it, which is returned.
func (m *ledgerModel) stalled(rt *rapid.T, write func(context.Context) error) (between []byte, err error) {
	ctx, leave := context.WithCancel(m.tb.Context())
	defer leave()
	gone, calls := make(chan struct{}), 0
	m.ledger.stall = func() { // by the writer alone
		if calls++; calls == 1 {
			leave()
			<-gone
			return
		}
		if calls == 2 {
			between = m.snapshot()
		}
	}
	err = write(ctx)
	close(gone)
	m.settled(rt)
	m.ledger.stall = nil
	return between, err
}

// settled waits until everything is written.
func (m *ledgerModel) settled(rt *rapid.T) {
	m.record(rt)
}

// leaveReserve leaves a reservation under way: it is taken back when it is durable, and stands only if the power goes in
// between. Nobody was let in either way.
func (m *ledgerModel) leaveReserve(rt *rapid.T) {
	use, ev := m.drawn(rt)
	full, crash := m.full(use), rapid.Bool().Draw(rt, "crash between")
	events := slices.Clone(m.events)
	var seq uint64
	if !full {
		seq = m.took(use, ev)
		m.appended(modelEvent{at: m.now, late: true})
	}
	between, err := m.stalled(rt, func(ctx context.Context) error { return m.ledger.Reserve(ctx, ev, use) })
	if !errors.Is(err, ErrOutcomeUnknown) {
		rt.Fatalf("left under way: %v", err)
	}
	switch {
	case full:
	case crash:
		m.events = append(events, modelEvent{at: m.now})
		m.crash(rt, between)
	case use.Limit > 0:
		m.uses[use.Pass] = slices.DeleteFunc(m.uses[use.Pass], func(u entry.PastUse) bool { return u.Seq == seq })
		if len(m.uses[use.Pass]) == 0 {
			delete(m.uses, use.Pass)
			delete(m.expires, use.Pass)
		}
		delete(m.open, seq)
	}
}

// leaveQueued leaves a reservation before its turn: it is never made. The event that was under way meanwhile is.
func (m *ledgerModel) leaveQueued(rt *rapid.T) {
	use, ev := m.drawn(rt)
	entered, release := make(chan struct{}), make(chan struct{})
	calls := 0
	m.ledger.stall = func() {
		if calls++; calls == 1 {
			close(entered)
			<-release
		}
	}
	under := make(chan error, 1)
	go func() {
		under <- m.ledger.Record(m.tb.Context(), &entry.Event{At: m.now, Clock: entry.ClockSynced, Kind: entry.EventIncident})
	}()
	<-entered
	ctx, leave := context.WithTimeout(m.tb.Context(), time.Millisecond)
	defer leave()
	err := m.ledger.Reserve(ctx, ev, use)
	held := m.ledger.Record(ctx, &entry.Event{At: m.now, Clock: entry.ClockSynced, Kind: entry.EventIncident})
	close(release)
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrOutcomeUnknown) || !errors.Is(held, entry.ErrLate) {
		rt.Fatalf("left before its turn: %v, %v", err, held)
	}
	if err := <-under; err != nil {
		rt.Fatal(err)
	}
	m.appended(modelEvent{at: m.now})
	m.appended(modelEvent{at: m.now, late: true})
	m.settled(rt)
	m.ledger.stall = nil
}

// leaveRecord leaves an event under way: it is kept, and one that says late follows.
func (m *ledgerModel) leaveRecord(rt *rapid.T) {
	m.appended(modelEvent{at: m.now})
	m.appended(modelEvent{at: m.now, late: true})
	_, err := m.stalled(rt, func(ctx context.Context) error {
		return m.ledger.Record(ctx, &entry.Event{At: m.now, Clock: entry.ClockSynced, Kind: entry.EventIncident})
	})
	if !errors.Is(err, entry.ErrLate) {
		rt.Fatal(err)
	}
}

func (m *ledgerModel) settle(rt *rapid.T) {
	seq := rapid.Uint64Range(1, m.last()+1).Draw(rt, "seq")
	p := rapid.SampledFrom([]entry.Passage{entry.Passed, entry.NotPassed, entry.PassageUnknown, entry.Fault}).Draw(rt, "passage")
	err := m.ledger.Settle(m.tb.Context(), ending(seq, p))
	pass, open := m.open[seq]
	if !open {
		if !errors.Is(err, ErrNoReservation) {
			rt.Fatalf("settle %d: %v", seq, err)
		}
		return
	}
	if err != nil {
		rt.Fatalf("settle %d: %v", seq, err)
	}
	m.appended(modelEvent{}) // its time is that of a clock that was not kept right
	if p == entry.NotPassed {
		m.find(pass, seq).State = entry.UseAnnulled
		return
	}
	m.find(pass, seq).State = entry.UseCommitted
	delete(m.open, seq)
}

func (m *ledgerModel) record(rt *rapid.T) {
	ev := &entry.Event{At: m.now, Clock: entry.ClockSynced, Kind: entry.EventIncident}
	if err := m.ledger.Record(m.tb.Context(), ev); err != nil {
		rt.Fatal(err)
	}
	if seq := m.appended(modelEvent{at: m.now}); ev.Seq != seq {
		rt.Fatalf("event %d, want %d", ev.Seq, seq)
	}
}

// prune forgets by age all that is 4 minutes old, and by the clock the uses of what expired. In the model as in the
// ledger an event stays that is reserved, and so does a pass that can still verify.
func (m *ledgerModel) prune(rt *rapid.T) {
	if m.last() == 0 {
		return
	}
	r := Retention{Before: m.now.Add(-4 * time.Minute), From: m.last(), Expired: m.now}
	for range 2 { // wherever the looking began, the second goes around
		if _, err := m.ledger.Prune(m.tb.Context(), r); err != nil {
			rt.Fatal(err)
		}
	}
	var to uint64
	for seq := m.first; seq <= m.last(); seq++ {
		if at := m.events[seq-1].at; !at.IsZero() && at.Before(r.Before) {
			to = seq
		}
	}
	to = min(to, m.last()-1) // the newest stays, though it may tell of the age of those before it
	for seq, pass := range m.open {
		if m.find(pass, seq).State == entry.UseReserved {
			to = min(to, seq-1)
		}
	}
	m.first = max(m.first, to+1)
	for seq := range m.open {
		if seq < m.first {
			delete(m.open, seq)
		}
	}
	for pass, uses := range m.uses {
		reserved := slices.ContainsFunc(uses, func(u entry.PastUse) bool { return u.State == entry.UseReserved })
		if reserved || m.expires[pass] >= m.now.Unix() {
			continue
		}
		for _, u := range uses {
			delete(m.open, u.Seq)
		}
		delete(m.uses, pass)
		delete(m.expires, pass)
	}
}

func (m *ledgerModel) check(rt *rapid.T) {
	for n := range uint64(6) {
		past, err := m.ledger.Uses(passHash(n))
		if want := m.uses[passHash(n)]; err != nil || !slices.Equal(past, want) {
			rt.Fatalf("pass %d: %v, %v; want %v", n, past, err, want)
		}
	}
	chain, err := m.ledger.CheckChain(m.tb.Context())
	if err != nil || chain.First != m.first || chain.Last != m.last() {
		rt.Fatalf("chain %+v, %v; want %d to %d", chain, err, m.first, m.last())
	}
	events, err := m.ledger.Events(1, len(m.events)+1)
	if err != nil || uint64(len(events)) != m.last()+1-m.first {
		rt.Fatalf("%d events, %v; want %d to %d", len(events), err, m.first, m.last())
	}
	for i, ev := range events {
		want := m.events[m.first-1+uint64(i)]
		if ev.Seq != m.first+uint64(i) || ev.Late != want.late || !want.at.IsZero() && !ev.At.Equal(want.at) {
			rt.Fatalf("event %d stands at place %d: %+v, want %+v", ev.Seq, i, ev, want)
		}
	}
}
