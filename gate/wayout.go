// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"context"
	"sync/atomic"
	"time"

	"gatehouse/entry"
)

// The way out: the only openings without a grant. They ask nobody and wait for nothing; a store, a clock or a scanner that
// is gone is none of their business, and they are told of after the line has moved.

// Departure is one step of an opening without a grant.
type Departure string

const (
	ExitBegan Departure = "exit_began"
	ExitEnded Departure = "exit_ended"
	FireBegan Departure = "fire_began"
	FireEnded Departure = "fire_ended"
)

// askAgain is how often a contact that stays active asks anew: people who leave one after the other may never let go of it,
// and the lane, which is shut after [MaxActive], opens for them again.
const askAgain = 250 * time.Millisecond

// newAsking reads the exit contact; each time that somebody wants out is a message to asked. The level that is met first
// counts as well: whoever stands at the button when the kiosk comes up is to be let out.
func newAsking(input Input, asked chan<- struct{}) *reader {
	var last time.Time
	return newReader(Exit, input, func(c *contact, _ time.Time) {
		switch now := time.Now(); {
		case !c.known || !c.level:
			last = time.Time{}
		case now.Sub(last) >= askAgain:
			last = now
			signal(asked)
		}
	})
}

// allClear is how long the fire contact must be inactive, without a gap, before the alarm is over: one that chatters would shut
// the lane again and again before those who flee.
const allClear = time.Second

// alarm is the fire contact. A reading that fails changes nothing: the level that was settled last holds.
type alarm struct {
	*reader
	rings   atomic.Bool
	met     chan struct{} // closed when its level is known for the first time
	changed chan struct{} // for the loop; holds one
	rang    chan struct{} // for the watch; holds one
}

func newAlarm(input Input) *alarm {
	a := &alarm{met: make(chan struct{}), changed: make(chan struct{}, 1), rang: make(chan struct{}, 1)}
	known := false
	a.reader = newReader(Fire, input, func(c *contact, _ time.Time) {
		if !c.known {
			return
		}
		rings := c.level || a.rings.Load() && (c.last || time.Since(c.first) < allClear)
		if a.rings.Swap(rings) != rings {
			signal(a.changed)
			signal(a.rang)
		}
		if !known {
			known = true
			close(a.met)
		}
	})
	return a
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// burns tells whether the fire alarm is on.
func (g *Gate) burns() bool { return g.alarm != nil && g.alarm.rings.Load() }

// atRest is the level of the relay that the lane is left at when nobody is in charge.
func (g *Gate) atRest() Inert {
	if g.burns() {
		return g.cfg.OnFire
	}
	return g.cfg.Inert
}

// Rest leaves a lane that no gate is in charge of at the level it rests at, lamps dark: the inert level or, where cfg has a
// fire contact and it is active, that of the fire. It is for a program that runs when the one with the gate is gone.
func Rest(cfg Config, lines Lines) error {
	g, err := New(cfg, lines)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer g.sense(ctx)()
	defer cancel()
	l := newLoop(g)
	l.meet()
	return l.stopped(nil)
}

// metPatience is how long the start waits for the fire contact's level, so that a kiosk that is started again during a fire
// closes nothing.
const metPatience = 10 * sensePeriod

// begin is the start.
func (l *loop) begin(context.Context) step {
	l.meet()
	if l.burning = l.burns(); l.burning {
		return l.fire
	}
	return l.fault(errUnconfirmed)
}

// meet waits until the fire contact's level is known, if there is one and it can be read.
func (g *Gate) meet() {
	if g.alarm == nil {
		return
	}
	hung := time.NewTimer(metPatience)
	defer hung.Stop()
	select {
	case <-g.alarm.met:
	case <-hung.C:
	}
}

// overruled is where the events lead that mean the same in any state.
func (l *loop) overruled(ev event) step {
	switch ev.kind {
	case alarmed:
		return l.fire
	case leave:
		return l.exit
	case stuck:
		return l.fault(l.errorf("%w", ErrStuck))
	}
	return nil // stop
}

// exit opens for somebody who leaves. Each further request extends it, within MaxActive since the line rose. An admission
// that was under way ends as unknown: who goes through now cannot be told.
func (l *loop) exit(ctx context.Context) step {
	err := l.rise()
	l.answer(l.guest.passage(), nil)
	l.departure(ExitBegan)
	defer l.departure(ExitEnded)
	l.lamp(Green, false)
	l.lamp(Red, false)

	until := time.Now().Add(l.cfg.ExitPulse)
	if l.openUntil.After(until) { // what an admission was given is not cut short
		until = l.openUntil
	}
	over := time.NewTimer(0)
	defer over.Stop()
	for {
		l.report(Relay, err)
		until = earlier(until, l.latest)
		l.closeBy = until.Add(lateness)
		l.beat()
		next := until
		if err != nil {
			next = earlier(until, time.Now().Add(firstPause))
		}
		over.Reset(time.Until(next))
		switch ev := l.await(ctx, over.C, nil); ev.kind {
		case timeUp:
			if time.Now().Before(until) {
				err = l.rise() // once more, for the driver did not take it
				continue
			}
			if err != nil {
				return l.fault(err)
			}
			return l.close
		case leave:
			until = later(until, time.Now().Add(l.cfg.ExitPulse))
		case admit:
			ev.admission.answer(entry.Fault, l.errorf("%w", ErrBusy))
		case refuse:
			ev.refusal <- l.errorf("%w", ErrBusy)
		case passage: // whoever leaves
		default:
			return l.overruled(ev)
		}
	}
}

// fire keeps the line at its level for a fire for as long as the alarm is on. Nothing closes it, and nobody is admitted.
func (l *loop) fire(ctx context.Context) step {
	err := l.relay(l.cfg.OnFire.relay())
	l.shut()
	l.answer(l.guest.passage(), nil)
	l.departure(FireBegan)
	defer l.departure(FireEnded)
	l.lamp(Green, false)
	l.lamp(Red, false)

	pause := firstPause
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		l.report(Relay, err)
		if pause = min(2*pause, lastPause); err == nil {
			pause = lastPause
		}
		again.Reset(pause)
		switch ev := l.await(ctx, again.C, nil); ev.kind {
		case stop:
			return nil
		case alarmed:
			if !l.burning {
				return l.fault(nil)
			}
		case stuck:
			l.report(Relay, l.errorf("%w", ErrStuck))
			err = l.relay(l.cfg.OnFire.relay())
		case timeUp: // driven again, whatever moved it meanwhile
			err = l.relay(l.cfg.OnFire.relay())
		case admit:
			ev.admission.answer(entry.Fault, l.errorf("%w", ErrFire))
		case refuse:
			ev.refusal <- l.errorf("%w", ErrFire)
		}
	}
}

// departure tells of the way out, after the line moved.
func (l *loop) departure(d Departure) {
	now := time.Now()
	switch d {
	case ExitBegan, FireBegan:
		l.leaving = now
		l.left = time.Time{}
	case ExitEnded, FireEnded:
		l.left = now
	}
	l.cfg.Departed(d, now)
}

// departs tells whether a passage that began then is of somebody who leaves: the turnstile waits for him, too.
func (l *loop) departs(began time.Time) bool {
	if l.leaving.IsZero() || began.Before(l.leaving) {
		return false
	}
	return l.left.IsZero() || began.Before(l.left.Add(l.cfg.Passage))
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
