// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"iter"

	"go.etcd.io/bbolt"

	"gatehouse/fleet"
)

// A hash set holds the revoked ids of one issuer, 64 bits each (fleet.RevocationID): a base, and an overlay that is asked
// first. The overlay is what all deltas of the signed manifest together say, at most 8 KiB in memory: it is made anew from
// the verified manifest at each start, so nothing of it is stored that would have to be believed.
//
// A base is a bucket of at most 65,536 blocks. The key of a block is the first two bytes of its ids; its value is
//
//	CRC-32C (4) · index of the next block (2, 0 after the last) · the other six bytes of each id, ascending
//
// Block 0 is always there. So an id is absent only when its own block does not name it, or when the block before says
// that the next one lies beyond: a block that a damaged key or page hides is an error, never "not revoked".
//
// All integers are big-endian. A base is searched in place on the memory map, without a copy.
const (
	idSize     = fleet.RevocationSize
	indexSize  = 2
	suffixSize = idSize - indexSize
	blockHead  = 2 // the next block's index
)

// errAbsent says that a part of a revocation list that must be there is not.
var errAbsent = errors.New("a part of a revocation list is missing")

// baseParts cuts ids (sorted, different, concatenated) into blocks, block 0 last.
func baseParts(ids []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		first := blockLen(ids, 0)
		for rest := ids[first:]; len(rest) > 0; {
			index := binary.BigEndian.Uint16(rest)
			n := blockLen(rest, index)
			block := rest[:n]
			rest = rest[n:]
			if !yield(sealBlock(index, nextBlock(rest), block)) {
				return
			}
		}
		yield(sealBlock(0, nextBlock(ids[first:]), ids[:first]))
	}
}

// blockLen is how many bytes at the head of ids belong to the block of this index.
func blockLen(ids []byte, index uint16) int {
	n := 0
	for n < len(ids) && binary.BigEndian.Uint16(ids[n:]) == index {
		n += idSize
	}
	return n
}

// nextBlock is the index of the first of these ids, 0 when there is none.
func nextBlock(ids []byte) uint16 {
	if len(ids) == 0 {
		return 0
	}
	return binary.BigEndian.Uint16(ids)
}

func sealBlock(index, next uint16, ids []byte) (key, value []byte) {
	key = binary.BigEndian.AppendUint16(nil, index)
	value = make([]byte, 0, sealSize+blockHead+len(ids)/idSize*suffixSize)
	value = binary.BigEndian.AppendUint16(value[:sealSize], next)
	for ; len(ids) > 0; ids = ids[idSize:] {
		value = append(value, ids[indexSize:idSize]...)
	}
	binary.BigEndian.PutUint32(value, checksum(key, value[sealSize:]))
	return key, value
}

func sumBase(b *bbolt.Bucket, h *hasher) error {
	next, started := uint16(0), false
	err := b.ForEach(func(key, value []byte) error {
		body, err := unsealBlock(key, value)
		if err != nil {
			return err
		}
		// The links between the blocks must be true too: a lookup that finds no block goes by them.
		if len(key) != indexSize || binary.BigEndian.Uint16(key) != next || started && next == 0 {
			return errAbsent
		}
		index := uint64(next) << (8 * suffixSize)
		started, next = true, binary.BigEndian.Uint16(body)
		for at := 0; at+idSize <= len(body); at += suffixSize { // the head, too, has two bytes before the suffix
			suffix := binary.BigEndian.Uint64(body[at:]) & (1<<(8*suffixSize) - 1)
			h.bytes = binary.BigEndian.AppendUint64(h.bytes, index|suffix)
		}
		h.more()
		return nil
	})
	if err == nil && (!started || next != 0) {
		err = errAbsent
	}
	return err
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

// hashSet is what is revoked of an issuer by id: the name of its base, nil without one, and the overlay.
type hashSet struct {
	base    []byte // name of a top-level bucket
	overlay fleet.Delta
}

// revoked tells whether an id is revoked.
func (s *hashSet) revoked(tx *bbolt.Tx, id *[idSize]byte) (bool, error) {
	switch {
	case contains(s.overlay.Add, id[:]):
		return true, nil
	case s.base == nil || contains(s.overlay.Remove, id[:]):
		return false, nil
	}
	base := tx.Bucket(s.base)
	if base == nil {
		return false, errAbsent
	}
	return inBase(base, id)
}
