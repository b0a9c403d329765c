// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/entry"
)

// TestLedgerAgainstAModel does what a ledger does to a few passes, closing and opening it in between, and compares every
// answer with a map.
func TestLedgerAgainstAModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &ledgerModel{tb: t, path: ledgerPath(t), uses: map[entry.PassHash][]entry.PastUse{}, open: map[uint64]entry.PassHash{}}
		m.start(rt)
		defer func() { m.ledger.Close() }()
		rt.Repeat(map[string]func(*rapid.T){
			"reserve": m.reserve,
			"settle":  m.settle,
			"record":  m.record,
			"reopen": func(rt *rapid.T) {
				m.stop(rt)
				m.start(rt)
			},
			"": m.check,
		})
	})
}

type ledgerModel struct {
	tb     testing.TB
	path   string
	ledger *Ledger
	uses   map[entry.PassHash][]entry.PastUse
	open   map[uint64]entry.PassHash
	events uint64
}

func (m *ledgerModel) start(rt *rapid.T) {
	l, err := OpenLedger(m.path, LedgerOptions{At: morning, NoSync: true})
	if err != nil {
		rt.Fatal(err)
	}
	m.ledger = l
	for seq, pass := range m.open {
		if u := m.find(pass, seq); u.State == entry.UseReserved {
			u.State = entry.UseUncertain
			m.events++
		}
		delete(m.open, seq)
	}
}

func (m *ledgerModel) stop(rt *rapid.T) {
	if err := m.ledger.Close(); err != nil {
		rt.Fatal(err)
	}
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

func (m *ledgerModel) reserve(rt *rapid.T) {
	pass := passHash(rapid.Uint64Range(1, 5).Draw(rt, "pass"))
	use := entry.Use{Pass: pass, Limit: rapid.UintRange(1, 3).Draw(rt, "limit"), Final: rapid.Bool().Draw(rt, "final")}
	ev := admission(rapid.SampledFrom([]string{"in-1", "in-2"}).Draw(rt, "lane"))
	err := m.ledger.Reserve(m.tb.Context(), use, ev)
	var standing uint
	for _, u := range m.uses[pass] {
		if u.State != entry.UseAnnulled {
			standing++
		}
	}
	if standing >= use.Limit {
		if !errors.Is(err, entry.ErrUsed) {
			rt.Fatalf("%d of %d taken, and the answer was %v", standing, use.Limit, err)
		}
		return
	}
	m.events++
	if err != nil || ev.Seq != m.events {
		rt.Fatalf("event %d, %v; want event %d", ev.Seq, err, m.events)
	}
	u := entry.PastUse{Seq: ev.Seq, At: morning, Lane: ev.Lane, State: entry.UseCommitted}
	if !use.Final {
		u.State = entry.UseReserved
		m.open[ev.Seq] = pass
	}
	m.uses[pass] = append(m.uses[pass], u)
}

func (m *ledgerModel) settle(rt *rapid.T) {
	seq := rapid.Uint64Range(1, m.events+1).Draw(rt, "seq")
	p := rapid.SampledFrom([]entry.Passage{entry.Passed, entry.NotPassed, entry.PassageUnknown, entry.Fault}).Draw(rt, "passage")
	err := m.ledger.Settle(m.tb.Context(), seq, p)
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
	if p == entry.NotPassed {
		m.find(pass, seq).State = entry.UseAnnulled
		return
	}
	m.find(pass, seq).State = entry.UseCommitted
	delete(m.open, seq)
}

func (m *ledgerModel) record(rt *rapid.T) {
	ev := &entry.Event{Kind: entry.EventIncident}
	if err := m.ledger.Record(m.tb.Context(), ev); err != nil {
		rt.Fatal(err)
	}
	if m.events++; ev.Seq != m.events {
		rt.Fatalf("event %d, want %d", ev.Seq, m.events)
	}
}

func (m *ledgerModel) check(rt *rapid.T) {
	for n := range uint64(6) {
		past, err := m.ledger.Uses(passHash(n))
		if err != nil {
			rt.Fatal(err)
		}
		want := m.uses[passHash(n)]
		if len(past) != len(want) {
			rt.Fatalf("pass %d: %v, want %v", n, past, want)
		}
		for i := range past {
			if past[i] != want[i] {
				rt.Fatalf("pass %d: %v, want %v", n, past, want)
			}
		}
	}
	events, err := m.ledger.Events(1, int(m.events)+1)
	if err != nil || uint64(len(events)) != m.events {
		rt.Fatalf("%d events, %v; want %d", len(events), err, m.events)
	}
	for i, ev := range events {
		if ev.Seq != uint64(i)+1 {
			rt.Fatalf("event %d stands at place %d", ev.Seq, i)
		}
	}
}
