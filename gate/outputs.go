// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"errors"
	"time"

	"gatehouse/entry"
)

// relay drives the relay. An error wraps ErrFault, and the caller's next step is fault.
func (l *loop) relay(active bool) error {
	if active {
		l.raised.Store(true)
	}
	if err := l.lines.Drive(Relay, active); err != nil {
		return l.errorf("%w: %w; check the board, its power and its wiring", ErrFault, err)
	}
	l.raised.Store(active)
	return nil
}

// rise opens the lane. By latest it must be shut again, counted from before the first call since the line may move at any
// time within a slow one.
func (l *loop) rise() error {
	if l.latest.IsZero() {
		l.latest = time.Now().Add(longestPulse)
	}
	return l.relay(true)
}

// rest brings the lane through its inert level to the secured one: known to be shut, lamps dark.
func (l *loop) rest() error {
	inert := l.cfg.Inert.relay()
	err := l.relay(inert)
	if err == nil && inert {
		if err = l.relay(false); err != nil {
			err = errors.Join(err, l.relay(inert))
		}
	}
	l.shut()
	l.lamp(Green, false)
	l.lamp(Red, false)
	return err
}

// shut notes that the pulse is over.
func (l *loop) shut() {
	l.closeBy, l.latest, l.openUntil = time.Time{}, time.Time{}, time.Time{}
	l.beat()
}

// lamp drives a lamp that is not at that level. Its failure is reported, and tried again at each tick.
func (l *loop) lamp(o Output, active bool) {
	if l.lit[o] == active && l.wrong[o] == nil {
		return
	}
	l.lit[o] = active
	err := l.lines.Drive(o, active)
	if err != nil {
		err = l.errorf("%s lamp: %w; the lane works without it", o, err)
	}
	l.report(o, err)
}

// relight tries failing lamps again.
func (l *loop) relight() {
	for _, o := range []Output{Green, Red} {
		if l.wrong[o] != nil {
			l.lamp(o, l.lit[o])
		}
	}
}

// report tells State what is wrong with the outputs, if that has changed.
func (l *loop) report(o Output, err error) {
	if text(l.wrong[o]) == text(err) {
		return
	}
	l.wrong[o] = err
	l.cfg.State(errors.Join(l.wrong[Relay], l.wrong[Green], l.wrong[Red]))
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// pulse is how long the lane opens for a grant: what the venue signed, else what was configured here. A signed pulse
// is held within the bounds of this gate, since no document may keep a line active for ever.
func (l *loop) pulse(grant *entry.Grant) time.Duration {
	switch signed := grant.Pulse(); {
	case signed != 0:
		return max(MinPulse, min(signed, longestPulse))
	case grant.Wide():
		return l.cfg.WidePulse
	default:
		return l.cfg.Pulse
	}
}

// answer tells the admission that the lane is open for, if any, how it went.
func (l *loop) answer(p entry.Passage, err error) {
	if a := l.serving.Swap(nil); a != nil {
		a.answer(p, err)
	}
}

// spend uses up the grant of an admission; false when it was refused and answered so.
func (l *loop) spend(a *admission) bool {
	err := a.ctx.Err()
	if err == nil {
		err = a.grant.Spend(l.cfg.Lane, time.Now())
	}
	if err != nil {
		a.answer(entry.Fault, l.errorf("%w", err))
		return false
	}
	return true
}
