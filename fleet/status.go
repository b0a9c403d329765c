// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"encoding/binary"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Bounds of status lists. MaxStatusEntries are 16 MiB of bits; a URI is as long as a pass can name it.
const (
	MaxStatusEntries = 128 << 20
	MaxStatusLists   = 64 // of one issuer
	maxStatusURI     = 256
)

// StatusList is a list of one-bit statuses (draft-ietf-oauth-status-list, section 4): a pass names it by its URI and has
// an index in it, and 1 means revoked. Index i is bit i mod 8, the least significant being 0, of byte i div 8.
type StatusList struct {
	URI string `cbor:"uri"`
	// Size is how many entries there are, at least 1. What a pass of an index outside means is not known.
	Size uint64 `cbor:"size"`
	// Base names a blob of the first Count entries, at least 1 and at most Size; bits that fill up its last byte are 0.
	// The entries behind it are 0, so a list can grow without a new base. Without a base all are.
	Base *Base `cbor:"base,omitempty"`
	// Flips are the indexes at which the list differs from its base, as JoinFlips writes them. The manifest is signed as a
	// whole, so one set of them says what any number of deltas could.
	Flips []byte `cbor:"flips,omitempty"`
}

// JoinFlips writes indexes below MaxStatusEntries as StatusList.Flips has them: in rising order, each once, as the
// distance to the one before less one (the first: to 0), in unsigned LEB128. They must fit into a manifest, 8 KiB.
func JoinFlips(indexes []uint32) []byte {
	sorted := slices.Clone(indexes)
	slices.Sort(sorted)
	var b []byte
	next := uint32(0)
	for _, i := range slices.Compact(sorted) {
		b = binary.AppendUvarint(b, uint64(i-next))
		next = i + 1
	}
	return b
}

// check looks at all but the blob.
func (l *StatusList) check() error {
	switch {
	case l.URI == "" || len(l.URI) > maxStatusURI || !utf8.ValidString(l.URI):
		return fmt.Errorf("%w: a status list whose URI is empty or longer than %d bytes", ErrMalformed, maxStatusURI)
	case l.Size == 0 || l.Size > MaxStatusEntries:
		return fmt.Errorf("%w: the status list %q of %d entries; 1 to %d are allowed", ErrMalformed, l.URI, l.Size, MaxStatusEntries)
	case l.Base != nil && (l.Base.Count == 0 || l.Base.Count > l.Size):
		return fmt.Errorf("%w: the status list %q of %d entries has a base of %d", ErrMalformed, l.URI, l.Size, l.Base.Count)
	}
	if err := l.Base.check(l.Base.bitBytes()); err != nil {
		return err
	}
	next := uint64(0)
	for b := l.Flips; len(b) > 0; {
		gap, n := binary.Uvarint(b)
		// A last byte of 0 would be a second way to write the same number.
		if n <= 0 || n > 1 && b[n-1] == 0 || gap >= l.Size-next {
			return fmt.Errorf("%w: the flips of the status list %q", ErrMalformed, l.URI)
		}
		next, b = next+gap+1, b[n:]
	}
	return nil
}

// flipped are the indexes of Flips, which were checked.
func (l *StatusList) flipped() (indexes []uint32) {
	next := uint64(0)
	for b := l.Flips; len(b) > 0; {
		gap, n := binary.Uvarint(b)
		indexes = append(indexes, uint32(next+gap))
		next, b = next+gap+1, b[n:]
	}
	return indexes
}

// checkBlob makes sure that a blob, found by its digest, is the bits that the list says.
func (l *StatusList) checkBlob(blob []byte) error {
	used := l.Base.Count % 8
	if uint64(len(blob)) != l.Base.bitBytes() || used != 0 && blob[len(blob)-1]>>used != 0 {
		return fmt.Errorf("%w: the status list %q: a base of %d entries in %d bytes", ErrMalformed, l.URI, l.Base.Count, len(blob))
	}
	return nil
}
