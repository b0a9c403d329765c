// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"gatehouse/entry"
	"gatehouse/fleet"
)

// closedBucket of ledger.db is there once a lane was closed: lane → number (8) of the event that closed it, and the event.
// It goes on to say so when the event itself is pruned.
var closedBucket = []byte("closed")

// SetClosed records that staff closed a lane or released it (ev.Kind), and keeps which lanes are closed, in one transaction;
// it returns when that is durable, and fills ev.Seq. When ctx ends first the lane is as it was: before its turn nothing is
// written, and what was under way (ErrOutcomeUnknown beside ctx's error) is taken back by the writer, with an event.
func (l *Ledger) SetClosed(ctx context.Context, ev *entry.Event) error {
	undone := &entry.Event{At: ev.At, Clock: ev.Clock, Kind: entry.EventReleased, Lane: ev.Lane, Late: true, Note: "nobody waited for it: the lane stays as it was"}
	switch ev.Kind {
	case entry.EventClosed:
	case entry.EventReleased:
		undone.Kind = entry.EventClosed
	default:
		return fmt.Errorf("cache: an event of kind %q closes no lane and releases none", ev.Kind)
	}
	body, err := fleet.EncodeEvent(ev)
	if err != nil {
		return err
	}
	var seq uint64
	var before []byte
	err = l.submit(ctx, &job{
		do: func(tx *bbolt.Tx, _ bool) error {
			closed, err := tx.CreateBucketIfNotExists(closedBucket)
			if err != nil {
				return err
			}
			before = bytes.Clone(closed.Get([]byte(ev.Lane)))
			if seq, err = l.appendEvent(tx, body); err != nil {
				return err
			}
			var now []byte
			if ev.Kind == entry.EventClosed {
				now = seal([]byte(ev.Lane), append(eventKey(seq), body...))
			}
			return putClosed(tx, ev.Lane, now)
		},
		amend: func(tx *bbolt.Tx) error {
			undone.Of = seq
			body, err := fleet.EncodeEvent(undone)
			if err != nil {
				return err
			}
			if _, err := l.appendEvent(tx, body); err != nil {
				return err
			}
			return putClosed(tx, ev.Lane, before)
		},
		drop: true,
	})
	if err == nil {
		ev.Seq = seq
	}
	return err
}

// putClosed keeps what is said of a lane; nil is that it is not closed.
func putClosed(tx *bbolt.Tx, lane string, sealed []byte) error {
	if sealed == nil {
		return tx.Bucket(closedBucket).Delete([]byte(lane))
	}
	return tx.Bucket(closedBucket).Put([]byte(lane), sealed)
}

// Closed are the events that closed the lanes which nobody has released, by lane. A lane of which it cannot be read comes
// with an event without a number: it is closed, and nobody can say why.
func (l *Ledger) Closed() (list map[string]entry.Event, err error) {
	list = map[string]entry.Event{}
	err = l.file.view(func(tx *bbolt.Tx) error {
		closed := tx.Bucket(closedBucket)
		if closed == nil {
			return nil
		}
		return closed.ForEach(func(lane, sealed []byte) error {
			ev := entry.Event{Kind: entry.EventClosed, Lane: string(lane)}
			body, err := unseal(lane, sealed)
			if err == nil && len(body) > 8 {
				if closing, err := fleet.DecodeEvent(binary.BigEndian.Uint64(body), body[8:]); err == nil {
					ev = closing
				}
			}
			list[string(lane)] = ev
			return nil
		})
	})
	return list, err
}
