// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"fmt"
	"slices"
)

// BlockSize is how much of a blob travels at a time, in bytes; the last block of a blob may be shorter.
const BlockSize = 128 << 10

// Base names a blob: of a hash set, sorted distinct ids of 8 bytes, one after the other; of a status list, its bits.
type Base struct {
	Digest Digest `cbor:"digest"`
	Count  uint64 `cbor:"count"` // ids, or bits
	// Blocks are the digests of its blocks of BlockSize, so that each can be verified before it is written. Without them
	// the blob comes in a bundle only.
	Blocks []Digest `cbor:"blocks,omitempty"`
}

// BaseOf names a blob of so many ids or bits, with its blocks.
func BaseOf(blob []byte, count uint64) *Base {
	b := &Base{Digest: DigestOf(blob), Count: count}
	for block := range slices.Chunk(blob, BlockSize) {
		b.Blocks = append(b.Blocks, DigestOf(block))
	}
	return b
}

// idBytes and bitBytes are the size of the blob of a hash set and of a status list; 0 without a base.
func (b *Base) idBytes() uint64 {
	if b == nil {
		return 0
	}
	return b.Count * RevocationSize
}

func (b *Base) bitBytes() uint64 {
	if b == nil {
		return 0
	}
	return (b.Count + 7) / 8
}

// check holds count and blocks to the size of the blob.
func (b *Base) check(size uint64) error {
	if b == nil {
		return nil
	}
	if b.Count > MaxStatusEntries || size > maxBundle {
		return fmt.Errorf("%w: a base of %d", ErrMalformed, b.Count)
	}
	if want := (size + BlockSize - 1) / BlockSize; len(b.Blocks) > 0 && uint64(len(b.Blocks)) != want {
		return fmt.Errorf("%w: %d blocks of a base that has %d", ErrMalformed, len(b.Blocks), want)
	}
	return nil
}

// checkBlob makes sure that a blob, found by its digest, is the hash set that the manifest says.
func (b *Base) checkBlob(blob []byte) error {
	if uint64(len(blob)) != b.idBytes() {
		return fmt.Errorf("%w: a base of %d ids in %d bytes", ErrMalformed, b.Count, len(blob))
	}
	return checkIDs(blob)
}
