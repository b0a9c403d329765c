// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"
)

// Kept is the ledger as it is durable now, for a floor to remember.
func (l *Ledger) Kept() (Kept, error) {
	if fault := l.file.fault.Load(); fault != nil {
		return Kept{}, *fault
	}
	if k := l.durable.Load(); k != nil {
		return *k, nil
	}
	return Kept{}, l.file.damaged("its newest event cannot be read")
}

// settle notes what is durable. Only the writer may call it, after a write: readers see a commit before its fsync ends,
// and a floor that remembered such a one would miss it after a power cut.
func (l *Ledger) settle() {
	k, err := l.newest()
	if err != nil {
		l.durable.Store(nil)
		return
	}
	l.durable.Store(&k)
}

// newest is the ledger up to the newest event that a reader sees.
func (l *Ledger) newest() (Kept, error) {
	k := Kept{ID: l.ID()}
	err := l.file.view(func(tx *bbolt.Tx) error {
		key, value := tx.Bucket(eventBucket).Cursor().Last()
		if key == nil {
			return nil
		}
		link, _, err := splitEvent(key, value)
		if err != nil {
			return l.file.damaged(err)
		}
		k.Last, k.Link = binary.BigEndian.Uint64(key), link
		return nil
	})
	if err != nil {
		return Kept{}, err
	}
	return k, nil
}

// Holds tells whether this ledger goes on from what a floor remembers of it: nil, or ErrChain where it is another one, was
// put back to an earlier state or rewritten. The writer of a file can make a chain that is whole in itself; it cannot
// make the link that is remembered elsewhere.
func (l *Ledger) Holds(k Kept) error {
	if k.ID != l.ID() {
		return fmt.Errorf("%w: this is ledger %s, and %s was kept here", ErrChain, l.ID(), k.ID)
	}
	if k.Last == 0 {
		return nil
	}
	return l.file.view(func(tx *bbolt.Tx) error {
		if t, err := readTail(tx); err == nil && t.last == k.Last && t.link == k.Link {
			return nil
		}
		value := tx.Bucket(eventBucket).Get(eventKey(k.Last))
		if value == nil {
			return fmt.Errorf("%w: event %d was recorded here and is gone", ErrChain, k.Last)
		}
		link, _, err := splitEvent(eventKey(k.Last), value)
		if err != nil {
			return l.file.damaged(err)
		}
		if link != k.Link {
			return fmt.Errorf("%w: event %d is not the one that was recorded", ErrChain, k.Last)
		}
		return nil
	})
}
