// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"context"

	"gatehouse/fleet"
)

// orders are the commands of one connection. A connection takes few: somebody stands behind each.
type orders struct{ seen map[fleet.Nonce]bool }

const maxOrders = 1024

// takeCommand carries a command out that the root allows, that names this boot and this connection, and that is new. A
// replayed one names another boot or connection, or was seen.
func (s *session) takeCommand(ctx context.Context, raw []byte) error {
	root := s.docs.Root()
	if root == nil {
		return nil
	}
	c, err := root.OpenCommand(raw, s.cfg.Place)
	if err != nil {
		return err // nobody who may order said it: no answer
	}
	r := Result{ID: c.ID.String()}
	switch {
	case c.Boot != s.cfg.Boot || c.Nonce != s.nonce:
		r.Code, r.Text = "stale", "it is for another boot or connection of this kiosk; send it again"
	case s.orders.seen[c.ID] || len(s.orders.seen) >= maxOrders:
		return nil
	default:
		if s.orders.seen == nil {
			s.orders.seen = map[fleet.Nonce]bool{}
		}
		s.orders.seen[c.ID] = true // before it acts: never twice
		r = s.kiosk.Obey(ctx, c)
	}
	s.publish(LeafResult+"/"+c.ID.String(), false, 1, encodeNote(r))
	if c.Action == fleet.ActionResync {
		return s.subscribe(ctx)
	}
	return nil
}
