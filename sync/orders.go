// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"context"
	"time"

	"gatehouse/fleet"
)

// orders are the commands of one connection. A connection takes few: somebody stands behind each.
type orders struct{ seen map[fleet.Nonce]bool }

const maxOrders = 1024

// takeCommand carries a command out that the root allows, that names this boot and this connection, and that is new. A
// replayed one names another boot or connection, or was seen; whichever, it is answered once.
func (s *session) takeCommand(ctx context.Context, raw []byte) error {
	root := s.docs.Root()
	if root == nil {
		return nil
	}
	c, err := root.OpenCommand(raw, s.cfg.Place)
	if err != nil {
		return err // nobody who may order said it: no answer
	}
	if s.orders.seen[c.ID] || len(s.orders.seen) >= maxOrders {
		return nil
	}
	if s.orders.seen == nil {
		s.orders.seen = map[fleet.Nonce]bool{}
	}
	s.orders.seen[c.ID] = true // before it acts: never twice
	r := Result{ID: c.ID.String(), Code: "stale", Text: "it is for another boot or connection of this kiosk; send it again"}
	if c.Boot == s.cfg.Boot && c.Nonce == s.nonce {
		r = s.kiosk.Obey(ctx, c)
	}
	s.publish(LeafResult+"/"+c.ID.String(), false, 1, encodeNote(r))
	if r.Done && c.Action == fleet.ActionResync {
		s.reread(time.Now())
	}
	return nil
}
