// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
)

// RevocationSize is the length of a revocation id in bytes.
const RevocationSize = 8

// maxInline bounds the ids that travel inside a manifest, in bytes.
const maxInline = 8 << 10

// RevocationID shortens an id, written as credential.Pass.RevocationIDs and the batch verifier write it, to the first 8
// bytes of its SHA-256: uniform whatever the format, and one width to search. Two of ten million ids meet with a
// probability of 1 in 370,000, and then one pass too many is refused.
func RevocationID(id string) [RevocationSize]byte {
	sum := sha256.Sum256([]byte(id))
	return [RevocationSize]byte(sum[:])
}

// RevocationList is the body of a revocations document: a base, then deltas in order. Without both, nothing is revoked.
type RevocationList struct {
	Base   *Base   `cbor:"base,omitempty"`
	Deltas []Delta `cbor:"deltas,omitempty"`
}

// Base names a blob: sorted distinct ids of 8 bytes, one after the other.
type Base struct {
	Digest Digest `cbor:"digest"`
	Count  uint64 `cbor:"count"`
}

// Delta changes what the base and the deltas before it say. Both are sorted distinct ids of 8 bytes, one after the other.
type Delta struct {
	Add    []byte `cbor:"add,omitempty"`
	Remove []byte `cbor:"remove,omitempty"`
}

// JoinRevocations sorts ids and writes them as a blob or a delta has them.
func JoinRevocations(ids [][RevocationSize]byte) []byte {
	sorted := slices.Clone(ids)
	slices.SortFunc(sorted, func(a, b [RevocationSize]byte) int { return bytes.Compare(a[:], b[:]) })
	sorted = slices.Compact(sorted)
	b := make([]byte, 0, len(sorted)*RevocationSize)
	for _, id := range sorted {
		b = append(b, id[:]...)
	}
	return b
}

// checkIDs makes sure of whole ids in strictly rising order.
func checkIDs(b []byte) error {
	if len(b)%RevocationSize != 0 {
		return fmt.Errorf("%w: %d bytes are no whole number of revocation ids", ErrMalformed, len(b))
	}
	for i := RevocationSize; i < len(b); i += RevocationSize {
		if bytes.Compare(b[i-RevocationSize:i], b[i:i+RevocationSize]) >= 0 {
			return fmt.Errorf("%w: revocation ids out of order", ErrMalformed)
		}
	}
	return nil
}

// ReadRevocations reads and checks what a manifest says, whoever signed it. Only Open decides whether it is believed.
func ReadRevocations(d Document) (*RevocationList, error) {
	var l RevocationList
	if d.Kind().Issuer() == "" {
		return nil, fmt.Errorf("%w: %s is no revocation list", ErrKind, d)
	}
	if err := d.decodeBody(&l); err != nil {
		return nil, err
	}
	inline := 0
	for _, delta := range l.Deltas {
		inline += len(delta.Add) + len(delta.Remove)
		for _, ids := range [][]byte{delta.Add, delta.Remove} {
			if err := checkIDs(ids); err != nil {
				return nil, fmt.Errorf("%s: %w", d, err)
			}
		}
	}
	if inline > maxInline {
		return nil, fmt.Errorf("%w: %s: %d bytes of ids within; at most %d are allowed", ErrMalformed, d, inline, maxInline)
	}
	return &l, nil
}

// check makes sure that a blob, found by its digest, is what the manifest says.
func (b *Base) check(blob []byte) error {
	if uint64(len(blob)) != b.Count*RevocationSize || b.Count > maxBundle {
		return fmt.Errorf("%w: a base of %d ids in %d bytes", ErrMalformed, b.Count, len(blob))
	}
	return checkIDs(blob)
}
