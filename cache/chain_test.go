// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"gatehouse/entry"
	"gatehouse/fleet"
)

// chained makes a ledger with events and returns it with its path.
func chained(t *testing.T, events int) (*Ledger, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	l, err := OpenLedger(path, LedgerOptions{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for i := range events {
		if err := l.Record(t.Context(), &entry.Event{At: morning, Kind: entry.EventDecision, Note: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	return l, path
}

func TestChain(t *testing.T) {
	l, path := chained(t, 3)
	three, err := l.CheckChain(t.Context())
	if err != nil || three.First != 1 || three.Last != 3 || three.Link == (fleet.Link{}) {
		t.Fatalf("%+v, %v", three, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = OpenLedger(path, LedgerOptions{}); err != nil { // the chain goes on after a restart
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Record(t.Context(), &entry.Event{At: morning, Kind: entry.EventDecision}); err != nil {
		t.Fatal(err)
	}
	if four, err := l.CheckChain(t.Context()); err != nil || four.Last != 4 || four.Link == three.Link {
		t.Errorf("%+v, %v", four, err)
	}
	other, _ := chained(t, 3)
	if other, _ := other.CheckChain(t.Context()); other.Link == three.Link {
		t.Error("two ledgers with the same events have the same link")
	}
	empty, _ := chained(t, 0)
	if none, err := empty.CheckChain(t.Context()); none != (Chain{First: 1}) || err != nil {
		t.Errorf("an empty ledger: %+v %v", none, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.CheckChain(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled check: %v", err)
	}
}

func TestChainOverManyChunks(t *testing.T) {
	l, _ := chained(t, 2*chunk)
	if all, err := l.CheckChain(t.Context()); err != nil || all.Last != 2*chunk {
		t.Errorf("%+v, %v", all, err)
	}
}

// Whoever can write the file and its checksums still cannot change, drop or move an event unnoticed.
func TestChainNoticesTampering(t *testing.T) {
	reseal := func(b *bbolt.Bucket, seq uint64, value []byte) error {
		key := eventKey(seq)
		return b.Put(key, seal(key, value))
	}
	value := func(b *bbolt.Bucket, seq uint64) []byte {
		v, err := unseal(eventKey(seq), b.Get(eventKey(seq)))
		if err != nil {
			t.Fatal(err)
		}
		return slices.Clone(v)
	}
	for name, c := range map[string]struct {
		do func(*bbolt.Bucket) error
		at uint64
	}{
		"changed": {func(b *bbolt.Bucket) error {
			v := value(b, 5)
			v[len(v)-1] ^= 1
			return reseal(b, 5, v)
		}, 5},
		"dropped": {func(b *bbolt.Bucket) error { return b.Delete(eventKey(5)) }, 5},
		"swapped": {func(b *bbolt.Bucket) error {
			five, six := value(b, 5), value(b, 6)
			return errors.Join(reseal(b, 5, six), reseal(b, 6, five))
		}, 5},
		"relinked": {func(b *bbolt.Bucket) error { // with a link of the forger's own
			v := value(b, 5)
			binary.BigEndian.PutUint64(v, 7)
			return reseal(b, 5, v)
		}, 5},
		"first dropped": {func(b *bbolt.Bucket) error { return b.Delete(eventKey(1)) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			l, _ := chained(t, 9)
			if err := l.file.update(func(tx *bbolt.Tx) error { return c.do(tx.Bucket(eventBucket)) }); err != nil {
				t.Fatal(err)
			}
			_, err := l.CheckChain(t.Context())
			if !errors.Is(err, ErrChain) || err.Error() != fmt.Sprintf("%v at event %d", ErrChain, c.at) {
				t.Errorf("got %v, want a break at event %d", err, c.at)
			}
		})
	}
}
