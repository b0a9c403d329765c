// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"gatehouse/fleet"
)

// blobKind is how the blobs of one sort are kept: in parts, each a sealed value under its own key, in a top-level bucket
// that bears the blob's digest. The part of key 0 is always there and written last: without it a blob is half built.
type blobKind struct {
	prefix []byte // of the bucket's name
	first  []byte // the key 0
	parts  func(blob []byte) iter.Seq2[[]byte, []byte]
	// sum hashes the blob part by part, and makes sure that lookups find each part where it belongs.
	sum func(b *bbolt.Bucket, h *hasher) error
}

// blobKinds are the bases of hash sets and those of status lists.
var (
	setBlob    = blobKind{[]byte("base\x00"), make([]byte, indexSize), baseParts, sumBase}
	statusBlob = blobKind{[]byte("bits\x00"), make([]byte, pageKeySize), pageParts, sumPages}
	blobKinds  = []blobKind{setBlob, statusBlob}
)

// blobRef is a blob that a document names, and its bytes where they were brought.
type blobRef struct {
	blobKind
	digest fleet.Digest
	bytes  []byte
}

func (r blobRef) name() []byte { return slices.Concat(r.prefix, r.digest[:]) }

// blobsOf are the blobs that revocations rest on.
func blobsOf(updates []fleet.RevocationUpdate) (refs []blobRef) {
	for _, u := range updates {
		if u.Base != nil {
			refs = append(refs, blobRef{setBlob, u.Base.Digest, u.Blob})
		}
		for _, l := range u.Lists {
			if l.Base != nil {
				refs = append(refs, blobRef{statusBlob, l.Base.Digest, l.Blob})
			}
		}
	}
	return refs
}

// whole tells a blob from one that is half built. Nothing else of it is checked.
func (k blobKind) whole(tx *bbolt.Tx, name []byte) bool {
	b := tx.Bucket(name)
	return len(name) == len(k.prefix)+len(fleet.Digest{}) && b != nil && b.Get(k.first) != nil
}

func eachBlob(tx *bbolt.Tx, do func(k blobKind, name []byte)) {
	for _, k := range blobKinds {
		c := tx.Cursor()
		for name, _ := c.Seek(k.prefix); len(name) > len(k.prefix) && string(name[:len(k.prefix)]) == string(k.prefix); name, _ = c.Next() {
			do(k, name)
		}
	}
}

// errBase says that a base does not hold what its digest names.
var errBase = errors.New("a base is not the one that was signed")

// check hashes a blob again. A part's checksum tells damage, and anybody can write one: only the digest tells what was
// signed from anything else.
func (r blobRef) check(tx *bbolt.Tx) error {
	b := tx.Bucket(r.name())
	if b == nil {
		return errAbsent
	}
	h := newHasher()
	defer h.end()
	if err := r.sum(b, h); err != nil {
		return err
	}
	if h.end() != r.digest {
		return errBase
	}
	return nil
}

// A blob is built beside what is in force, in transactions of some size with pauses between them: they share the card
// with the ledger, and few admissions are to wait for one of them. Memory is bounded by the same size.
const (
	buildBytes = 256 << 10
	buildPause = 4 // times as long as the transaction before took
)

// errNoBlob says that fleet took a blob for stored that is not.
var errNoBlob = errors.New("the bytes of its base are not here")

// build builds the blobs that are not stored yet. What an end of ctx or of the power leaves half built is begun anew the
// next time.
func (t *Trust) build(ctx context.Context, updates []fleet.RevocationUpdate) error {
	for _, r := range blobsOf(updates) {
		name := string(r.name())
		if t.stored[name] {
			continue
		}
		if r.bytes == nil {
			return fmt.Errorf("cache: %w: %s", errNoBlob, r.digest)
		}
		if err := t.buildBlob(ctx, r); err != nil {
			return err
		}
		t.stored[name] = true
	}
	return nil
}

func (t *Trust) buildBlob(ctx context.Context, r blobRef) error {
	next, stop := iter.Pull2(r.parts(r.bytes))
	defer stop()
	for first, done := true, false; !done; first = false {
		began := time.Now()
		err := t.file.update(func(tx *bbolt.Tx) (err error) {
			if first && tx.Bucket(r.name()) != nil {
				if err := tx.DeleteBucket(r.name()); err != nil {
					return err
				}
			}
			b, err := tx.CreateBucketIfNotExists(r.name())
			if err != nil {
				return err
			}
			done, err = putParts(b, next)
			return err
		})
		if err != nil {
			return err
		}
		if err := rest(ctx, buildPause*time.Since(began)); err != nil {
			return fmt.Errorf("cache: the bundle was not applied: %w", err)
		}
	}
	return nil
}

// putParts puts as many parts into a blob's bucket as one transaction takes; done with the last.
func putParts(b *bbolt.Bucket, next func() (key, value []byte, ok bool)) (done bool, err error) {
	b.FillPercent = 1 // the keys come in order and the pages are never added to
	for size := 0; size < buildBytes; {
		key, value, ok := next()
		if !ok {
			return true, nil
		}
		if err := b.Put(key, value); err != nil {
			return false, err
		}
		size += len(key) + len(value)
	}
	return false, nil
}

// rest waits, unless ctx ends.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// freeBlobs removes the blobs that are not used, half built ones too: a reader under way keeps its pages until it is done.
func freeBlobs(tx *bbolt.Tx, used map[string]bool) error {
	var unused [][]byte
	eachBlob(tx, func(_ blobKind, name []byte) {
		if !used[string(name)] {
			unused = append(unused, slices.Clone(name))
		}
	})
	for _, name := range unused {
		if err := tx.DeleteBucket(name); err != nil {
			return err
		}
	}
	return nil
}
