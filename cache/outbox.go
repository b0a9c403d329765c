// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"gatehouse/fleet"
)

// metaReceipt is the last receipt that was written down. A version that does not know it sends events twice, which
// nobody minds, so no schema was made for it.
var metaReceipt = []byte("receipt")

const receiptSize = 8 + len(fleet.Link{})

// Receipt is the last receipt that was taken, Seq 0 before the first.
func (l *Ledger) Receipt() fleet.Receipt {
	if r := l.receipt.Load(); r != nil {
		return *r
	}
	return fleet.Receipt{Ledger: l.id}
}

// Records are the events that follow a number: as many as a batch may have, and of what is durable only, for a power cut
// could take back what is not. None is nil. An event that was pruned cannot be had, and those after it are returned.
func (l *Ledger) Records(after uint64) (*fleet.Records, error) {
	durable, err := l.Kept()
	if err != nil || after >= durable.Last {
		return nil, err
	}
	r := &fleet.Records{Ledger: l.id}
	err = l.file.view(func(tx *bbolt.Tx) error {
		t, err := readTail(tx)
		if err != nil {
			return l.file.damaged("its tail cannot be read")
		}
		r.Oldest = t.last + 1
		r.First = max(after+1, r.Oldest)
		if r.Before, err = l.linkAt(tx, t, r.First-1); err != nil {
			return err
		}
		size := 0
		c := tx.Bucket(eventBucket).Cursor()
		for key, sealed := c.Seek(eventKey(r.First)); key != nil && len(r.Events) < fleet.MaxRecords; key, sealed = c.Next() {
			_, body, err := splitEvent(key, sealed)
			if err != nil || binary.BigEndian.Uint64(key) != r.First+uint64(len(r.Events)) {
				return l.file.damaged(errEvent)
			}
			if size += len(body); size > fleet.MaxRecordBytes || binary.BigEndian.Uint64(key) > durable.Last {
				break
			}
			r.Events = append(r.Events, append([]byte(nil), body...))
		}
		return nil
	})
	if err != nil || len(r.Events) == 0 {
		return nil, err
	}
	return r, nil
}

// linkAt is the chain's hash at an event that is kept, or at the newest that was pruned.
func (l *Ledger) linkAt(tx *bbolt.Tx, t tail, seq uint64) (fleet.Link, error) {
	if seq == t.last {
		return t.link, nil
	}
	link, _, err := splitEvent(eventKey(seq), tx.Bucket(eventBucket).Get(eventKey(seq)))
	if err != nil {
		return link, l.file.damaged(err)
	}
	return link, nil
}

// Acknowledge takes a receipt: the collector has the events up to its number. fleet.ErrAhead where this ledger never wrote
// that many, ErrChain where it wrote others; then nothing counts as received. A receipt of another ledger, or an older
// one, says nothing. What is taken is written down with SaveReceipt.
func (l *Ledger) Acknowledge(r fleet.Receipt) error {
	if r.Ledger != l.id || r.Seq == 0 {
		return nil
	}
	durable, err := l.Kept()
	if err != nil {
		return err
	}
	if r.Seq > durable.Last {
		return fmt.Errorf("%w: event %d of ledger %s, which ends at %d", fleet.ErrAhead, r.Seq, l.id, durable.Last)
	}
	return l.file.view(func(tx *bbolt.Tx) error {
		t, err := readTail(tx)
		if err != nil {
			return l.file.damaged("its tail cannot be read")
		}
		if r.Seq < t.last {
			return nil // pruned, and so acknowledged before or given up
		}
		link, err := l.linkAt(tx, t, r.Seq)
		if err != nil {
			return err
		}
		if link != r.Link {
			return fmt.Errorf("%w: the collector has another event %d of ledger %s", ErrChain, r.Seq, l.id)
		}
		for {
			was := l.receipt.Load()
			if was != nil && was.Seq >= r.Seq || l.receipt.CompareAndSwap(was, &r) {
				return nil
			}
		}
	})
}

// SaveReceipt writes down the last receipt, so that less is sent again after a restart. It is not written with each one:
// that would cost a lane half its disk.
func (l *Ledger) SaveReceipt(ctx context.Context) error {
	r := l.receipt.Load()
	if r == nil || r.Seq == l.saved.Load() {
		return nil
	}
	err := l.submit(ctx, &job{drop: true, do: func(tx *bbolt.Tx, _ bool) error {
		value := append(binary.BigEndian.AppendUint64(nil, r.Seq), r.Link[:]...)
		return tx.Bucket(metaBucket).Put(metaReceipt, seal(metaReceipt, value))
	}})
	if err == nil {
		l.saved.Store(r.Seq)
	}
	return err
}

// loadReceipt reads the receipt that was written down. One that cannot be read is as good as none: events are sent again.
func (l *Ledger) loadReceipt() error {
	return l.file.view(func(tx *bbolt.Tx) error {
		value, err := unseal(metaReceipt, tx.Bucket(metaBucket).Get(metaReceipt))
		if err != nil || len(value) != receiptSize {
			return nil
		}
		r := fleet.Receipt{Ledger: l.id, Seq: binary.BigEndian.Uint64(value), Link: fleet.Link(value[8:])}
		l.receipt.Store(&r)
		l.saved.Store(r.Seq)
		return nil
	})
}

// Waiting is how much the events take that the collector does not have yet, in bytes: about, for they are of many lengths.
func (l *Ledger) Waiting() (bytes uint64, err error) {
	durable, err := l.Kept()
	if err != nil {
		return 0, err
	}
	err = l.file.view(func(tx *bbolt.Tx) error {
		t, err := readTail(tx)
		if err != nil {
			return l.file.damaged("its tail cannot be read")
		}
		received := max(l.Receipt().Seq, t.last)
		if kept := durable.Last - min(t.last, durable.Last); kept > 0 && received < durable.Last {
			bytes = t.bytes / kept * (durable.Last - received)
		}
		return nil
	})
	return bytes, err
}
