// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"encoding/binary"
	"iter"
	"slices"

	"go.etcd.io/bbolt"
)

// The base of a status list is a bucket of pages under their numbers (4, big-endian, from 0):
//
//	CRC-32C (4) · up to 4,064 bytes of bits as they were signed
//
// Only the last page may be shorter. Two of them with all that bbolt adds fill two pages of the file exactly. One lookup
// reads one page and one bit in place on the memory map.
const (
	pageKeySize = 4
	pageBytes   = pageSize - 32
	pageBits    = pageBytes * 8
)

func pageKey(n uint64) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

// pageParts cuts bits into pages, page 0 last.
func pageParts(bits []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		first := bits[:min(len(bits), pageBytes)]
		n := uint64(1)
		for page := range slices.Chunk(bits[len(first):], pageBytes) {
			if !yield(pageKey(n), seal(pageKey(n), page)) {
				return
			}
			n++
		}
		yield(pageKey(0), seal(pageKey(0), first))
	}
}

func sumPages(b *bbolt.Bucket, h *hasher) error {
	n, last := uint64(0), pageBytes
	return b.ForEach(func(key, value []byte) error {
		page, err := unseal(key, value)
		if err != nil {
			return err
		}
		if string(key) != string(pageKey(n)) || last != pageBytes || len(page) > pageBytes {
			return errAbsent
		}
		n, last = n+1, len(page)
		h.bytes = append(h.bytes, page...)
		h.more()
		return nil
	})
}

// bitList names the base of a status list; what a manifest changes about it is in memory.
type bitList struct {
	size    uint64 // entries
	base    []byte // name of a top-level bucket
	count   uint64 // entries of the base; those behind it are 0
	flipped []uint32
}

// revoked tells the bit of an index below size.
func (l *bitList) revoked(tx *bbolt.Tx, index uint64) (bool, error) {
	_, flipped := slices.BinarySearch(l.flipped, uint32(index))
	if index >= l.count {
		return flipped, nil
	}
	b := tx.Bucket(l.base)
	if b == nil {
		return false, errAbsent
	}
	key := pageKey(index / pageBits)
	value := b.Get(key)
	if value == nil {
		return false, errAbsent
	}
	page, err := unseal(key, value)
	if err != nil {
		return false, err
	}
	at := index % pageBits / 8
	if at >= uint64(len(page)) {
		return false, errAbsent
	}
	return page[at]>>(index%8)&1 == 1 != flipped, nil
}
