// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"gatehouse/fleet"
)

// The buckets of trust.db. Every value is sealed.
//
//	documents           place in fleet.Update.Documents (4, big-endian) → envelope
//	marks               "all" → the marks in deterministic CBOR
//	revocations         issuer → listRecord in deterministic CBOR
//	"base" 0 digest     the base that has this digest; see revocation.go. Zeroes name the empty one
//	"over" 0 generation the overlay of one issuer
var (
	documentBucket = []byte("documents")
	markBucket     = []byte("marks")
	listBucket     = []byte("revocations")
	markKey        = []byte("all")
	basePrefix     = []byte("base\x00")
	overlayPrefix  = []byte("over\x00")
)

// listRecord is the revocation list of one issuer as it is stored.
type listRecord struct {
	Base    fleet.Digest `cbor:"1,keyasint"` // zero: none
	Overlay uint64       `cbor:"2,keyasint"` // generation
	Deltas  uint32       `cbor:"3,keyasint"`
	Version uint64       `cbor:"4,keyasint"`
}

// set names the buckets of the list; of no list it is nil.
func (r *listRecord) set() *hashSet {
	if r == nil {
		return nil
	}
	return &hashSet{base: baseName(r.Base), overlay: overlayName(r.Overlay), deltas: r.Deltas}
}

func baseName(d fleet.Digest) []byte { return slices.Concat(basePrefix, d[:]) }

func overlayName(generation uint64) []byte {
	return binary.BigEndian.AppendUint64(slices.Clone(overlayPrefix), generation)
}

// readLists reads the record of each issuer.
func readLists(tx *bbolt.Tx) (map[string]*listRecord, error) {
	lists := map[string]*listRecord{}
	err := tx.Bucket(listBucket).ForEach(func(issuer, _ []byte) error {
		r, err := readList(tx, string(issuer))
		lists[string(issuer)] = r
		return err
	})
	return lists, err
}

// readList reads the record of one issuer, nil when it has no list.
func readList(tx *bbolt.Tx, issuer string) (*listRecord, error) {
	sealed := tx.Bucket(listBucket).Get([]byte(issuer))
	if sealed == nil {
		return nil, nil
	}
	body, err := unseal([]byte(issuer), sealed)
	if err != nil {
		return nil, err
	}
	r := &listRecord{}
	return r, storedCBOR.Unmarshal(body, r)
}

// writeLists puts the lists in force in place of those before, and frees what they do not use: a reader under way keeps
// its pages until it is done.
func writeLists(tx *bbolt.Tx, updates []fleet.RevocationUpdate) (map[string]*listRecord, error) {
	before, err := readLists(tx)
	if err != nil {
		return nil, err
	}
	lists := map[string]*listRecord{}
	for _, u := range updates {
		r, err := writeList(tx, before[u.Issuer], u)
		if err != nil {
			return nil, fmt.Errorf("cache: revocations of %s: %w", u.Issuer, err)
		}
		lists[u.Issuer] = r
	}
	for issuer := range before {
		if _, kept := lists[issuer]; !kept {
			if err := tx.Bucket(listBucket).Delete([]byte(issuer)); err != nil {
				return nil, err
			}
		}
	}
	return lists, freeUnused(tx, lists)
}

// writeList makes base and overlay of one issuer what the update says, and writes no more than is new.
func writeList(tx *bbolt.Tx, before *listRecord, u fleet.RevocationUpdate) (*listRecord, error) {
	if before == nil {
		before = &listRecord{}
	}
	r := &listRecord{Base: baseOf(u), Version: u.Version, Overlay: before.Overlay, Deltas: uint32(len(u.Deltas))}
	if err := ensureBase(tx, r.Base, u); err != nil {
		return r, err
	}
	overlay, kept := tx.Bucket(overlayName(before.Overlay)), before.Deltas
	if overlay == nil || before.Base != r.Base || !beginsWith(u.Deltas, overlay, before.Deltas) {
		var err error
		if r.Overlay, err = tx.Bucket(listBucket).NextSequence(); err != nil {
			return r, err
		}
		if overlay, err = tx.CreateBucket(overlayName(r.Overlay)); err != nil {
			return r, err
		}
		kept = 0
	}
	for n := kept; n < r.Deltas; n++ {
		if err := writeDelta(overlay, n+1, u.Deltas[n].Add, u.Deltas[n].Remove); err != nil {
			return r, err
		}
	}
	body, err := deterministicCBOR.Marshal(r)
	if err != nil {
		return r, err
	}
	return r, tx.Bucket(listBucket).Put([]byte(u.Issuer), seal([]byte(u.Issuer), body))
}

// baseOf is the digest of the base, zero when there is none.
func baseOf(u fleet.RevocationUpdate) fleet.Digest {
	if u.Base == nil {
		return fleet.Digest{}
	}
	return u.Base.Digest
}

// errNoBlob says that fleet took a base for stored that is not.
var errNoBlob = errors.New("the ids of its base are not here")

// ensureBase builds the base where it is not stored yet.
func ensureBase(tx *bbolt.Tx, digest fleet.Digest, u fleet.RevocationUpdate) error {
	if tx.Bucket(baseName(digest)) != nil {
		return nil
	}
	if u.Base != nil && u.Base.Count > 0 && u.Blob == nil {
		return errNoBlob
	}
	b, err := tx.CreateBucket(baseName(digest))
	if err != nil {
		return err
	}
	return writeBase(b, u.Blob)
}

// beginsWith tells whether the deltas begin with the n stored ones.
func beginsWith(deltas []fleet.Delta, overlay *bbolt.Bucket, n uint32) bool {
	if uint64(len(deltas)) < uint64(n) {
		return false
	}
	for i := range n {
		if !bytes.Equal(overlay.Get(deltaKey(i+1)), sealDelta(i+1, deltas[i].Add, deltas[i].Remove)) {
			return false
		}
	}
	return true
}

// freeUnused removes the bases and overlays that no list names.
func freeUnused(tx *bbolt.Tx, lists map[string]*listRecord) error {
	used := map[string]bool{}
	for _, r := range lists {
		used[string(baseName(r.Base))] = true
		used[string(overlayName(r.Overlay))] = true
	}
	var unused [][]byte
	c := tx.Cursor()
	for name, _ := c.First(); name != nil; name, _ = c.Next() {
		ours := bytes.HasPrefix(name, basePrefix) || bytes.HasPrefix(name, overlayPrefix)
		if ours && !used[string(name)] {
			unused = append(unused, slices.Clone(name))
		}
	}
	for _, name := range unused {
		if err := tx.DeleteBucket(name); err != nil {
			return err
		}
	}
	return nil
}

// checkLists compares what is stored with what verified documents say: the same lists, bases and deltas, and no others.
func checkLists(tx *bbolt.Tx, updates []fleet.RevocationUpdate) (map[string]*listRecord, error) {
	lists, err := readLists(tx)
	if err != nil {
		return nil, err
	}
	if len(lists) != len(updates) {
		return nil, fmt.Errorf("%d revocation lists are stored, the documents have %d", len(lists), len(updates))
	}
	for _, u := range updates {
		r := lists[u.Issuer]
		if r == nil || r.Base != baseOf(u) || tx.Bucket(baseName(r.Base)) == nil || int(r.Deltas) != len(u.Deltas) ||
			tx.Bucket(overlayName(r.Overlay)) == nil || !beginsWith(u.Deltas, tx.Bucket(overlayName(r.Overlay)), r.Deltas) {
			return nil, fmt.Errorf("the revocations of %s are not those of the document", u.Issuer)
		}
		if err := checkBase(tx.Bucket(baseName(r.Base)), r.Base); err != nil {
			return nil, fmt.Errorf("the revocations of %s: %w", u.Issuer, err)
		}
	}
	return lists, nil
}
