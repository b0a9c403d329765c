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

	"gatehouse/entry"
)

// both asks for a use of two passes, one each.
func both(final bool) []entry.Use {
	return []entry.Use{{Pass: passHash(1), Limit: 1, Final: final}, {Pass: passHash(2), Limit: 1, Final: final}}
}

func wantStates(t *testing.T, l *Ledger, when string, want ...entry.UseState) {
	t.Helper()
	for n := range uint64(2) {
		if got := states(t, l, passHash(n+1)); !slices.Equal(got, want) {
			t.Errorf("%s pass %d is %v, want %v", when, n+1, got, want)
		}
	}
}

func TestTwoPassesAreReservedInOneTransaction(t *testing.T) {
	l := openLedger(t, ledgerPath(t))
	ev := admission("in-1")
	if err := l.Reserve(t.Context(), ev, both(false)...); err != nil {
		t.Fatal(err)
	}
	if ev.Seq != 1 || l.Commits() != 1 || len(allEvents(t, l)) != 1 {
		t.Errorf("event %d after %d commits", ev.Seq, l.Commits())
	}
	wantStates(t, l, "reserved,", entry.UseReserved)
	for _, c := range []struct {
		p    entry.Passage
		want entry.UseState
	}{{entry.NotPassed, entry.UseAnnulled}, {entry.Passed, entry.UseCommitted}} {
		if err := l.Settle(t.Context(), ending(1, c.p)); err != nil {
			t.Fatal(err)
		}
		wantStates(t, l, string(c.p), c.want)
	}
	if err := l.Settle(t.Context(), ending(1, entry.NotPassed)); !errors.Is(err, ErrNoReservation) {
		t.Errorf("settled again: %v", err)
	}
}

func TestOfTwoPassesNoneIsTakenWhereOneIsUsed(t *testing.T) {
	for used := range uint64(2) {
		l := openLedger(t, ledgerPath(t))
		reserve(t, l, passHash(used+1), 1)
		err := l.Reserve(t.Context(), admission("in-1"), both(false)...)
		var past *entry.UsedError
		if !errors.As(err, &past) || len(past.Past) != 1 {
			t.Errorf("pass %d is used: %v", used+1, err)
		}
		if got := states(t, l, passHash(2-used)); len(got) != 0 {
			t.Errorf("a use of the other pass was taken: %v", got)
		}
		if n := len(allEvents(t, l)); n != 1 {
			t.Errorf("%d events", n)
		}
	}
}

func TestUsesThatCannotBeReservedTogether(t *testing.T) {
	l := openLedger(t, ledgerPath(t))
	for name, uses := range map[string][]entry.Use{
		"one pass twice": {{Pass: passHash(1), Limit: 2}, {Pass: passHash(1), Limit: 2}},
		"no pass":        {{Pass: passHash(1), Limit: 1}, {Limit: 1}},
	} {
		if err := l.Reserve(t.Context(), admission("in-1"), uses...); !errors.Is(err, ErrUse) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Of two passes one may have no limit.
	if err := l.Reserve(t.Context(), admission("in-1"), entry.Use{Pass: passHash(1)}, entry.Use{Pass: passHash(2), Limit: 1}); err != nil {
		t.Fatal(err)
	}
	if one, two := states(t, l, passHash(1)), states(t, l, passHash(2)); len(one) != 0 || len(two) != 1 {
		t.Errorf("without a limit %v, with one %v", one, two)
	}
}

func TestTwoPassesFoundOpenAtTheStart(t *testing.T) {
	path := ledgerPath(t)
	l := openLedger(t, path)
	if err := l.Reserve(t.Context(), admission("in-1"), both(false)...); err != nil {
		t.Fatal(err)
	}
	l.Close()
	l = openLedger(t, path)
	if l.Recovered() != 1 {
		t.Errorf("%d reservations recovered", l.Recovered())
	}
	wantStates(t, l, "after the start", entry.UseUncertain)
	if events := allEvents(t, l); len(events) != 2 || events[1].Of != 1 || events[1].Passage != entry.PassageUnknown {
		t.Errorf("recorded %+v", events)
	}
}

func TestTwoPassesWhoseCallerLeftUnderWay(t *testing.T) {
	for name, final := range map[string]bool{"with a sensor": false, "without": true} {
		l := openLedger(t, ledgerPath(t))
		d := stallNext(t, l)
		err := d.leaveUnderWay(t, func(ctx context.Context) error { return l.Reserve(ctx, admission("in-1"), both(final)...) })
		if !errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("%s: %v", name, err)
		}
		d.release()
		drained(t, l)
		wantStates(t, l, name) // nobody was let in, and no gate was open
	}
}

// One pass of an annulled admission expires before the other: the ledger stays whole, and a late passage finds nothing to
// take again.
func TestOneOfTwoPassesIsPruned(t *testing.T) {
	l := openLedger(t, ledgerPath(t))
	uses := both(false)
	uses[0].Expires, uses[1].Expires = morning.Add(time.Minute), morning.Add(time.Hour)
	if err := l.Reserve(t.Context(), admission("in-1"), uses...); err != nil {
		t.Fatal(err)
	}
	prune := func() {
		t.Helper()
		for range 2 {
			if _, err := l.Prune(t.Context(), Retention{Expired: morning.Add(10 * time.Minute)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	prune()
	wantStates(t, l, "while the guest is at the gate,", entry.UseReserved)
	if err := l.Settle(t.Context(), ending(1, entry.NotPassed)); err != nil {
		t.Fatal(err)
	}
	prune()
	if one, two := states(t, l, passHash(1)), states(t, l, passHash(2)); len(one) != 0 || len(two) != 1 || two[0] != entry.UseAnnulled {
		t.Errorf("after its expiry %v, the other %v", one, two)
	}
	if err := l.Settle(t.Context(), ending(1, entry.Passed)); !errors.Is(err, ErrNoReservation) {
		t.Errorf("a late passage: %v", err)
	}
}

// What a version wrote that knew one pass a reservation is read as it is; and that version refuses what this one writes,
// whose reservation of two passes it would take for damage.
func TestReservationsOfSchemaTwo(t *testing.T) {
	path := ledgerPath(t)
	l := openLedger(t, path)
	reserve(t, l, passHash(1), 1)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	setSchema(t, path, 2)
	l = openLedger(t, path)
	if l.Recovered() != 1 {
		t.Errorf("%d reservations recovered", l.Recovered())
	}
	if got := states(t, l, passHash(1)); !slices.Equal(got, []entry.UseState{entry.UseUncertain}) {
		t.Errorf("the use is %v", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + ".schema-2"); err != nil {
		t.Errorf("no copy for who goes back: %v", err)
	}
	f, err := mapFile(path, kindLedger, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := f.readSchema(); errors.Join(err, f.close()) != nil || v <= 2 {
		t.Errorf("it has schema %d, %v: a version that knows 2 would read it", v, err)
	}
}
