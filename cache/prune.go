// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"gatehouse/entry"
)

// Retention is what a ledger may forget.
type Retention struct {
	// Before is a time that every kept event that is older may go; zero keeps events of every age. The time of an event
	// whose clock was not kept right counts for nothing: it goes with a later one that is old for certain.
	Before time.Time
	// Bytes is how much the events may take; beyond it the oldest go whatever their age. 0 is without limit.
	Bytes uint64
	// From is the number of the first event that is kept in any case; 0 forgets no event. The floor remembers one.
	From uint64
	// Expired is a time that has passed for certain: uses of passes that expired before it may go, since such a pass can
	// never verify again. Zero keeps every use.
	Expired time.Time
}

// Pruned is what was forgotten.
type Pruned struct {
	Events, Uses int
}

// A batch is what one write transaction forgets; a scan that comes meanwhile waits for it. Of what is due beyond
// maxBatches in one call, or when somebody waits to write, the next call does more.
const (
	batch      = 256
	maxBatches = 64
)

// sweep is how far the looking for what may go has come. One Prune uses it at a time.
type sweep struct {
	looked uint64         // number of the newest event whose age was looked at
	old    uint64         // number of the newest event that is old for certain
	pass   entry.PassHash // where the looking for expired uses goes on
}

// Prune forgets what a retention lets go, oldest events first, in bounded transactions by the one writer. The last event
// always stays, and so does the hash of the chain where the kept ones begin; numbers go on. It looks at a bounded part of
// the ledger at each call and is meant to be called every minute. ErrChain when an event that would go is not the one
// that was recorded: the evidence stays.
func (l *Ledger) Prune(ctx context.Context, r Retention) (p Pruned, err error) {
	l.sweeping.Lock()
	defer l.sweeping.Unlock()
	to, err := l.due(r)
	if err != nil {
		return p, err
	}
	for range maxBatches {
		var n int
		if n, err = l.pruneEvents(ctx, to); err != nil {
			return p, err
		}
		p.Events += n
		if n < batch || len(l.jobs) > 0 {
			break
		}
	}
	p.Uses, err = l.pruneUses(ctx, r.Expired)
	return p, err
}

// due is the number of the newest event that may go.
func (l *Ledger) due(r Retention) (to uint64, err error) {
	if r.From == 0 {
		return 0, nil
	}
	err = l.file.view(func(tx *bbolt.Tx) error {
		t, err := readTail(tx)
		if err != nil {
			return l.file.damaged("its tail cannot be read")
		}
		if err := l.lookForOld(tx, t, r.Before); err != nil {
			return err
		}
		to = l.sweep.old
		c := tx.Bucket(eventBucket).Cursor()
		over := t.bytes
		for key, sealed := c.Seek(eventKey(t.last + 1)); key != nil && r.Bytes > 0 && over > r.Bytes; key, sealed = c.Next() {
			if len(key) != 8 {
				return l.file.damaged(errEvent)
			}
			seq := binary.BigEndian.Uint64(key)
			if to = max(to, seq); seq-t.last >= batch*maxBatches {
				break
			}
			over -= min(over, kept(key, sealed))
		}
		return nil
	})
	return min(to, r.From-1), err
}

// lookForOld goes on looking for events that are old, up to one that is not.
func (l *Ledger) lookForOld(tx *bbolt.Tx, t tail, before time.Time) error {
	l.sweep.looked = max(l.sweep.looked, t.last)
	c := tx.Bucket(eventBucket).Cursor()
	key, sealed := c.Seek(eventKey(l.sweep.looked + 1))
	for n := 0; key != nil && n < chunk; n++ {
		ev, err := decodeEvent(key, sealed)
		if err != nil {
			return l.file.damaged(err)
		}
		if ev.Clock == entry.ClockSynced {
			if !ev.At.Before(before) {
				return nil
			}
			l.sweep.old = ev.Seq
		}
		l.sweep.looked = ev.Seq
		key, sealed = c.Next()
	}
	return nil
}

// pruneEvents forgets a batch of events up to a number, and returns how many.
func (l *Ledger) pruneEvents(ctx context.Context, to uint64) (int, error) {
	if to == 0 {
		return 0, nil
	}
	gone := 0
	err := l.submit(ctx, &job{drop: true, do: func(tx *bbolt.Tx, _ bool) error {
		t, err := readTail(tx)
		if err != nil {
			return l.file.damaged("its tail cannot be read")
		}
		first := t.last + 1
		if t, err = l.endOfBatch(tx, t, to); err != nil {
			return err
		}
		events := tx.Bucket(eventBucket)
		for seq := first; seq <= t.last; seq++ {
			if err := events.Delete(eventKey(seq)); err != nil {
				return err
			}
		}
		gone = int(t.last + 1 - first)
		return t.write(tx)
	}})
	if err != nil {
		return 0, err
	}
	return gone, nil
}

// endOfBatch follows the chain from a tail over the events that go with the next batch, and returns the tail after it.
// Nothing goes from the event of an open reservation on.
func (l *Ledger) endOfBatch(tx *bbolt.Tx, t tail, to uint64) (tail, error) {
	to = min(to, t.last+batch, tx.Bucket(eventBucket).Sequence()-1)
	to, err := l.closeAnnulled(tx, to)
	if err != nil {
		return t, err
	}
	c := tx.Bucket(eventBucket).Cursor()
	for key, sealed := c.Seek(eventKey(t.last + 1)); key != nil && t.last < to; key, sealed = c.Next() {
		link, body, err := splitEvent(key, sealed)
		if err != nil {
			return t, l.file.damaged(err)
		}
		seq := binary.BigEndian.Uint64(key)
		if seq != t.last+1 || link != t.link.Next(l.id, seq, body) {
			return t, fmt.Errorf("%w at event %d", ErrChain, t.last+1)
		}
		t.last, t.link = seq, link
		t.bytes -= min(t.bytes, kept(key, sealed))
	}
	return t, nil
}

// closeAnnulled gives up waiting for the late passage of annulled uses whose events go, up to the first event that is
// still reserved; it returns the number before that.
func (l *Ledger) closeAnnulled(tx *bbolt.Tx, to uint64) (uint64, error) {
	var annulled []uint64
	c := tx.Bucket(openBucket).Cursor()
	for key, _ := c.First(); key != nil; key, _ = c.Next() {
		if len(key) != 8 {
			return 0, l.file.damaged("a reservation cannot be read")
		}
		seq := binary.BigEndian.Uint64(key)
		if seq > to {
			break
		}
		r, err := l.findOpen(tx, seq)
		if err != nil {
			return 0, err
		}
		if r.state() == stateReserved {
			to = seq - 1
			break
		}
		annulled = append(annulled, seq)
	}
	for _, seq := range annulled {
		if err := tx.Bucket(openBucket).Delete(eventKey(seq)); err != nil {
			return 0, err
		}
	}
	return to, nil
}

// pruneUses looks at the next part of the uses, and forgets those of passes that expired before a time.
func (l *Ledger) pruneUses(ctx context.Context, expired time.Time) (int, error) {
	if expired.IsZero() {
		return 0, nil
	}
	found, err := l.findExpired(expired.Unix())
	if err != nil || len(found) == 0 {
		return 0, err
	}
	gone := 0
	err = l.submit(ctx, &job{drop: true, do: func(tx *bbolt.Tx, _ bool) error {
		for _, pass := range found {
			record, err := l.readUses(tx, pass)
			if err != nil {
				return err
			}
			if !record.expired(expired.Unix()) {
				continue // it was used again meanwhile
			}
			if err := forgetUses(tx, pass, record); err != nil {
				return err
			}
			gone++
		}
		return nil
	}})
	if err != nil {
		return 0, err
	}
	return gone, nil
}

// findExpired looks at a chunk of the uses, or less where a batch is found, and goes on there the next time. What cannot
// be read is told and passed over: one bad page does not end all pruning.
func (l *Ledger) findExpired(at int64) (found []entry.PassHash, err error) {
	err = l.file.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(useBucket).Cursor()
		key, sealed := c.Seek(l.sweep.pass[:])
		for n := 0; key != nil && n < chunk && len(found) < batch; n++ {
			record, err := l.decodeUses(key, sealed)
			if err != nil {
				l.sweep.pass = after(key)
				return err
			}
			if record.expired(at) {
				found = append(found, entry.PassHash(key))
			}
			key, sealed = c.Next()
		}
		l.sweep.pass = entry.PassHash{}
		copy(l.sweep.pass[:], key) // of none at the end: from the beginning
		return nil
	})
	return found, err
}

// after is the first pass beyond a key, or the first of all.
func after(key []byte) (p entry.PassHash) {
	copy(p[:], key)
	for i := len(p) - 1; i >= 0; i-- {
		if p[i]++; p[i] != 0 {
			break
		}
	}
	return p
}

// expired tells whether a record can go: the pass has expired for certain, and nobody is on the way through the gate.
func (r *useRecord) expired(at int64) bool {
	for _, u := range r.Uses {
		if u.State == stateReserved {
			return false
		}
	}
	return len(r.Uses) > 0 && r.Expires < at
}

func forgetUses(tx *bbolt.Tx, pass entry.PassHash, r *useRecord) error {
	for _, u := range r.Uses {
		if err := tx.Bucket(openBucket).Delete(eventKey(u.Seq)); err != nil {
			return err
		}
	}
	return tx.Bucket(useBucket).Delete(pass[:])
}
