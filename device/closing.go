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
	"gatehouse/device/condition"
	"gatehouse/entry"
)

// closing is whether staff closed a lane. What was closed stays so over a restart: it is in the ledger.
type closing struct {
	orders sync.Mutex                  // held while one is recorded: guests do not wait for it
	by     atomic.Pointer[entry.Event] // that closed it; nil: nobody did
}

// orderClosed closes or releases the lane once record has made that durable.
func (l *lane) orderClosed(ev *entry.Event, record func(*entry.Event) error) error {
	l.closing.orders.Lock()
	defer l.closing.orders.Unlock()
	closes, by := ev.Kind == entry.EventClosed, l.closing.by.Load()
	switch {
	case closes && by != nil:
		return fmt.Errorf("device: lane %s is closed already, %s", l.cfg.Name, closedText(by))
	case !closes && by == nil:
		return fmt.Errorf("device: lane %s is not closed, so there is nothing to release; gatehouse gate open lets one guest in", l.cfg.Name)
	}
	if err := record(ev); err != nil {
		return fmt.Errorf("device: it could not be recorded, so lane %s stays as it was: %w", l.cfg.Name, err)
	}
	if !closes {
		ev = nil
	}
	l.setClosed(ev)
	return nil
}

// setClosed has the lane be closed by an event, or, by nil, decide.
func (l *lane) setClosed(by *entry.Event) {
	l.closing.by.Store(by)
	if by == nil {
		l.health.set(condition.Closed, nil)
		return
	}
	l.health.set(condition.Closed, errors.New("closed "+closedText(by)))
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
			l.setClosed(&ev)
		}
	}
	return nil
}

// postClosing answers an order to close a lane or to release it.
func (a *api) postClosing(kind entry.EventKind) http.HandlerFunc {
	return a.obeyed(func(ctx context.Context, l *lane, by, why string) (uint64, error) {
		return l.close(ctx, kind, by, why)
	})
}

// close closes the lane, or releases it, and returns the number of the event of that.
func (l *lane) close(ctx context.Context, kind entry.EventKind, by, why string) (uint64, error) {
	if kind == entry.EventClosed && l.kiosk.decider.Mode(l.entryLane(), l.kiosk.time.moment()) == entry.ModeOut {
		return 0, fmt.Errorf("device: lane %s is a lane out, and nobody is kept in; rest it at the turnstile itself", l.cfg.Name)
	}
	ev, err := entry.Closing(kind, l.cfg.Name, by, why, l.kiosk.time.moment())
	if err != nil {
		return 0, err
	}
	err = l.orderClosed(ev, func(ev *entry.Event) error {
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
}

// closedOf is how a closed lane is told of; nil where it is not closed.
func closedOf(ev *entry.Event) *client.Closed {
	if ev == nil {
		return nil
	}
	return &client.Closed{Event: ev.Seq, At: ev.At, Note: oneLine(ev.Note)}
}
