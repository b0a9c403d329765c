// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"context"
	"time"

	"gatehouse/entry"
)

// event is what a state of the loop wakes up for.
type event struct {
	kind      kind
	admission *admission   // of admit
	refusal   chan<- error // of refuse; has room for the answer
	began     time.Time    // of passage
}

type kind int

const (
	stop kind = iota
	stuck
	timeUp
	cancelled
	admit
	refuse
	passage
	leave   // somebody wants out
	alarmed // the fire alarm went on, or off
)

// await waits for the next event. What is the same in every state happens in here: nothing goes before the fire alarm, and
// whoever came with another event at its change is told of that.
func (l *loop) await(ctx context.Context, over <-chan time.Time, cancel <-chan struct{}) event {
	for {
		ev, woke := l.wake(ctx, over, cancel)
		if now := l.burns(); now != l.burning && ev.kind != stop {
			l.burning = now
			l.turnAway(ev)
			return event{kind: alarmed}
		}
		if woke {
			return ev
		}
	}
}

// wake waits for the next event, or false for what the states know nothing of.
func (l *loop) wake(ctx context.Context, over <-chan time.Time, cancel <-chan struct{}) (ev event, woke bool) {
	select {
	case <-ctx.Done():
		return event{kind: stop}, true
	case <-l.stuck:
		return event{kind: stuck}, true
	case <-l.alarms:
	case <-l.asks:
		return event{kind: leave}, true
	case <-over:
		return event{kind: timeUp}, true
	case <-cancel:
		return event{kind: cancelled}, true
	case a := <-l.admits:
		if ctx.Err() != nil {
			a.answer(entry.Fault, l.errorf("%w", ErrStopped))
			return event{kind: stop}, true
		}
		return event{kind: admit, admission: a}, true
	case r := <-l.refuses:
		return event{kind: refuse, refusal: r}, true
	case began := <-l.passages:
		l.sensing.seen()
		return event{kind: passage, began: began}, true
	case <-l.ticker.C:
		l.beat()
		l.relight()
		l.tellInputs()
		l.cfg.Alive()
	}
	return event{kind: alarmed}, false
}

// turnAway ends an event that the fire alarm went before, or has it come again.
func (l *loop) turnAway(ev event) {
	switch ev.kind {
	case admit:
		ev.admission.answer(entry.Fault, l.errorf("%w", ErrFire))
	case refuse:
		ev.refusal <- l.errorf("%w", ErrFire)
	case stuck:
		l.takeOver()
	case leave: // whoever asked may be let out when the alarm has ended
		signal(l.asked)
	}
}

// beat tells the watch by when the loop will have reported again.
func (l *loop) beat() {
	due := time.Now().Add(tick + patience)
	if !l.closeBy.IsZero() && l.closeBy.Before(due) {
		due = l.closeBy
	}
	// This loop is the only sender: with the channel drained there is room.
	select {
	case <-l.beats:
	default:
	}
	l.beats <- due
}
