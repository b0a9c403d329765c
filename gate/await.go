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

// await waits for the next event. What is the same in every state happens in here.
func (l *loop) await(ctx context.Context, over <-chan time.Time, cancel <-chan struct{}) event {
	for {
		select {
		case <-ctx.Done():
			return event{kind: stop}
		case <-l.stuck:
			return event{kind: stuck}
		case <-l.alarms:
			if now := l.burns(); now != l.burning {
				l.burning = now
				return event{kind: alarmed}
			}
		case <-l.asks:
			return event{kind: leave}
		case <-over:
			return event{kind: timeUp}
		case <-cancel:
			return event{kind: cancelled}
		case a := <-l.admits:
			if ctx.Err() != nil {
				a.answer(entry.Fault, l.errorf("%w", ErrStopped))
				return event{kind: stop}
			}
			return event{kind: admit, admission: a}
		case r := <-l.refuses:
			return event{kind: refuse, refusal: r}
		case began := <-l.passages:
			l.sensing.seen()
			return event{kind: passage, began: began}
		case <-l.ticker.C:
			l.beat()
			l.relight()
			l.tellInputs()
			l.cfg.Alive()
		}
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
