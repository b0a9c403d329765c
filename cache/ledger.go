// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"gatehouse/entry"
)

// The buckets of ledger.db. Every value is sealed.
//
//	events  number (8, big-endian, from 1) → the event in deterministic CBOR
//	uses    PassHash (16)                  → useRecord in deterministic CBOR
//	open    number of a reservation        → its PassHash; it goes when the use is committed
//
// open is apart from events because the event of a private pass does not tell whose use it took.
var (
	eventBucket = []byte("events")
	useBucket   = []byte("uses")
	openBucket  = []byte("open")
)

// The errors of a ledger beside entry.ErrUsed and the conditions of its file.
var (
	// ErrOutcomeUnknown: the caller's context ended while its write was under way or waiting its turn. The write goes
	// on and may yet become durable; the caller must take neither outcome for granted. It comes beside the context's error.
	ErrOutcomeUnknown = errors.New("cache: the ledger's write goes on, its outcome is unknown")
	// ErrNoReservation: no open reservation has this number; it was committed before or never made.
	ErrNoReservation = errors.New("cache: no open reservation has this number")
	// ErrUse: the use cannot be taken as it was described: no pass, or a limit of 0.
	ErrUse = errors.New("cache: a use needs a pass and a limit of at least 1")
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
// bbolt cannot abandon an update: a caller whose context ends leaves while the write goes on.
type Ledger struct {
	file      *file
	id        [16]byte
	recovered int
	commits   atomic.Uint64

	mu     sync.RWMutex // held to send on jobs, and to close it
	jobs   chan job
	closed bool
	writer sync.WaitGroup
}

// job is one write transaction.
type job struct {
	do   func(*bbolt.Tx) error
	done chan error // buffered: the writer never waits for a caller
}

// queued is how many writes may wait their turn; there are a few lanes, each with one decision at a time.
const queued = 64

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
	l := &Ledger{file: f, jobs: make(chan job, queued)}
	if err := errors.Join(l.check(), l.recover(o.At)); err != nil {
		f.close()
		return nil, err
	}
	l.writer.Go(l.write)
	return l, nil
}

// check reads the id and sees that the newest event is the one that was numbered last.
func (l *Ledger) check() error {
	return l.file.view(func(tx *bbolt.Tx) error {
		id, err := unseal(metaID, tx.Bucket(metaBucket).Get(metaID))
		if err != nil || copy(l.id[:], id) != len(l.id) {
			return l.file.damaged("its id cannot be read")
		}
		events := tx.Bucket(eventBucket)
		key, value := events.Cursor().Last()
		if key == nil && events.Sequence() == 0 {
			return nil
		}
		if len(key) != 8 || binary.BigEndian.Uint64(key) != events.Sequence() {
			return l.file.damaged("its newest event is missing")
		}
		if _, err := unseal(key, value); err != nil {
			return l.file.damaged("its newest event cannot be read")
		}
		return nil
	})
}

// write is the one writer. It ends when Close closes the queue, after what waits in it.
func (l *Ledger) write() {
	for j := range l.jobs {
		err := l.file.update(j.do)
		if err == nil {
			l.commits.Add(1)
		}
		j.done <- err
	}
}

// submit has one transaction done by the writer. An error of the context alone means that nothing was or will be
// written; beside ErrOutcomeUnknown, that the write goes on.
func (l *Ledger) submit(ctx context.Context, do func(*bbolt.Tx) error) error {
	j := job{do, make(chan error, 1)}
	if err := l.enqueue(ctx, j); err != nil {
		return err
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		select {
		case err := <-j.done:
			return err
		default:
			return fmt.Errorf("%w: %w", ErrOutcomeUnknown, context.Cause(ctx))
		}
	}
}

func (l *Ledger) enqueue(ctx context.Context, j job) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return fmt.Errorf("cache: %s: %w", l.file.path, ErrClosed)
	}
	if ctx.Err() == nil {
		select {
		case l.jobs <- j:
			return nil
		case <-ctx.Done():
		}
	}
	return fmt.Errorf("cache: %s: nothing was written: %w", l.file.path, context.Cause(ctx))
}

// Record appends an event, returns when it is durable, and fills ev.Seq. A context that ends counts as for Reserve.
func (l *Ledger) Record(ctx context.Context, ev *entry.Event) error {
	body, err := encodeEvent(ev)
	if err != nil {
		return err
	}
	var seq uint64
	err = l.submit(ctx, func(tx *bbolt.Tx) (err error) {
		seq, err = l.appendEvent(tx, body)
		return err
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

// ID is the ledger's random identity, part of the identity of each of its events, in hex.
func (l *Ledger) ID() string { return hex.EncodeToString(l.id[:]) }

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
