// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entrytest

import (
	"context"
	"errors"
	"sync"

	"gatehouse/entry"
)

// ErrInjected is what a Ledger told to fail returns.
var ErrInjected = errors.New("entrytest: injected failure")

// Ledger is an entry.Ledger and entry.History in memory, which can be told to fail both ways: before anything is
// stored, or after all of it is.
type Ledger struct {
	mu     sync.Mutex
	events []entry.Event
	uses   map[entry.PassHash][]entry.PastUse

	failBefore, failAfter error
}

// NewLedger makes an empty ledger.
func NewLedger() *Ledger {
	return &Ledger{uses: map[entry.PassHash][]entry.PastUse{}}
}

// Fail sets the failures of every later call: before, nothing is stored; after, all is stored and the error comes all
// the same. Nil takes a failure back.
func (l *Ledger) Fail(before, after error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failBefore, l.failAfter = before, after
}

// Events are the events stored so far, in order.
func (l *Ledger) Events() []entry.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]entry.Event(nil), l.events...)
}

// Reserve implements entry.Ledger.
func (l *Ledger) Reserve(_ context.Context, ev *entry.Event, uses ...entry.Use) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failBefore != nil {
		return l.failBefore
	}
	for _, use := range uses {
		if use.Limit != 0 && l.standing(use.Pass) >= use.Limit {
			return &entry.UsedError{Past: append([]entry.PastUse(nil), l.uses[use.Pass]...)}
		}
	}
	l.append(ev)
	for _, use := range uses {
		if use.Limit == 0 {
			continue
		}
		state := entry.UseReserved
		if use.Final {
			state = entry.UseCommitted
		}
		l.uses[use.Pass] = append(l.uses[use.Pass], entry.PastUse{Seq: ev.Seq, At: ev.At, Lane: ev.Lane, State: state})
	}
	return l.failAfter
}

func (l *Ledger) standing(pass entry.PassHash) (n uint) {
	for _, u := range l.uses[pass] {
		if u.State.Stands() {
			n++
		}
	}
	return n
}

// Record implements entry.Ledger.
func (l *Ledger) Record(_ context.Context, ev *entry.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failBefore != nil {
		return l.failBefore
	}
	l.append(ev)
	return l.failAfter
}

// Settle implements entry.Ledger.
func (l *Ledger) Settle(_ context.Context, ev *entry.Event, left ...entry.PassHash) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failBefore != nil {
		return l.failBefore
	}
	for _, pass := range left {
		for i := len(l.uses[pass]) - 1; i >= 0; i-- {
			if u := &l.uses[pass][i]; u.State == entry.UseCommitted || u.State == entry.UseUncertain {
				u.State = entry.UseReturned
				break
			}
		}
	}
	for _, past := range l.uses {
		for i := range past {
			if ev.Of != 0 && past[i].Seq == ev.Of {
				past[i].State = entry.UseCommitted
				if ev.Passage == entry.NotPassed {
					past[i].State = entry.UseAnnulled
				}
			}
		}
	}
	l.append(ev)
	return l.failAfter
}

// Restart does what a ledger does when its process ended: what was reserved is committed, and nobody knows how it ended.
func (l *Ledger) Restart() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, past := range l.uses {
		for i := range past {
			if past[i].State == entry.UseReserved {
				past[i].State = entry.UseUncertain
			}
		}
	}
}

// Uses implements entry.History.
func (l *Ledger) Uses(pass entry.PassHash) ([]entry.PastUse, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]entry.PastUse(nil), l.uses[pass]...), nil
}

func (l *Ledger) append(ev *entry.Event) {
	ev.Seq = uint64(len(l.events)) + 1
	l.events = append(l.events, *ev)
}
