// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package torture

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// step is one death. Who is dead gets up before, or not; the operator does something, or not.
func (n *network) step(ctx context.Context) error {
	parts := []part{theBroker, theCentre, theKiosk}
	n.chance.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	for _, p := range parts {
		if !n.runs(p) && n.chance.IntN(4) > 0 {
			if err := n.raise(ctx, p, n.place(p)); err != nil {
				return fmt.Errorf("%s: %w", p, err)
			}
		}
	}
	switch n.chance.IntN(4) {
	case 0:
		n.office.begin(func() { _ = n.office.revoke(ctx) })
	case 1:
		n.office.begin(func() { _ = n.office.order(ctx) })
	}
	n.pause(ctx)
	victim := n.died()
	for _, p := range parts {
		if victim == "" && n.runs(p) {
			victim = p
		}
	}
	if victim == "" {
		return nil // all were dead, and stayed so
	}
	if err := n.fell(ctx, victim); err != nil {
		return fmt.Errorf("%s: %w", victim, err)
	}
	return nil
}

// died is who died at its place, and nobody noticed yet.
func (n *network) died() part {
	switch {
	case n.centre != nil && dead(n.centre):
		return theCentre
	case n.life != nil && dead(n.life.kiosk):
		return theKiosk
	}
	return ""
}

// place is where a part that starts dies: each second time at one of its places, in turn, so that a short run has most of them.
func (n *network) place(p part) point {
	places := map[part][]point{theCentre: {beforeCommit, beforeReceipt}, theKiosk: {beforeAnswer, beforeFloor, beforeRelay}}[p]
	n.starts[p]++
	if len(places) == 0 || n.starts[p]%2 == 0 {
		return anywhere
	}
	return places[(n.starts[p]/2)%len(places)]
}

// Bounds of what is waited for before somebody dies.
const (
	progressMost = 2 * time.Second
	placedMost   = 3 * time.Second
)

// pause waits for the moment of a death: who dies at a place gets there, or the collector takes something, or a moment
// comes that has nothing to it.
func (n *network) pause(ctx context.Context) {
	if n.life == nil || n.died() != "" {
		return
	}
	all := n.listen && n.centre != nil
	switch {
	case all && n.at[theCentre] != anywhere:
		wait(ctx, placedMost, n.centre.ended)
	case all && n.at[theKiosk] == beforeFloor:
		n.office.begin(func() { _ = n.office.revoke(ctx) })
		wait(ctx, placedMost, n.life.kiosk.ended)
	case all && n.at[theKiosk] == beforeAnswer:
		n.office.begin(func() { _ = n.office.order(ctx) })
		wait(ctx, placedMost, n.life.kiosk.ended)
	case all && n.chance.IntN(2) == 0:
		n.progress(ctx)
		wait(ctx, time.Duration(n.chance.Int64N(int64(50*time.Millisecond))), n.life.kiosk.ended)
	default:
		n.moment(ctx, n.life)
	}
}

// progress waits until the kiosk hears that the collector has more than it had, if all of them live to see it.
func (n *network) progress(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, progressMost)
	defer cancel()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	had, known := uint64(0), false
	for {
		if st, err := n.client.Status(ctx); err == nil {
			if known && st.Ledger.Received > had {
				return
			}
			had, known = st.Ledger.Received, true
		}
		select {
		case <-poll.C:
		case <-n.life.kiosk.ended:
			return
		case <-ctx.Done():
			return
		}
	}
}

// upkeep is after how long a kiosk has surely looked whether it may forget something.
const upkeep = 70 * time.Second

var errForgot = errors.New("the kiosk forgot what the collector does not have, or did not forget what it has")

// forget has the kiosk live for so long that it forgets old events: none while there is no collector, and then those that the
// collector has.
func (n *network) forget(ctx context.Context) error {
	if err := n.office.revoke(ctx); err != nil { // a kiosk that knows no root takes no receipt
		return err
	}
	for _, c := range []struct {
		centre bool
		gone   uint64
	}{{false, 0}, {true, old}} {
		if c.centre {
			if err := n.raise(ctx, theCentre, anywhere); err != nil {
				return err
			}
		}
		if err := n.raise(ctx, theKiosk, anywhere); err != nil {
			return err
		}
		wait(ctx, upkeep, n.life.kiosk.ended)
		if err := errors.Join(n.checkReceived(ctx), n.fell(ctx, theKiosk)); err != nil {
			return err
		}
		if n.record.pruned != c.gone {
			return fmt.Errorf("%w: it has none up to event %d", errForgot, n.record.pruned)
		}
	}
	return n.hold(ctx, 0)
}
