// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"gatehouse/entry"
)

// The loop is this machine; each state is the function of its name. In service the relay is inactive ("secured") unless
// the lane is open; the inert level, which the wiring may want otherwise, is driven on the way in and out.
//
//	        start
//	          │
//	          ▼          the relay failed
//	     ┌─────────┐◀───────────────────────────────┐
//	┌───▶│  fault  │◀── any state: loop was stuck   │
//	│    └─────────┘                                │
//	│ no   │    │ inert level taken by the driver   │
//	└──────┘    ▼                                   │
//	       ┌─────────┐  Admit, grant spent     ┌─────────┐
//	   ┌──▶│ secured │────────────────────────▶│  open   │──┐
//	   │   └─────────┘◀────────────────────────└─────────┘  │ pulse over, sensor well,
//	   │     ▲  │ pulse over and passed,            ▲       │ nobody passed yet
//	   │     │  │ no sensor · cancelled             │       ▼
//	   │     │  │ Refuse                            │  ┌─────────┐
//	   │     └──┼───────────────────────────────────┼──│ awaited │
//	   │        ▼        passed · time · cancelled  │  └─────────┘
//	   │   ┌─────────┐  Admit, grant spent          │
//	   └───│ refused │──────────────────────────────┘
//	 time  └─────────┘
//
//	            request to exit                                 alarm on
//	any state ─────────────────▶ ┌────────┐  any state, exit ───────────▶ ┌────────┐
//	but fire                     │  exit  │                              │  fire  │
//	                             └────────┘                              └────────┘
//	                                 │ pulse over: secured (fault,           │ alarm off: fault, and by
//	                                 ▼ where the relay does not close)       ▼ its inert level to secured
//
//	any state ── ctx ends, panic ──▶ stopped: inert level, on fire that of the fire; lamps dark
type loop struct {
	*Gate
	ticker *time.Ticker

	closeBy   time.Time // while open: when the watch is to close the lane
	latest    time.Time // while open: by when it must be shut, whoever it is open for
	openUntil time.Time // while open for an admission: when its pulse is over
	guest     guest     // of the newest admission

	burning       bool      // the fire alarm that the loop acted on
	leaving, left time.Time // when people were last let out, from and until; left is zero while they are

	passages <-chan time.Time   // nil where no sensor is wired
	asks     <-chan struct{}    // somebody wants out
	alarms   <-chan struct{}    // nil where no fire contact is wired
	told     map[Contact]string // what InputState was told
	lit      map[Output]bool    // the level wanted of each lamp
	wrong    map[Output]error   // what was reported of each output
}

// step is a state at work; it returns the next, nil for stopped.
type step func(context.Context) step

// Pauses between tries of an inert level that the driver does not take.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = 2 * time.Second
	stopTries  = 5
)

var errUnconfirmed = fmt.Errorf("gate: %w: the inert level was not driven yet", ErrFault)

func newLoop(g *Gate) *loop {
	l := &loop{
		Gate:  g,
		lit:   map[Output]bool{Green: true, Red: true}, // not known: to be put out
		wrong: map[Output]error{Relay: errUnconfirmed},
		asks:  g.asked,
		told:  make(map[Contact]string),
	}
	if g.sensing != nil {
		l.passages = g.sensing.passages
	}
	if g.alarm != nil {
		l.alarms = g.alarm.changed
	}
	return l
}

func (l *loop) run(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = l.errorf("%w: %v\n%s", ErrPanic, p, debug.Stack())
		}
		err = l.stopped(err)
	}()
	l.ticker = time.NewTicker(tick)
	defer l.ticker.Stop()
	l.beat()
	for next := step(l.begin); next != nil; {
		next = next(ctx)
	}
	return nil
}

// fault drives the inert level until the driver takes it. cause is what the waiting admission, if any, is told.
func (l *loop) fault(cause error) step {
	return func(ctx context.Context) step {
		for pause := firstPause; ; pause = min(2*pause, lastPause) {
			err := l.rest()
			l.answer(entry.Fault, cause)
			l.report(Relay, cause)
			if err == nil {
				l.report(Relay, nil)
				return l.secured
			}
			cause = err
			l.report(Relay, cause)
			if next, over := l.outOfService(ctx, pause); !over {
				return next
			}
		}
	}
}

// outOfService answers everybody with ErrFault for a while; over is false where another state comes before that.
func (l *loop) outOfService(ctx context.Context, pause time.Duration) (next step, over bool) {
	ended := time.NewTimer(pause)
	defer ended.Stop()
	for {
		switch ev := l.await(ctx, ended.C, nil); ev.kind {
		case timeUp:
			return nil, true
		case stuck: // at fault already
		case admit:
			ev.admission.answer(entry.Fault, l.errorf("%w", ErrFault))
		case refuse:
			ev.refusal <- l.errorf("%w", ErrFault)
		case passage:
			l.surprise(ev.began)
		default:
			return l.overruled(ev), false
		}
	}
}

func (l *loop) secured(ctx context.Context) step {
	for {
		switch ev := l.await(ctx, nil, nil); ev.kind {
		case admit:
			if l.spend(ev.admission) {
				return l.open(ev.admission)
			}
		case refuse:
			ev.refusal <- nil
			return l.refused
		case passage:
			l.surprise(ev.began)
		default:
			return l.overruled(ev)
		}
	}
}

func (l *loop) refused(ctx context.Context) step {
	l.lamp(Red, true)
	over := time.NewTimer(l.cfg.Refusal)
	defer over.Stop()
	for {
		switch ev := l.await(ctx, over.C, nil); ev.kind {
		case timeUp:
			l.lamp(Red, false)
			return l.secured
		case admit:
			if l.spend(ev.admission) {
				return l.open(ev.admission)
			}
		case refuse:
			ev.refusal <- nil
			over.Reset(l.cfg.Refusal)
		case passage:
			l.surprise(ev.began)
		default:
			return l.overruled(ev)
		}
	}
}

// open is the pulse of an admission whose grant is spent. The relay comes before the lamps, at both ends.
func (l *loop) open(a *admission) step {
	return func(ctx context.Context) step {
		l.serving.Store(a)
		pulse := l.pulse(a.grant)
		l.welcome(a.grant)
		if err := l.rise(); err != nil {
			return l.fault(err)
		}
		opened := time.Now()
		pulse = min(pulse, l.latest.Sub(opened))
		l.openUntil = opened.Add(pulse)
		over := time.NewTimer(pulse)
		defer over.Stop()
		l.closeBy = time.Now().Add(pulse + lateness)
		l.beat()
		l.lamp(Green, true)
		l.lamp(Red, false)
		a.tell(func() { l.cfg.Opened(opened) })

		for {
			switch ev := l.await(ctx, over.C, a.ctx.Done()); ev.kind {
			case timeUp, cancelled:
				return l.close
			case admit:
				ev.admission.answer(entry.Fault, l.errorf("%w", ErrBusy))
			case refuse:
				ev.refusal <- l.errorf("%w", ErrBusy)
			case passage:
				l.walked(ev.began)
			default:
				return l.overruled(ev)
			}
		}
	}
}

// close is the end of a pulse.
func (l *loop) close(ctx context.Context) step {
	if err := l.relay(false); err != nil {
		return l.fault(err)
	}
	l.shut()
	a := l.serving.Load()
	awaited := a != nil && a.ctx.Err() == nil && l.guest.watched && !l.guest.passed
	if !awaited {
		l.answer(l.guest.passage(), nil)
	}
	l.lamp(Green, false)
	if awaited {
		return l.awaited(a)
	}
	return l.secured
}

// awaited is the time in which a guest whose pulse is over may still walk through: the turnstile waits for him too.
func (l *loop) awaited(a *admission) step {
	return func(ctx context.Context) step {
		// A passage that began in time is known a few readings later.
		over := time.NewTimer(time.Until(l.guest.came.Add(l.cfg.Passage + settledAfter*sensePeriod)))
		defer over.Stop()
		for {
			switch ev := l.await(ctx, over.C, a.ctx.Done()); ev.kind {
			case cancelled:
				l.answer(entry.PassageUnknown, nil)
				return l.secured
			case timeUp:
				l.answer(l.absent(), nil)
				return l.secured
			case admit:
				ev.admission.answer(entry.Fault, l.errorf("%w", ErrBusy))
			case refuse:
				ev.refusal <- l.errorf("%w", ErrBusy)
			case passage:
				if l.walked(ev.began); l.guest.passed {
					l.answer(entry.Passed, nil)
					return l.secured
				}
			default:
				return l.overruled(ev)
			}
		}
	}
}

// stopped leaves the lane at its inert level, whatever ended the loop with err, and answers the last admission.
func (l *loop) stopped(err error) error {
	rest := l.atRest()
	relay := l.drive(Relay, rest.relay())
	for try := 1; relay != nil && try < stopTries; try++ {
		time.Sleep(firstPause)
		relay = l.drive(Relay, rest.relay())
	}
	if relay != nil {
		err = errors.Join(err, l.errorf("%w: the inert level (%s) was not taken at the end: %w",
			ErrFault, rest, relay))
	}
	if err != nil {
		l.answer(entry.Fault, err)
	} else {
		l.answer(l.guest.passage(), nil)
	}
	for _, o := range []Output{Green, Red} {
		_ = l.drive(o, false) // a lamp that fails was reported while it mattered
	}
	return err
}
