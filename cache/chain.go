// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"gatehouse/fleet"
)

// ErrChain: an event is not the one that was recorded. Somebody changed the ledger's file; keep it, and find out who.
var ErrChain = errors.New("cache: the chain of events is broken")

// splitEvent takes a stored event apart: link, then body.
func splitEvent(key, sealed []byte) (link fleet.Link, body []byte, err error) {
	value, err := unseal(key, sealed)
	if err != nil || len(key) != 8 || len(value) < len(link) {
		return link, nil, errEvent
	}
	return fleet.Link(value), value[len(link):], nil
}

// chunk is how many events are checked in one read transaction: a longer one would hold a writer up that has to grow
// the file.
const chunk = 1024

// Chain is the events of a ledger that are kept, each of them the one that was recorded.
type Chain struct {
	First, Last uint64     // numbers; First is Last+1 where there is none
	Link        fleet.Link // at Last
}

// CheckChain follows the chain from the first event that is kept, and the hash that was kept of those before it, to the
// last. ErrChain names the first event that is not what was recorded.
func (l *Ledger) CheckChain(ctx context.Context) (Chain, error) {
	var at tail
	for begun := false; ; begun = true {
		if err := ctx.Err(); err != nil {
			return Chain{}, err
		}
		n := 0
		var first uint64
		err := l.file.view(func(tx *bbolt.Tx) error {
			t, err := readTail(tx)
			if err != nil {
				return l.file.damaged("its tail cannot be read")
			}
			if first = t.last + 1; !begun || t.last > at.last {
				at = t // what was looked at before was pruned meanwhile
			}
			c := tx.Bucket(eventBucket).Cursor()
			for key, value := c.Seek(eventKey(at.last + 1)); key != nil && n < chunk; key, value = c.Next() {
				is, body, err := splitEvent(key, value)
				if err != nil {
					return l.file.damaged(err)
				}
				seq := binary.BigEndian.Uint64(key)
				if seq != at.last+1 || is != at.link.Next(l.id, seq, body) {
					return fmt.Errorf("%w at event %d", ErrChain, at.last+1)
				}
				at.last, at.link = seq, is
				n++
			}
			return nil
		})
		if err != nil || n < chunk {
			return Chain{First: first, Last: at.last, Link: at.link}, err
		}
	}
}
