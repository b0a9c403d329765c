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
	"gatehouse/fleet"
)

// Reserve records an admission: it counts the uses of each pass, takes one of each and appends the event, in one
// transaction, and returns when it is durable. Of a pass without a limit no use is counted or taken. It fills ev.Seq. Where
// one pass is at its limit nothing is written, and the error is a *entry.UsedError with every previous use of that pass.
//
// When ctx ends first nobody is let in, and no use stays taken: before its turn nothing is written, and what was under
// way (ErrOutcomeUnknown beside ctx's error) is taken back by the writer, with an event, as soon as it is durable.
func (l *Ledger) Reserve(ctx context.Context, ev *entry.Event, uses ...entry.Use) error {
	uses, err := limited(uses)
	if err != nil {
		return err
	}
	body, err := fleet.EncodeEvent(ev)
	if err != nil {
		return err
	}
	undone := &entry.Event{At: ev.At, Clock: ev.Clock, Kind: entry.EventPassage, Lane: ev.Lane, Passage: entry.NotPassed, Late: true}
	taken := useEntry{At: ev.At.UnixMicro(), Lane: ev.Lane}
	err = l.submit(ctx, &job{
		do: func(tx *bbolt.Tx, _ bool) (err error) {
			taken.Seq, err = l.reserve(tx, uses, taken, body)
			return err
		},
		amend: func(tx *bbolt.Tx) error {
			undone.Of = taken.Seq
			return l.undoReserve(tx, uses, undone)
		},
		drop: true,
	})
	if err == nil {
		ev.Seq = taken.Seq
	}
	return err
}

// limited are the uses to be taken: those of passes that have a limit, each pass once.
func limited(uses []entry.Use) ([]entry.Use, error) {
	var taken []entry.Use
	for _, u := range uses {
		if u.Limit == 0 {
			continue
		}
		again := func(t entry.Use) bool { return t.Pass == u.Pass }
		if u.Pass == (entry.PassHash{}) || slices.ContainsFunc(taken, again) {
			return nil, ErrUse
		}
		taken = append(taken, u)
	}
	return taken, nil
}

// undoReserve takes an admission back whose caller had left when it became durable: its guest was not let in, so that a
// pass has no use of it, not even an annulled one, which tells of a gate that was open. The event has the time of the
// decision.
func (l *Ledger) undoReserve(tx *bbolt.Tx, uses []entry.Use, undone *entry.Event) error {
	body, err := fleet.EncodeEvent(undone)
	if err != nil {
		return err
	}
	if _, err := l.appendEvent(tx, body); err != nil || len(uses) == 0 {
		return err
	}
	for _, use := range uses {
		taken, err := l.findUse(tx, use.Pass, undone.Of)
		if err != nil {
			return err
		}
		if err := taken.remove(tx); err != nil {
			return err
		}
	}
	return tx.Bucket(openBucket).Delete(eventKey(undone.Of))
}

// reserve looks at every pass before it writes: a use is taken of all of them or of none.
func (l *Ledger) reserve(tx *bbolt.Tx, uses []entry.Use, taken useEntry, body []byte) (uint64, error) {
	records := make([]*useRecord, len(uses))
	for i, use := range uses {
		record, err := l.readUses(tx, use.Pass)
		if err != nil {
			return 0, err
		}
		if record.standing() >= use.Limit {
			return 0, &entry.UsedError{Past: record.past()}
		}
		records[i] = record
	}
	seq, err := l.appendEvent(tx, body)
	if err != nil {
		return 0, err
	}
	taken.Seq = seq
	var open []byte // the passes whose use can still change
	for i, use := range uses {
		taken.State = stateCommitted
		if !use.Final {
			taken.State = stateReserved
			open = append(open, use.Pass[:]...)
		}
		records[i].Uses = append(records[i].Uses, taken)
		records[i].keepUntil(use.Expires)
		if err := writeUses(tx, use.Pass, records[i]); err != nil {
			return 0, err
		}
	}
	if open == nil {
		return seq, nil
	}
	key := eventKey(seq)
	return seq, tx.Bucket(openBucket).Put(key, seal(key, open))
}

// Settle commits (passed, unknown, fault) or annuls (not passed) the uses that were reserved with the event ev.Of, and
// appends ev, in one durable transaction. A passage that comes after the annulment commits them again, as long as this
// ledger is open. ErrNoReservation when the use was committed before. It fills ev.Seq; a context that ends counts as for
// Record.
//
// Where ev.Of is 0 somebody left: of each pass in left the newest use that stands is given back; none is where none stands.
func (l *Ledger) Settle(ctx context.Context, ev *entry.Event, left ...entry.PassHash) error {
	state := stateCommitted
	switch ev.Passage {
	case entry.NotPassed:
		state = stateAnnulled
	case entry.Passed, entry.PassageUnknown, entry.Fault:
	default:
		return fmt.Errorf("cache: %q is no way in which an admission ends", ev.Passage)
	}
	return l.appendWith(ctx, ev, func(tx *bbolt.Tx) error {
		if ev.Of == 0 {
			return l.giveBack(tx, left)
		}
		r, err := l.findOpen(tx, ev.Of)
		if err != nil {
			return err
		}
		return r.end(tx, state)
	})
}

func (l *Ledger) giveBack(tx *bbolt.Tx, left []entry.PassHash) error {
	for _, pass := range left {
		record, err := l.readUses(tx, pass)
		if err != nil {
			return err
		}
		if !record.giveBack() {
			continue
		}
		if err := writeUses(tx, pass, record); err != nil {
			return err
		}
	}
	return nil
}

// reservation is an admission whose uses, at least one, can still change their state. They do so together.
type reservation struct {
	seq  uint64
	uses []openUse
}

// openUse is one pass's use of a reservation.
type openUse struct {
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
	const size = len(entry.PassHash{})
	hashes, err := unseal(key, sealed)
	if err != nil || len(hashes) == 0 || len(hashes)%size != 0 {
		return nil, l.file.damaged("a reservation cannot be read")
	}
	r := &reservation{seq: seq}
	for hash := range slices.Chunk(hashes, size) {
		u, err := l.findUse(tx, entry.PassHash(hash), seq)
		if err != nil {
			return nil, err
		}
		r.uses = append(r.uses, u)
	}
	return r, nil
}

// findUse finds the use of a pass that an event took.
func (l *Ledger) findUse(tx *bbolt.Tx, pass entry.PassHash, seq uint64) (u openUse, err error) {
	u.pass = pass
	if u.record, err = l.readUses(tx, pass); err != nil {
		return u, err
	}
	if u.use = u.record.find(seq); u.use == nil {
		return u, l.file.damaged("the use of a reservation is missing")
	}
	return u, nil
}

func (u openUse) put(tx *bbolt.Tx, state useState) error {
	if u.use.State == state {
		return nil
	}
	u.use.State = state
	return writeUses(tx, u.pass, u.record)
}

// remove takes the use out of the pass's record, and a record without a use out of the ledger.
func (u openUse) remove(tx *bbolt.Tx) error {
	seq := u.use.Seq // u.use moves with the others
	u.record.Uses = slices.DeleteFunc(u.record.Uses, func(e useEntry) bool { return e.Seq == seq })
	if len(u.record.Uses) == 0 {
		return tx.Bucket(useBucket).Delete(u.pass[:])
	}
	return writeUses(tx, u.pass, u.record)
}

func (r *reservation) state() useState { return r.uses[0].use.State }

// end writes the state. An annulled use stays open, for the passage that may come late.
func (r *reservation) end(tx *bbolt.Tx, state useState) error {
	for _, u := range r.uses {
		if err := u.put(tx, state); err != nil {
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
	if r.state() == stateAnnulled {
		return tx.Bucket(openBucket).Delete(eventKey(seq))
	}
	if err := r.end(tx, stateUncertain); err != nil {
		return err
	}
	body, err := fleet.EncodeEvent(&entry.Event{
		At: at, Kind: entry.EventPassage, Lane: r.uses[0].use.Lane, Passage: entry.PassageUnknown, Of: seq,
	})
	if err != nil {
		return err
	}
	l.recovered++
	_, err = l.appendEvent(tx, body)
	return err
}
