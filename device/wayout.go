// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"gatehouse/device/condition"
	"gatehouse/entry"
	"gatehouse/gate"
	"gatehouse/scanner"
)

func (l *LaneConfig) checkWayOut() (field string, err error) {
	switch {
	case l.OnFire != "" && l.OnFire != gate.Secured && l.OnFire != gate.Released:
		return "on_fire", fmt.Errorf("%q is unknown; write released (people can pass) or secured (the fire release is wired elsewhere)", l.OnFire)
	case l.OnFire != "" && !l.Has(gate.Fire):
		return "on_fire", errors.New("means nothing without a fire contact; wire one (gpio.fire) or take it out")
	case l.ExitPulse != 0 && !l.Has(gate.Exit):
		return "exit_pulse", errors.New("means nothing without an exit contact; wire one (gpio.exit) or take it out")
	}
	return "", nil
}

// letsOut tells whether somebody can be let out of this kiosk who has no pass.
func (c *Config) letsOut() bool {
	return slices.ContainsFunc(c.Lanes, func(l LaneConfig) bool { return l.letsOut() })
}

func (l *LaneConfig) letsOut() bool { return l.Has(gate.Exit) || l.Has(gate.Fire) }

// maxDepartures of a lane wait in memory to be recorded. A day of exits fits; what comes beyond it is counted.
const maxDepartures = 4096

// wayOut is what a lane knows of those whom it lets out. The gate tells it after the line has moved and waits for nothing.
type wayOut struct {
	mu      sync.Mutex
	ended   chan struct{} // closed at the end of the exit or fire under way; nil while there is none
	burning bool
	waiting []departure
	dropped int
	exits   uint64        // since the start
	more    chan struct{} // holds one
}

// departure is an event of the way out that waits to be recorded.
type departure struct {
	what gate.Departure
	at   time.Time // monotonic
}

func newWayOut() *wayOut { return &wayOut{more: make(chan struct{}, 1)} }

// take hears of a step of the way out. The end of an exit is no event of its own: the lane shuts by itself.
func (w *wayOut) take(d gate.Departure, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended != nil {
		close(w.ended)
		w.ended = nil
	}
	if d == gate.ExitBegan || d == gate.FireBegan {
		w.ended = make(chan struct{})
	}
	w.burning = d == gate.FireBegan
	if d == gate.ExitBegan {
		w.exits++
	}
	switch {
	case d == gate.ExitEnded:
		return
	case len(w.waiting) == maxDepartures:
		w.dropped++
	default:
		w.waiting = append(w.waiting, departure{d, at})
	}
	select {
	case w.more <- struct{}{}:
	default:
	}
}

// leaving is closed when nobody leaves any more; nil while nobody does.
func (w *wayOut) leaving() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}

// burns tells of a fire alarm.
func (w *wayOut) burns() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.burning
}

// next is the oldest departure that waits, and how many were dropped after it if it is the last.
func (w *wayOut) next() (d departure, dropped int, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case len(w.waiting) > 0:
		return w.waiting[0], 0, true
	case w.dropped > 0:
		return departure{at: time.Now()}, w.dropped, true
	}
	return departure{}, 0, false
}

// left is how often somebody was let out since the start.
func (w *wayOut) left() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.exits
}

// done takes out what next gave.
func (w *wayOut) done(dropped int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if dropped > 0 {
		w.dropped -= dropped
		return
	}
	w.waiting = w.waiting[1:]
}

var errFireAlarm = errors.New("device: the fire contact is active; the lane is at its level for that and admits nobody")

// departed hears of the way out from the gate's loop, which must not wait.
func (l *lane) departed(d gate.Departure, at time.Time) {
	l.out.take(d, at)
	switch d {
	case gate.FireBegan:
		l.health.set(condition.Fire, errFireAlarm)
	case gate.FireEnded:
		l.health.set(condition.Fire, nil)
	}
}

// Pauses between tries of an event that cannot be written.
const (
	firstRecordRetry = time.Second
	lastRecordRetry  = 30 * time.Second
	lastWrite        = time.Second // of those that wait when the kiosk stops
)

// recordDepartures writes down who was let out, as well as it can: in memory until the stores are open and take it.
func (l *lane) recordDepartures(ctx context.Context) error {
	wait := firstRecordRetry
	for {
		var retry <-chan time.Time
		if l.kiosk.isOpen() && !l.recordWaiting(ctx) {
			retry = time.After(wait)
			wait = min(2*wait, lastRecordRetry)
		} else {
			wait = firstRecordRetry
		}
		opened := l.kiosk.opened
		if l.kiosk.isOpen() {
			opened = nil
		}
		select {
		case <-l.out.more:
		case <-opened:
		case <-retry:
		case <-ctx.Done():
			l.recordLast(ctx)
			return nil
		}
	}
}

// recordLast gives what waits a last chance when the kiosk stops.
func (l *lane) recordLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
	defer cancel()
	if l.kiosk.isOpen() && l.recordWaiting(ctx) {
		return
	}
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	if n := len(l.out.waiting) + l.out.dropped; n > 0 {
		l.log.Error("way out not recorded", "events", n)
	}
}

// recordWaiting writes down what waits, in order; false where the ledger takes no more.
func (l *lane) recordWaiting(ctx context.Context) bool {
	for {
		d, dropped, ok := l.out.next()
		if !ok {
			return true
		}
		now := l.kiosk.time.moment()
		ev := &entry.Event{At: now.At.Add(-time.Since(d.at)), Clock: now.Clock, Kind: entry.EventIncident, Lane: l.cfg.Name,
			Note: string(d.what), Late: true}
		switch {
		case dropped > 0:
			ev.Note = fmt.Sprintf("%d events of the way out were not recorded", dropped)
		case d.what == gate.ExitBegan:
			ev.Note, ev.Reason = "exit", entry.ReasonExit
		}
		err := l.kiosk.decider.Record(ctx, ev)
		l.kiosk.recorded(err)
		if err != nil && !errors.Is(err, entry.ErrLate) {
			return false
		}
		l.out.done(dropped)
		l.log.Info("way out", "what", ev.Note, "event", ev.Seq)
	}
}

// turn waits until nobody leaves any more: the lane is theirs. Of the scans that come meanwhile the newest is kept. A fire is
// not waited for.
func (l *lane) turn(ctx context.Context, scan scanner.Scan) scanner.Scan {
	for ended := l.out.leaving(); ended != nil && !l.out.burns(); ended = l.out.leaving() {
		select {
		case <-ended:
		case scan = <-l.box:
		case <-ctx.Done():
			return scan
		}
	}
	return scan
}

// admit opens the lane for a grant. Where somebody pressed the button to leave in the moment of the decision the guest waits
// for that, as long as the grant lasts.
func (l *lane) admit(ctx context.Context, g *gate.Gate, grant *entry.Grant) (entry.Passage, error) {
	for {
		passage, err := g.Admit(ctx, grant)
		switch {
		case errors.Is(err, gate.ErrFire), errors.Is(err, entry.ErrGrantLate):
			return entry.NotPassed, err // nobody was let in for this pass, and its use is given back where it can be
		case !errors.Is(err, gate.ErrBusy):
			return passage, err
		}
		select {
		case <-l.out.leaving():
		case <-time.After(busyRetry):
		case <-ctx.Done():
		}
	}
}

// busyRetry is how often a grant is offered to a lane that somebody leaves by.
const busyRetry = 20 * time.Millisecond
