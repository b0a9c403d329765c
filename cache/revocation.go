// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"go.etcd.io/bbolt"

	"gatehouse/fleet"
)

// A hash set holds the revoked ids of one issuer, 64 bits each (fleet.RevocationID): a base, built whole, and an overlay
// of deltas that is asked first, newest first.
//
// A base is a bucket of at most 65,536 blocks. The key of a block is the first two bytes of its ids; its value is
//
//	CRC-32C (4) · index of the next block (2, 0 after the last) · the other six bytes of each id, ascending
//
// Block 0 is always there. So an id is absent only when its own block does not name it, or when the block before says
// that the next one lies beyond: a block that a damaged key or page hides is an error, never "not revoked".
//
// A delta is one value under its number (4, from 1): CRC-32C (4) · count of added ids (4) · added · removed, both
// ascending, eight bytes each.
//
// All integers are big-endian. Both are searched in place on the memory map, without a copy.
const (
	idSize     = fleet.RevocationSize
	indexSize  = 2
	suffixSize = idSize - indexSize
	blockHead  = 2 // the next block's index
)

// errAbsent says that a part of a hash set that must be there is not.
var errAbsent = errors.New("a part of a revocation list is missing")

// errOrder says that ids came unsorted or twice, or not as whole ids.
var errOrder = errors.New("cache: revoked ids must be whole, sorted and different")

// writeBase builds a base in an empty bucket from ids: sorted, different, concatenated.
func writeBase(b *bbolt.Bucket, ids []byte) error {
	if err := checkOrder(ids); err != nil {
		return err
	}
	b.FillPercent = 1 // the keys come in order and the pages are never added to
	for index := 0; ; {
		n := blockLen(ids, index)
		block, rest := ids[:n], ids[n:]
		next := 0
		if len(rest) > 0 {
			next = int(binary.BigEndian.Uint16(rest))
		}
		if err := writeBlock(b, uint16(index), uint16(next), block); err != nil {
			return err
		}
		if next == 0 {
			return nil
		}
		ids, index = rest, next
	}
}

// blockLen is how many bytes at the head of ids belong to the block of this index.
func blockLen(ids []byte, index int) int {
	n := 0
	for n < len(ids) && int(binary.BigEndian.Uint16(ids[n:])) == index {
		n += idSize
	}
	return n
}

func writeBlock(b *bbolt.Bucket, index, next uint16, ids []byte) error {
	key := binary.BigEndian.AppendUint16(nil, index)
	value := make([]byte, 0, sealSize+blockHead+len(ids)/idSize*suffixSize)
	value = binary.BigEndian.AppendUint16(value[:sealSize], next)
	for ; len(ids) > 0; ids = ids[idSize:] {
		value = append(value, ids[indexSize:idSize]...)
	}
	binary.BigEndian.PutUint32(value, checksum(key, value[sealSize:]))
	return b.Put(key, value)
}

func checkOrder(ids []byte) error {
	if len(ids)%idSize != 0 {
		return errOrder
	}
	for i := idSize; i < len(ids); i += idSize {
		if bytes.Compare(ids[i-idSize:i], ids[i:i+idSize]) >= 0 {
			return errOrder
		}
	}
	return nil
}

// errBase says that a base does not hold the ids that its digest names.
var errBase = errors.New("the ids of its base are not those that were signed")

// checkBase hashes the ids of a base again. A block's checksum tells damage, and anybody can write one: only the digest
// tells the ids that were signed from others.
func checkBase(b *bbolt.Bucket, digest fleet.Digest) error {
	sum, next := sha256.New(), uint16(0)
	var ids []byte
	started := false
	err := b.ForEach(func(key, value []byte) error {
		body, err := unsealBlock(key, value)
		if err != nil {
			return err
		}
		// The links between the blocks must be true too: a lookup that finds no block goes by them.
		if len(key) != indexSize || binary.BigEndian.Uint16(key) != next || started && next == 0 {
			return errAbsent
		}
		started, next, ids = true, binary.BigEndian.Uint16(body), ids[:0]
		for body = body[blockHead:]; len(body) > 0; body = body[suffixSize:] {
			ids = append(append(ids, key...), body[:suffixSize]...)
		}
		sum.Write(ids)
		return nil
	})
	if err == nil && (!started || next != 0) {
		err = errAbsent
	}
	if err != nil {
		return err
	}
	want := digest
	if digest == (fleet.Digest{}) {
		want = fleet.DigestOf(nil) // there is no base, and the empty one stands for it
	}
	if fleet.Digest(sum.Sum(nil)) != want {
		return errBase
	}
	return nil
}

// inBase tells whether an id is in a base.
func inBase(b *bbolt.Bucket, id *[idSize]byte) (bool, error) {
	c := b.Cursor()
	key, value := c.Seek(id[:indexSize])
	if bytes.Equal(key, id[:indexSize]) && key != nil {
		body, err := unsealBlock(key, value)
		if err != nil {
			return false, err
		}
		return contains(body[blockHead:], id[indexSize:]), nil
	}
	if key == nil {
		key, value = c.Last()
	} else {
		key, value = c.Prev()
	}
	if key == nil || bytes.Compare(key, id[:indexSize]) >= 0 {
		return false, errAbsent
	}
	body, err := unsealBlock(key, value)
	if err != nil {
		return false, err
	}
	if next := binary.BigEndian.Uint16(body); next != 0 && next <= binary.BigEndian.Uint16(id[:]) {
		return false, errAbsent
	}
	return false, nil
}

func unsealBlock(key, value []byte) ([]byte, error) {
	body, err := unseal(key, value)
	if err == nil && (len(body) < blockHead || (len(body)-blockHead)%suffixSize != 0) {
		err = errSeal
	}
	return body, err
}

// contains searches a sorted array of items as long as item.
func contains(array, item []byte) bool {
	size := len(item)
	low, high := 0, len(array)/size
	for low < high {
		mid := int(uint(low+high) >> 1)
		switch at := array[mid*size : mid*size+size]; bytes.Compare(at, item) {
		case 0:
			return true
		case -1:
			low = mid + 1
		default:
			high = mid
		}
	}
	return false
}

// writeDelta puts delta number n (from 1) into the overlay: ids added to and removed from what is below it.
func writeDelta(b *bbolt.Bucket, n uint32, added, removed []byte) error {
	if err := errors.Join(checkOrder(added), checkOrder(removed)); err != nil {
		return err
	}
	b.FillPercent = 1
	return b.Put(deltaKey(n), sealDelta(n, added, removed))
}

func sealDelta(n uint32, added, removed []byte) []byte {
	body := make([]byte, 0, 4+len(added)+len(removed))
	body = binary.BigEndian.AppendUint32(body, uint32(len(added)/idSize))
	return seal(deltaKey(n), append(append(body, added...), removed...))
}

func deltaKey(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// inOverlay asks the deltas n down to 1. decided is false when none of them names the id.
func inOverlay(b *bbolt.Bucket, n uint32, id *[idSize]byte) (revoked, decided bool, err error) {
	c := b.Cursor()
	for key, value := c.Seek(deltaKey(n)); n > 0; key, value = c.Prev() {
		if len(key) != 4 || binary.BigEndian.Uint32(key) != n {
			return false, false, errAbsent
		}
		added, removed, err := unsealDelta(key, value)
		if err != nil {
			return false, false, err
		}
		if contains(added, id[:]) {
			return true, true, nil
		}
		if contains(removed, id[:]) {
			return false, true, nil
		}
		n--
	}
	return false, false, nil
}

func unsealDelta(key, value []byte) (added, removed []byte, err error) {
	body, err := unseal(key, value)
	if err != nil {
		return nil, nil, err
	}
	if len(body) < 4 || uint64(len(body)-4) < uint64(binary.BigEndian.Uint32(body))*idSize {
		return nil, nil, errSeal
	}
	split := 4 + int(binary.BigEndian.Uint32(body))*idSize
	return body[4:split], body[split:], nil
}

// hashSet names the base and the overlay of an issuer that one view of the trust store goes by.
type hashSet struct {
	base, overlay []byte // names of top-level buckets
	deltas        uint32
}

// contains tells whether an id is revoked.
func (s *hashSet) contains(tx *bbolt.Tx, id *[idSize]byte) (bool, error) {
	if s.deltas > 0 {
		overlay := tx.Bucket(s.overlay)
		if overlay == nil {
			return false, errAbsent
		}
		if revoked, decided, err := inOverlay(overlay, s.deltas, id); decided || err != nil {
			return revoked, err
		}
	}
	base := tx.Bucket(s.base)
	if base == nil {
		return false, errAbsent
	}
	return inBase(base, id)
}
