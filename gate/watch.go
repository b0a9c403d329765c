// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gatehouse/entry"
)

const (
	// tick is how often the loop reports that it is there, whatever it waits for.
	tick = 500 * time.Millisecond
	// patience is how long one call of the driver may take before the lane is called stuck.
	patience = time.Second
	// lateness is how long after the end of a pulse the watch closes the lane instead of the loop.
	lateness = 250 * time.Millisecond
)

// watch waits for the loop to end, and acts in its place when it is late. The loop announces by when
// it will report again; it shares nothing else with the watch that could hang.
func (g *Gate) watch(ctx context.Context, done <-chan error) error {
	late := time.NewTimer(patience)
	defer late.Stop()
	stopping := ctx.Done()
	var rang <-chan struct{}
	if g.alarm != nil {
		rang = g.alarm.rang
	}
	hangs, told := false, ""
	rescue := func() (err error) {
		var again bool
		if err, again = g.rescue(); again {
			late.Reset(tick)
		}
		return err
	}
	tell := func(err error) {
		if text(err) != told {
			told = text(err)
			g.cfg.State(err)
		}
	}
	for {
		select {
		case err := <-done:
			return err
		case due := <-g.beats:
			late.Reset(time.Until(due))
			hangs, told = false, ""
		case <-rang:
			if hangs {
				tell(rescue()) // the loop cannot
			}
		case <-stopping:
			stopping = nil
			late.Reset(patience)
		case <-late.C:
			if due, reported := g.reported(); reported && time.Until(due) > 0 {
				late.Reset(time.Until(due))
				continue
			}
			hangs = true
			if ctx.Err() != nil {
				return g.lastRescue()
			}
			tell(rescue())
			g.takeOver() // again: a loop that came back before this was told has to tell after it how it is
		}
	}
}

// reported looks for a report that came while this goroutine was kept from running.
func (g *Gate) reported() (due time.Time, ok bool) {
	select {
	case due = <-g.beats:
		return due, true
	default:
		return time.Time{}, false
	}
}

// rescue drives the relay inert past the loop and answers whoever waits for it. Where the loop hangs in a lamp this
// closes the lane; where it hangs in the relay itself this call may hang as well, and is left behind. again tells that the
// relay did not take its level and is worth another call.
func (g *Gate) rescue() (err error, again bool) {
	driven := make(chan error, 1)
	go func() {
		err := g.drive(Relay, g.atRest().relay())
		// Told after the level was driven, however late that is: the loop must not trust what it drove before.
		g.takeOver()
		driven <- err
	}()

	hung := time.NewTimer(patience)
	defer hung.Stop()
	select {
	case err = <-driven:
		again = err != nil
	case <-hung.C:
		g.takeOver()
		err = errors.New("the relay's driver hangs as well")
		if g.raised.Load() && g.atRest() == Secured {
			err = fmt.Errorf("%w: %w", ErrAjar, err)
		}
	}
	if err != nil {
		err = g.errorf("%w and may stand open: %w; cut its power and restart the kiosk", ErrStuck, err)
	} else {
		err = g.errorf("%w; the relay was driven to its inert level (%s) past it", ErrStuck, g.atRest())
	}
	if a := g.serving.Swap(nil); a != nil {
		a.answer(entry.Fault, err)
	}
	return err, again
}

// lastRescue is that of a lane that ends.
func (g *Gate) lastRescue() error {
	err, again := g.rescue()
	for try := 1; again && try < stopTries; try++ {
		time.Sleep(firstPause)
		err, again = g.rescue()
	}
	return err
}

// takeOver makes the loop, should it come back, begin again at fault.
func (g *Gate) takeOver() {
	select {
	case g.stuck <- struct{}{}:
	default:
	}
}
