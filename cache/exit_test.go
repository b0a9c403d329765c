// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/entry"
)

// leaves records an exit with some passes.
func leaves(t *testing.T, l *Ledger, passes ...entry.PassHash) {
	t.Helper()
	ev := admission("out-1")
	ev.Reason, ev.Passage = entry.ReasonExit, entry.Passed
	if err := l.Settle(t.Context(), ev, passes...); err != nil {
		t.Fatal(err)
	}
	if ev.Seq == 0 {
		t.Error("the exit has no number")
	}
}

func TestExitGivesTheNewestUseBackOnce(t *testing.T) {
	path := ledgerPath(t)
	l := openLedger(t, path)
	take := func() error {
		return l.Reserve(t.Context(), admission("in-1"), entry.Use{Pass: passHash(1), Limit: 2, Final: true})
	}
	for range 2 {
		if err := take(); err != nil {
			t.Fatal(err)
		}
	}
	leaves(t, l, passHash(1), passHash(2)) // of the second nothing is known
	want := []entry.UseState{entry.UseCommitted, entry.UseReturned}
	if got := states(t, l, passHash(1)); !slices.Equal(got, want) {
		t.Errorf("after one exit %v, want %v", got, want)
	}
	if got := states(t, l, passHash(2)); len(got) != 0 {
		t.Errorf("a pass that was never in has uses: %v", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLedger(t, path)
	if got := states(t, l, passHash(1)); !slices.Equal(got, want) {
		t.Errorf("after a restart %v, want %v", got, want)
	}
	if err := take(); err != nil {
		t.Fatal(err)
	}
	if err := take(); !errors.Is(err, entry.ErrUsed) {
		t.Errorf("a third guest: %v", err)
	}
	for range 3 {
		leaves(t, l, passHash(1))
	}
	if got := states(t, l, passHash(1)); !slices.Equal(got, []entry.UseState{entry.UseReturned}) {
		t.Errorf("when all have left: %v", got)
	}
	if chain, err := l.CheckChain(t.Context()); err != nil || chain.Last != 7 {
		t.Errorf("chain %+v, %v", chain, err)
	}
}

// What is kept of a pass does not grow with its visits.
func TestVisitsDoNotPileUp(t *testing.T) {
	l := openLedger(t, ledgerPath(t))
	for range 50 {
		if err := l.Reserve(t.Context(), admission("in-1"), entry.Use{Pass: passHash(1), Limit: 1, Final: true}); err != nil {
			t.Fatal(err)
		}
		leaves(t, l, passHash(1))
	}
	if got := states(t, l, passHash(1)); len(got) != 1 {
		t.Errorf("50 visits are kept as %v", got)
	}
}

// A use that can still change is not an exit's to give back; one whose end nobody saw is.
func TestExitOfOpenReservations(t *testing.T) {
	path := ledgerPath(t)
	l := openLedger(t, path)
	if err := l.Reserve(t.Context(), admission("in-1"), both(false)...); err != nil {
		t.Fatal(err)
	}
	leaves(t, l, passHash(1), passHash(2))
	wantStates(t, l, "at the gate,", entry.UseReserved)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLedger(t, path)
	leaves(t, l, passHash(1))
	if one, two := states(t, l, passHash(1)), states(t, l, passHash(2)); one[0] != entry.UseReturned || two[0] != entry.UseUncertain {
		t.Errorf("the pass that was shown is %v, the other %v", one, two)
	}
}

// leaves has somebody leave with a pass: of the uses that stand and cannot change any more the newest is given back.
func (m *ledgerModel) leaves(rt *rapid.T) {
	pass := passHash(rapid.Uint64Range(0, 5).Draw(rt, "pass"))
	ev := &entry.Event{At: m.now, Clock: entry.ClockSynced, Kind: entry.EventDecision, Lane: "out-1", Passage: entry.Passed}
	if err := m.ledger.Settle(m.tb.Context(), ev, pass); err != nil {
		rt.Fatal(err)
	}
	m.appended(modelEvent{at: m.now})
	back := -1
	for i, u := range m.uses[pass] {
		if u.State == entry.UseCommitted || u.State == entry.UseUncertain {
			back = i
		}
	}
	if back < 0 {
		return
	}
	seq := m.uses[pass][back].Seq
	m.uses[pass] = slices.DeleteFunc(m.uses[pass], func(u entry.PastUse) bool { return u.State == entry.UseReturned })
	m.find(pass, seq).State = entry.UseReturned
}
