// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
)

// RevocationSize is the length of a revocation id in bytes.
const RevocationSize = 8

// MaxInline bounds what deltas and flips add up to inside a manifest, in bytes.
const MaxInline = 8 << 10

// RevocationID shortens an id, written as credential.Pass.RevocationIDs and the batch verifier write it, to the first 8
// bytes of its SHA-256: uniform whatever the format, and one width to search. Two of ten million ids meet with a
// probability of 1 in 370,000, and then one pass too many is refused.
func RevocationID(id string) [RevocationSize]byte {
	sum := sha256.Sum256([]byte(id))
	return [RevocationSize]byte(sum[:])
}

// RevocationList is the body of a revocations document: a hash set as a base and deltas in order, without which no id is
// revoked, and the issuer's status lists by rising URI.
type RevocationList struct {
	Base   *Base        `cbor:"base,omitempty"`
	Deltas []Delta      `cbor:"deltas,omitempty"`
	Lists  []StatusList `cbor:"lists,omitempty"`
}

// Delta changes what the base and the deltas before it say: ids are removed, then ids are added. Both are sorted distinct
// ids of 8 bytes, one after the other.
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

// Overlay folds the deltas into one that says the same: of two that name an id, the newer counts. No id is in both its
// halves.
func (l *RevocationList) Overlay() Delta {
	if len(l.Deltas) == 0 {
		return Delta{}
	}
	says := map[[RevocationSize]byte]bool{} // revoked or not
	for _, d := range l.Deltas {
		for id := range slices.Chunk(d.Remove, RevocationSize) {
			says[[RevocationSize]byte(id)] = false
		}
		for id := range slices.Chunk(d.Add, RevocationSize) {
			says[[RevocationSize]byte(id)] = true
		}
	}
	var add, remove [][RevocationSize]byte
	for id, revoked := range says {
		if revoked {
			add = append(add, id)
		} else {
			remove = append(remove, id)
		}
	}
	return Delta{Add: JoinRevocations(add), Remove: JoinRevocations(remove)}
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
	if err := l.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", d, err)
	}
	return &l, nil
}

// Inline is how many bytes its deltas and flips have; MaxInline at most.
func (l *RevocationList) Inline() (n int) {
	for _, d := range l.Deltas {
		n += len(d.Add) + len(d.Remove)
	}
	for _, s := range l.Lists {
		n += len(s.Flips)
	}
	return n
}

func (l *RevocationList) check() error {
	if err := l.Base.check(l.Base.idBytes()); err != nil {
		return err
	}
	for _, delta := range l.Deltas {
		if err := errors.Join(checkIDs(delta.Add), checkIDs(delta.Remove)); err != nil {
			return err
		}
	}
	if len(l.Lists) > MaxStatusLists {
		return fmt.Errorf("%w: %d status lists; at most %d are allowed", ErrMalformed, len(l.Lists), MaxStatusLists)
	}
	for i := range l.Lists {
		if i > 0 && l.Lists[i-1].URI >= l.Lists[i].URI {
			return fmt.Errorf("%w: status lists out of order", ErrMalformed)
		}
		if err := l.Lists[i].check(); err != nil {
			return err
		}
	}
	if inline := l.Inline(); inline > MaxInline {
		return fmt.Errorf("%w: %d bytes of ids and flips within; at most %d are allowed", ErrMalformed, inline, MaxInline)
	}
	return nil
}
