// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"gatehouse/cache"
	"gatehouse/device/client"
	"gatehouse/entry"
)

// closing is whether staff closed a lane. What was closed stays so over a restart: it is in the ledger.
type closing struct {
	orders sync.Mutex                  // held while one is recorded: guests do not wait for it
	by     atomic.Pointer[entry.Event] // that closed it; nil: nobody did
}

// set closes or releases the lane once record has made that durable.
func (c *closing) set(lane string, ev *entry.Event, record func(*entry.Event) error) error {
	c.orders.Lock()
	defer c.orders.Unlock()
	closes, by := ev.Kind == entry.EventClosed, c.by.Load()
	switch {
	case closes && by != nil:
		return fmt.Errorf("device: lane %s is closed already, %s", lane, closedText(by))
	case !closes && by == nil:
		return fmt.Errorf("device: lane %s is not closed, so there is nothing to release; gatehouse gate open lets one guest in", lane)
	}
	if err := record(ev); err != nil {
		return fmt.Errorf("device: it could not be recorded, so lane %s stays as it was: %w", lane, err)
	}
	if !closes {
		ev = nil
	}
	c.by.Store(ev)
	return nil
}

func closedText(ev *entry.Event) string {
	if ev.Seq == 0 {
		return "who closed it cannot be read"
	}
	return fmt.Sprintf("by %s (event %d, %s)", oneLine(ev.Note), ev.Seq, utc(ev.At))
}

// closeLanes closes the lanes that staff closed before the kiosk started.
func (k *kiosk) closeLanes(ledger *cache.Ledger) error {
	closed, err := ledger.Closed()
	if err != nil {
		return err
	}
	for _, l := range k.lanes {
		if ev, is := closed[l.cfg.Name]; is {
			l.log.Info("closed by hand", "event", ev.Seq)
			l.closing.by.Store(&ev)
		}
	}
	return nil
}

// postClosing answers an order to close a lane or to release it.
func (a *api) postClosing(kind entry.EventKind) http.HandlerFunc {
	return a.obeyed(func(ctx context.Context, l *lane, by, why string) (uint64, error) {
		if kind == entry.EventClosed && l.kiosk.decider.Mode(l.entryLane(), l.kiosk.time.moment()) == entry.ModeOut {
			return 0, fmt.Errorf("device: lane %s is a lane out, and nobody is kept in; rest it at the turnstile itself", l.cfg.Name)
		}
		ev, err := entry.Closing(kind, l.cfg.Name, by, why, l.kiosk.time.moment())
		if err != nil {
			return 0, err
		}
		err = l.closing.set(l.cfg.Name, ev, func(ev *entry.Event) error {
			err := l.kiosk.ledger.SetClosed(ctx, ev)
			if !errors.Is(err, context.Canceled) {
				l.kiosk.recorded(err)
			}
			return err
		})
		if err != nil {
			return 0, err
		}
		l.log.Info(string(kind)+" by hand", "event", ev.Seq, "by", by)
		l.scanner.Forget() // the same code may be answered in another way now
		return ev.Seq, nil
	})
}

// closedOf is how a closed lane is told of; nil where it is not closed.
func closedOf(ev *entry.Event) *client.Closed {
	if ev == nil {
		return nil
	}
	return &client.Closed{Event: ev.Seq, At: ev.At, Note: oneLine(ev.Note)}
}
