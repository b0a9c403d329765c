// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"fmt"
	"sync/atomic"

	"go.etcd.io/bbolt"

	"gatehouse/entry"
)

// queued is how many writes may wait their turn, those that are held for callers who left among them. A write is about a
// kilobyte of memory.
const queued = 256

// job is one write transaction.
type job struct {
	// do writes. late tells that nobody waits any more: what it records was answered without it.
	do func(tx *bbolt.Tx, late bool) error
	// amend writes what is to be said besides once do is durable, where its caller left meanwhile.
	amend func(*bbolt.Tx) error
	drop  bool // if its caller leaves before its turn, nothing is written
	turn  atomic.Int32
	done  chan error // buffered: the writer never waits for a caller
}

// The turns of a job: the writer takes it from waiting through writing to ended, and a caller who leaves makes it left.
const (
	waiting int32 = iota
	writing
	left
	ended
)

// write is the one writer. It ends when Close closes the queue, after what waits in it.
func (l *Ledger) write() {
	var owed []*job // whose amendment the disk had no room for
	for j := range l.jobs {
		owed = l.amend(owed)
		if l.run(j) {
			owed = append(owed, l.amend([]*job{j})...)
		}
		l.pending.Add(-1)
	}
	l.amend(owed)
}

// run does a job, and tells whether it is to be amended.
func (l *Ledger) run(j *job) (amend bool) {
	late := !j.turn.CompareAndSwap(waiting, writing)
	if late && j.drop {
		return false
	}
	err := l.file.update(l.slowly(func(tx *bbolt.Tx) error { return j.do(tx, late) }))
	if err == nil {
		l.commits.Add(1)
		l.settle()
	}
	amend = !late && !j.turn.CompareAndSwap(writing, ended) && err == nil && j.amend != nil
	j.done <- err
	return amend
}

// slowly lets a test stall a write.
func (l *Ledger) slowly(do func(*bbolt.Tx) error) func(*bbolt.Tx) error {
	if l.stall == nil {
		return do
	}
	return func(tx *bbolt.Tx) error {
		l.stall()
		return do(tx)
	}
}

// Pending is how many writes wait or are under way, those that are held for callers who left among them.
func (l *Ledger) Pending() int { return int(l.pending.Load()) }

// amend amends jobs and returns those that could not be.
func (l *Ledger) amend(jobs []*job) (owed []*job) {
	for _, j := range jobs {
		if err := l.file.update(l.slowly(j.amend)); err != nil {
			owed = append(owed, j)
			continue
		}
		l.settle()
	}
	return owed
}

// submit has a job done by the writer. When ctx ends first, the error of a job that is dropped is ctx's, with
// ErrOutcomeUnknown where it was under way; that of any other is entry.ErrLate, and it is done later. An error of the
// context that is neither means that nothing was or will be written.
func (l *Ledger) submit(ctx context.Context, j *job) error {
	j.done = make(chan error, 1)
	l.pending.Add(1)
	if err := l.enqueue(ctx, j); err != nil {
		l.pending.Add(-1)
		return err
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
	}
	switch {
	case j.turn.CompareAndSwap(waiting, left):
		if j.drop {
			return l.nothingWritten(ctx)
		}
	case j.turn.CompareAndSwap(writing, left):
		if j.drop {
			return fmt.Errorf("%w: %w", ErrOutcomeUnknown, context.Cause(ctx))
		}
	default:
		return <-j.done
	}
	return fmt.Errorf("%w: %w", entry.ErrLate, context.Cause(ctx))
}

// enqueue gives the writer a job. One that stays although its caller leaves is taken where there is room, even if ctx
// ended before.
func (l *Ledger) enqueue(ctx context.Context, j *job) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return fmt.Errorf("cache: %s: %w", l.file.path, ErrClosed)
	}
	if !j.drop || ctx.Err() == nil {
		select {
		case l.jobs <- j:
			return nil
		default:
		}
		select {
		case l.jobs <- j:
			return nil
		case <-ctx.Done():
		}
	}
	return l.nothingWritten(ctx)
}

func (l *Ledger) nothingWritten(ctx context.Context) error {
	return fmt.Errorf("cache: %s: nothing was written: %w", l.file.path, context.Cause(ctx))
}
