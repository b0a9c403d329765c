// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"gatehouse/entry"
)

// errEvent says that a stored event cannot be read.
var errEvent = errors.New("an event cannot be read")

func eventKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// encodeEvent writes an event without its number, which is its key, in deterministic CBOR (RFC 8949, section 4.2) with
// the time in microseconds.
func encodeEvent(ev *entry.Event) ([]byte, error) {
	body, err := deterministicCBOR.Marshal(ev)
	if err != nil {
		return nil, fmt.Errorf("cache: encode an event: %w", err)
	}
	return body, nil
}

// body is an event as it is stored: when it is written in time, and when its caller could not wait for it.
type body struct{ inTime, late []byte }

func newBody(ev *entry.Event) (b body, err error) {
	if b.inTime, err = encodeEvent(ev); err != nil {
		return b, err
	}
	late := *ev
	late.Late = true
	b.late, err = encodeEvent(&late)
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
	var ev entry.Event
	if err := storedCBOR.Unmarshal(body, &ev); err != nil {
		return entry.Event{}, errEvent
	}
	ev.Seq = binary.BigEndian.Uint64(key)
	ev.At = stored(ev.At)
	return ev, nil
}

// stored is the time of a stored event: seconds as a float come back a fraction of a microsecond off.
func stored(at time.Time) time.Time {
	if at.IsZero() {
		return at
	}
	return at.Round(time.Microsecond).UTC()
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
