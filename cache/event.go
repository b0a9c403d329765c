// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"encoding/binary"
	"errors"
	"slices"

	"go.etcd.io/bbolt"

	"gatehouse/entry"
	"gatehouse/fleet"
)

// errEvent says that a stored event cannot be read.
var errEvent = errors.New("an event cannot be read")

func eventKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// body is an event as it is stored: when it is written in time, and when its caller could not wait for it.
type body struct{ inTime, late []byte }

func newBody(ev *entry.Event) (b body, err error) {
	if b.inTime, err = fleet.EncodeEvent(ev); err != nil {
		return b, err
	}
	late := *ev
	late.Late = true
	b.late, err = fleet.EncodeEvent(&late)
	return b, err
}

func (b body) of(late bool) []byte {
	if late {
		return b.late
	}
	return b.inTime
}

func decodeEvent(key, sealed []byte) (entry.Event, error) {
	_, body, err := splitEvent(key, sealed)
	if err != nil {
		return entry.Event{}, errEvent
	}
	ev, err := fleet.DecodeEvent(binary.BigEndian.Uint64(key), body)
	if err != nil {
		return entry.Event{}, errEvent
	}
	return ev, nil
}

// appendEvent gives an event the next number and puts it at the end of the chain.
func (l *Ledger) appendEvent(tx *bbolt.Tx, body []byte) (uint64, error) {
	t, err := readTail(tx)
	if err != nil {
		return 0, l.file.damaged("its tail cannot be read")
	}
	events := tx.Bucket(eventBucket)
	events.FillPercent = 1 // only ever appended to
	seq, err := events.NextSequence()
	if err != nil {
		return 0, err
	}
	key, before := eventKey(seq), t.link
	if last, value := events.Cursor().Last(); last != nil {
		if string(last) >= string(key) {
			return 0, l.file.damaged("its events are numbered beyond the next one")
		}
		if before, _, err = splitEvent(last, value); err != nil {
			return 0, l.file.damaged(err)
		}
	}
	link := before.Next(l.id, seq, body)
	sealed := seal(key, slices.Concat(link[:], body))
	t.bytes += kept(key, sealed)
	if err := t.write(tx); err != nil {
		return 0, err
	}
	return seq, events.Put(key, sealed)
}
