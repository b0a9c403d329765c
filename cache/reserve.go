// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"gatehouse/entry"
)

// Reserve records an admission: it counts the uses of a pass, takes one and appends the event, in one transaction, and
// returns when it is durable. Without a limit no use is counted or taken. It fills ev.Seq. At the limit nothing is written
// and the error is a *entry.UsedError with every previous use.
//
// When ctx ends first nobody is let in, and no use stays taken: before its turn nothing is written, and what was under
// way (ErrOutcomeUnknown beside ctx's error) is taken back by the writer, with an event, as soon as it is durable.
func (l *Ledger) Reserve(ctx context.Context, use entry.Use, ev *entry.Event) error {
	if use.Limit != 0 && use.Pass == (entry.PassHash{}) {
		return ErrUse
	}
	body, err := encodeEvent(ev)
	if err != nil {
		return err
	}
	undone := &entry.Event{At: ev.At, Clock: ev.Clock, Kind: entry.EventPassage, Lane: ev.Lane, Passage: entry.NotPassed, Late: true}
	taken := useEntry{At: ev.At.UnixMicro(), Lane: ev.Lane, State: stateReserved}
	if use.Final {
		taken.State = stateCommitted
	}
	err = l.submit(ctx, &job{
		do: func(tx *bbolt.Tx, _ bool) (err error) {
			if use.Limit == 0 {
				taken.Seq, err = l.appendEvent(tx, body)
			} else {
				taken.Seq, err = l.reserve(tx, use, taken, body)
			}
			return err
		},
		amend: func(tx *bbolt.Tx) error {
			undone.Of = taken.Seq
			return l.undoReserve(tx, use, undone)
		},
		drop: true,
	})
	if err == nil {
		ev.Seq = taken.Seq
	}
	return err
}

// undoReserve takes an admission back whose caller had left when it became durable: its guest was not let in, so that the
// pass has no use of it, not even an annulled one, which tells of a gate that was open. The event has the time of the
// decision.
func (l *Ledger) undoReserve(tx *bbolt.Tx, use entry.Use, undone *entry.Event) error {
	body, err := encodeEvent(undone)
	if err != nil {
		return err
	}
	if _, err := l.appendEvent(tx, body); err != nil || use.Limit == 0 {
		return err
	}
	record, err := l.readUses(tx, use.Pass)
	if err != nil {
		return err
	}
	if record.find(undone.Of) == nil {
		return l.file.damaged("the use of a reservation is missing")
	}
	record.Uses = slices.DeleteFunc(record.Uses, func(u useEntry) bool { return u.Seq == undone.Of })
	if len(record.Uses) == 0 {
		err = tx.Bucket(useBucket).Delete(use.Pass[:])
	} else {
		err = writeUses(tx, use.Pass, record)
	}
	if err != nil {
		return err
	}
	return tx.Bucket(openBucket).Delete(eventKey(undone.Of))
}

func (l *Ledger) reserve(tx *bbolt.Tx, use entry.Use, taken useEntry, body []byte) (uint64, error) {
	record, err := l.readUses(tx, use.Pass)
	if err != nil {
		return 0, err
	}
	if record.standing() >= use.Limit {
		return 0, &entry.UsedError{Past: record.past()}
	}
	seq, err := l.appendEvent(tx, body)
	if err != nil {
		return 0, err
	}
	taken.Seq = seq
	record.Uses = append(record.Uses, taken)
	record.keepUntil(use.Expires)
	if err := writeUses(tx, use.Pass, record); err != nil {
		return 0, err
	}
	if taken.State != stateReserved {
		return seq, nil
	}
	key := eventKey(seq)
	return seq, tx.Bucket(openBucket).Put(key, seal(key, use.Pass[:]))
}

// Settle commits (passed, unknown, fault) or annuls (not passed) the use that was reserved with the event ev.Of, and
// appends ev, in one durable transaction. A passage that comes after the annulment commits the use again, as long as this
// ledger is open. ErrNoReservation when the use was committed before. It fills ev.Seq; a context that ends counts as for
// Record.
func (l *Ledger) Settle(ctx context.Context, ev *entry.Event) error {
	state := stateCommitted
	switch ev.Passage {
	case entry.NotPassed:
		state = stateAnnulled
	case entry.Passed, entry.PassageUnknown, entry.Fault:
	default:
		return fmt.Errorf("cache: %q is no way in which an admission ends", ev.Passage)
	}
	return l.appendWith(ctx, ev, func(tx *bbolt.Tx) error {
		r, err := l.findOpen(tx, ev.Of)
		if err != nil {
			return err
		}
		return r.end(tx, state)
	})
}

// reservation is a use that can still change its state.
type reservation struct {
	seq    uint64
	pass   entry.PassHash
	record *useRecord
	use    *useEntry // within record
}

func (l *Ledger) findOpen(tx *bbolt.Tx, seq uint64) (*reservation, error) {
	key := eventKey(seq)
	sealed := tx.Bucket(openBucket).Get(key)
	if sealed == nil {
		return nil, fmt.Errorf("%w: %d", ErrNoReservation, seq)
	}
	hash, err := unseal(key, sealed)
	if err != nil || len(hash) != len(entry.PassHash{}) {
		return nil, l.file.damaged("a reservation cannot be read")
	}
	r := &reservation{seq: seq, pass: entry.PassHash(hash)}
	if r.record, err = l.readUses(tx, r.pass); err != nil {
		return nil, err
	}
	if r.use = r.record.find(seq); r.use == nil {
		return nil, l.file.damaged("the use of a reservation is missing")
	}
	return r, nil
}

// end writes the state. An annulled use stays open, for the passage that may come late.
func (r *reservation) end(tx *bbolt.Tx, state useState) error {
	if r.use.State != state {
		r.use.State = state
		if err := writeUses(tx, r.pass, r.record); err != nil {
			return err
		}
	}
	if state == stateAnnulled {
		return nil
	}
	return tx.Bucket(openBucket).Delete(eventKey(r.seq))
}

// recover ends the reservations that the last process left open.
func (l *Ledger) recover(at time.Time) error {
	var left []uint64
	err := l.file.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(openBucket).ForEach(func(key, _ []byte) error {
			if len(key) != 8 {
				return l.file.damaged("a reservation cannot be read")
			}
			left = append(left, binary.BigEndian.Uint64(key))
			return nil
		})
	})
	if err != nil || len(left) == 0 {
		return err
	}
	return l.file.update(func(tx *bbolt.Tx) error {
		for _, seq := range left {
			if err := l.recoverOne(tx, seq, at); err != nil {
				return err
			}
		}
		return nil
	})
}

// recoverOne commits a reserved use as unknown, with an event that says so. Of an annulled one nothing is left to
// wait for.
func (l *Ledger) recoverOne(tx *bbolt.Tx, seq uint64, at time.Time) error {
	r, err := l.findOpen(tx, seq)
	if err != nil {
		return err
	}
	if r.use.State == stateAnnulled {
		return tx.Bucket(openBucket).Delete(eventKey(seq))
	}
	if err := r.end(tx, stateUncertain); err != nil {
		return err
	}
	body, err := encodeEvent(&entry.Event{
		At: at, Kind: entry.EventPassage, Lane: r.use.Lane, Passage: entry.PassageUnknown, Of: seq,
	})
	if err != nil {
		return err
	}
	l.recovered++
	_, err = l.appendEvent(tx, body)
	return err
}
