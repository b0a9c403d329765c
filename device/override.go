// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/device/client"
	"gatehouse/device/condition"
	"gatehouse/entry"
	"gatehouse/gate"
)

// order is a lane to be opened by hand. Whoever gave it waits no longer than its context: later it opens for nobody.
type order struct {
	ctx     context.Context
	by, why string

	identify bool         // show the lane, and do not open it
	done     chan ordered // room for one; the first counts
}

// ordered is how an order ended: with the event's number, when the relay has risen.
type ordered struct {
	event uint64
	err   error
}

// orderMost is how long an order waits for its lane, in which somebody may just be walking through.
const orderMost = 8 * time.Second

var errLaneBusy = errors.New("device: the lane is open for somebody; ask again when he is through")

// obeyed answers an order for a lane with the number of its event. act has at most orderMost to do it.
func (a *api) obeyed(act func(ctx context.Context, l *lane, by, why string) (event uint64, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		obeyed, err := a.obey(w, r, act)
		if err != nil {
			reply(w, http.StatusConflict, client.Failure{Error: err.Error()})
			return
		}
		reply(w, http.StatusOK, obeyed)
	}
}

func (a *api) obey(w http.ResponseWriter, r *http.Request, act func(context.Context, *lane, string, string) (uint64, error)) (*client.Obeyed, error) {
	var asked client.Order
	if err := readJSON(w, r, &asked); err != nil {
		return nil, err
	}
	l, err := a.kiosk.lane(r.PathValue("lane"))
	if err != nil {
		return nil, err
	}
	by, err := callerOf(r.Context())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), orderMost)
	defer cancel()
	event, err := act(ctx, l, by, asked.Reason)
	if err != nil {
		return nil, err
	}
	return &client.Obeyed{Lane: l.cfg.Name, Event: event, By: by}, nil
}

// order has the lane opened and returns when its relay has risen.
func (l *lane) order(ctx context.Context, by, why string) (event uint64, err error) {
	return l.give(order{ctx: ctx, by: by, why: why, done: make(chan ordered, 1)})
}

// identify has the lane blink its red lamp and returns when that has begun.
func (l *lane) identify(ctx context.Context, by, why string) (event uint64, err error) {
	return l.give(order{ctx: ctx, by: by, why: why, identify: true, done: make(chan ordered, 1)})
}

// give gives an order to the lane, and waits for what came of it.
func (l *lane) give(o order) (event uint64, err error) {
	if !l.serving.Load() {
		return 0, l.outOfService()
	}
	ctx := o.ctx
	select {
	case l.orders <- o:
	case <-ctx.Done():
		return 0, errLaneBusy
	}
	select {
	case end := <-o.done:
		return end.event, end.err
	case <-ctx.Done():
		return 0, fmt.Errorf("device: whether lane %s obeyed is not known yet; gatehouse events tells: %w", l.cfg.Name, ctx.Err())
	}
}

func (l *lane) outOfService() error {
	return fmt.Errorf("device: lane %s is not in service: %s", l.cfg.Name, l.health.text("its gate is not ready", condition.Gate))
}

// obey opens the lane by hand. A panic ends this order alone.
func (l *lane) obey(ctx context.Context, g *gate.Gate, o order) {
	end := func(event uint64, err error) {
		select {
		case o.done <- ordered{event, err}:
		default:
		}
	}
	defer func() {
		if p := recover(); p != nil {
			l.log.Error("order panicked", "panic", panicText(p))
			end(0, errors.New("device: the order made the lane stumble; look whether it opened"))
		}
	}()
	switch {
	case o.ctx.Err() != nil:
		return
	case !l.serving.Load():
		end(0, l.outOfService())
		return
	}
	if l.out.burns() {
		end(0, errFireAlarm)
		return
	}
	if o.identify {
		end(l.beginToShow(ctx, g, o))
		l.showOn(ctx, g)
		return
	}
	dec, err := l.kiosk.decider.Override(o.ctx, l.entryLane(), o.by, o.why, l.kiosk.time.moment())
	if err != nil {
		end(0, err)
		return
	}
	l.kiosk.recorded(dec.RecordErr)
	if dec.Outcome != entry.Admit {
		end(0, fmt.Errorf("device: the opening could not be recorded, so the lane stays shut: %w", dec.RecordErr))
		return
	}
	l.open(ctx, g, dec, func(_ time.Time, err error) {
		l.log.Info("opened by hand", "outcome", dec.Outcome, "reason", dec.Reason, "event", dec.Event, "by", o.by, "error", err)
		end(dec.Event, err)
	})
}

// How a lane shows itself to somebody who stands there: by its red lamp, which opens nothing and means no guest in between.
const (
	showTimes = 3
	showDark  = 300 * time.Millisecond // between
)

// beginToShow records who wants the lane shown, and lights its lamp for the first time.
func (l *lane) beginToShow(ctx context.Context, g *gate.Gate, o order) (event uint64, err error) {
	if event, err = l.kiosk.note(o.ctx, l.cfg.Name, fmt.Sprintf("identify ordered by %s: %s", o.by, o.why)); err != nil {
		return 0, fmt.Errorf("device: it could not be recorded, so lane %s does not show itself: %w", l.cfg.Name, err)
	}
	return event, g.Refuse(ctx)
}

// showOn lights the lamp for the times that are left.
func (l *lane) showOn(ctx context.Context, g *gate.Gate) {
	lit := cmp.Or(time.Duration(l.cfg.Refusal), gate.DefaultRefusal)
	for range showTimes - 1 {
		pause := time.NewTimer(lit + showDark)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return
		}
		if g.Refuse(ctx) != nil {
			return // the gate has other things to do
		}
	}
}

// entryLane is the lane as decisions know it.
func (l *lane) entryLane() entry.Lane {
	return entry.Lane{Name: l.cfg.Name, Sensor: l.cfg.HasSensor(), Closed: l.closing.by.Load() != nil}
}

// callerKey is where a connection's context has the user at its other end.
type callerKey struct{}

// withCaller notes who is at the other end of a connection, as the kernel knows it (unix(7), SO_PEERCRED).
func withCaller(ctx context.Context, c net.Conn) context.Context {
	if s, ok := c.(*slotted); ok {
		c = s.Conn
	}
	socket, ok := c.(syscall.Conn)
	if !ok {
		return ctx
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return ctx
	}
	var peer *unix.Ucred
	err = raw.Control(func(fd uintptr) { peer, _ = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err != nil || peer == nil {
		return ctx
	}
	return context.WithValue(ctx, callerKey{}, peer.Uid)
}

func callerOf(ctx context.Context) (string, error) {
	uid, ok := ctx.Value(callerKey{}).(uint32)
	if !ok {
		return "", errors.New("device: nobody knows who asks, so nothing is done; ask over the kiosk's own socket")
	}
	return fmt.Sprintf("uid %d", uid), nil
}
