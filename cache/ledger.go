// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"gatehouse/entry"
	"gatehouse/fleet"
)

// The buckets of ledger.db. Every value is sealed.
//
//	events  number (8, big-endian, from 1) → the event in deterministic CBOR
//	uses    PassHash (16)                  → useRecord in deterministic CBOR
//	open    number of a reservation        → the PassHash of each of its passes, one or two; it goes when they are committed
//
// open is apart from events because the event of a private pass does not tell whose use it took.
var (
	eventBucket = []byte("events")
	useBucket   = []byte("uses")
	openBucket  = []byte("open")
)

// The errors of a ledger beside entry.ErrUsed and the conditions of its file.
var (
	// ErrOutcomeUnknown: the caller's context ended while its reservation was under way. It may yet become durable, and
	// is then taken back at once; only if the process ends in between the use stands although nobody was let in. It comes
	// beside the context's error.
	ErrOutcomeUnknown = errors.New("cache: the ledger's write goes on and is taken back when it is durable")
	// ErrNoReservation: no open reservation has this number; it was committed before or never made.
	ErrNoReservation = errors.New("cache: no open reservation has this number")
	// ErrUse: the use cannot be taken as it was described: a limit and no pass, or one pass twice.
	ErrUse = errors.New("cache: a use that is limited needs a pass, and one of its own")
)

// LedgerOptions are the choices of OpenLedger.
type LedgerOptions struct {
	// At is the time that the kiosk believes, for the events of reservations found open.
	At time.Time
	// NoSync leaves out every fsync. What is acknowledged is then lost in a power cut: for benchmarks only.
	NoSync bool
}

// Ledger is ledger.db: the uses of passes and the events, in the order in which they became durable. It implements
// entry.Ledger and entry.History and is safe for concurrent use. One goroutine of its own does all the writing, because
// bbolt cannot abandon an update: a caller whose context ends leaves while the write goes on. Nobody stays let in by a
// reservation that its caller did not wait for, and no other write is lost by a caller who leaves.
type Ledger struct {
	file      *file
	id        fleet.LedgerID
	recovered int
	commits   atomic.Uint64
	pending   atomic.Int64
	durable   atomic.Pointer[Kept] // nil where the newest event cannot be read
	receipt   atomic.Pointer[fleet.Receipt]
	saved     atomic.Uint64 // number of the receipt that is written down

	mu     sync.RWMutex // held to send on jobs, and to close it
	jobs   chan *job
	closed bool
	writer sync.WaitGroup

	sweeping sync.Mutex
	sweep    sweep

	stall func() // for tests: the disk takes as long as this does, within each write
}

var _ interface {
	entry.Ledger
	entry.History
} = (*Ledger)(nil)

// OpenLedger opens the ledger at path, or begins one where there is none. Reservations found open, from a process that
// ended between relay and passage, are committed as unknown: the guest may have walked through.
//
// A damaged ledger is refused with ErrDamaged and left as it is; ErrInUse, ErrNewerSchema and what the system says of
// the file come with what to do.
func OpenLedger(path string, o LedgerOptions) (*Ledger, error) {
	f, err := openFile(path, kindLedger, o.NoSync)
	if err != nil {
		return nil, err
	}
	l := &Ledger{file: f, jobs: make(chan *job, queued)}
	rand.Read(l.sweep.pass[:]) // a kiosk that is started often looks at other uses each time
	if err := errors.Join(l.check(), l.loadReceipt(), l.recover(o.At)); err != nil {
		f.close()
		return nil, err
	}
	l.settle()
	l.writer.Go(l.write)
	return l, nil
}

// check reads the id and sees that the first and the last of the kept events are there.
func (l *Ledger) check() error {
	return l.file.view(func(tx *bbolt.Tx) error {
		id, err := unseal(metaID, tx.Bucket(metaBucket).Get(metaID))
		if err != nil || copy(l.id[:], id) != len(l.id) {
			return l.file.damaged("its id cannot be read")
		}
		t, err := readTail(tx)
		if err != nil {
			return l.file.damaged("its tail cannot be read")
		}
		events := tx.Bucket(eventBucket)
		first, _ := events.Cursor().First()
		key, value := events.Cursor().Last()
		if key == nil && events.Sequence() == 0 && t.last == 0 {
			return nil
		}
		if len(key) != 8 || binary.BigEndian.Uint64(key) != events.Sequence() {
			return l.file.damaged("its newest event is missing")
		}
		if len(first) != 8 || binary.BigEndian.Uint64(first) != t.last+1 {
			return l.file.damaged("its oldest event is missing")
		}
		if _, err := unseal(key, value); err != nil {
			return l.file.damaged("its newest event cannot be read")
		}
		return nil
	})
}

// Record appends an event, returns when it is durable, and fills ev.Seq. When ctx ends first the error is entry.ErrLate:
// the event is held in memory and written later, as late, or followed by an event that says so where it was under way. While more than a few hundred
// are held, nothing is, and the error is ctx's alone.
func (l *Ledger) Record(ctx context.Context, ev *entry.Event) error {
	return l.appendWith(ctx, ev, func(*bbolt.Tx) error { return nil })
}

// appendWith appends an event in the transaction that does something else first.
func (l *Ledger) appendWith(ctx context.Context, ev *entry.Event, first func(*bbolt.Tx) error) error {
	body, err := newBody(ev)
	if err != nil {
		return err
	}
	var seq uint64
	note := &entry.Event{At: ev.At, Clock: ev.Clock, Kind: entry.EventIncident, Lane: ev.Lane, Late: true, Note: "recorded late"}
	err = l.submit(ctx, &job{
		do: func(tx *bbolt.Tx, late bool) error {
			err := first(tx)
			if err == nil {
				seq, err = l.appendEvent(tx, body.of(late))
			}
			return err
		},
		amend: func(tx *bbolt.Tx) error {
			note.Of = seq
			body, err := fleet.EncodeEvent(note)
			if err == nil {
				_, err = l.appendEvent(tx, body)
			}
			return err
		},
	})
	if err == nil {
		ev.Seq = seq
	}
	return err
}

// Uses returns every previous use of a pass, oldest first; none is an empty list.
func (l *Ledger) Uses(pass entry.PassHash) (past []entry.PastUse, err error) {
	err = l.file.view(func(tx *bbolt.Tx) error {
		record, err := l.readUses(tx, pass)
		past = record.past()
		return err
	})
	return past, err
}

// Events returns at most limit events, from number from on, in order.
func (l *Ledger) Events(from uint64, limit int) (events []entry.Event, err error) {
	err = l.file.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(eventBucket).Cursor()
		for key, value := c.Seek(eventKey(from)); key != nil && len(events) < limit; key, value = c.Next() {
			ev, err := decodeEvent(key, value)
			if err != nil {
				return l.file.damaged(err)
			}
			events = append(events, ev)
		}
		return nil
	})
	return events, err
}

// Last is the number of the last event, 0 in a ledger without any.
func (l *Ledger) Last() (last uint64, err error) {
	err = l.file.view(func(tx *bbolt.Tx) error {
		if key, _ := tx.Bucket(eventBucket).Cursor().Last(); key != nil {
			last = binary.BigEndian.Uint64(key)
		}
		return nil
	})
	return last, err
}

// InPlace tells whether the open file is the one at its path: ErrGone when it was moved, deleted or replaced.
func (l *Ledger) InPlace() error {
	is, err := l.file.fd.Stat()
	if err != nil {
		return fmt.Errorf("cache: %s: %w", l.file.path, err)
	}
	at, err := os.Stat(l.file.path)
	if err == nil && os.SameFile(is, at) {
		return nil
	}
	if err == nil {
		err = errors.New("another file is in its place")
	}
	return fmt.Errorf("cache: %s: %w: %w", l.file.path, ErrGone, err)
}

// ID is the ledger's random identity, part of the identity of each of its events, in hex.
func (l *Ledger) ID() string { return l.id.String() }

// Recovered is how many reservations OpenLedger found open and committed as unknown.
func (l *Ledger) Recovered() int { return l.recovered }

// Commits is how many transactions the callers have made durable since OpenLedger.
func (l *Ledger) Commits() uint64 { return l.commits.Load() }

// Close writes what waits, then releases the file. Calls that come later get ErrClosed.
func (l *Ledger) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	close(l.jobs)
	l.mu.Unlock()
	l.writer.Wait()
	return l.file.close()
}
