// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"bytes"
	"fmt"
)

// Tombstone is the body of a document that ends a revocation list or a config layer: {"withdrawn": true}. It is a
// version like any other, signed by the keys of what it ends: who holds the head's key alone can end nothing. Heads go
// on naming it, so that a kiosk that was away for long learns of it, and what comes after it counts on from its version.
//
// An issuer that the trust list calls revocable must have a list, and a kiosk must have some config: a tombstone that
// takes either away is refused with ErrWithheld. A kiosk that is older than tombstones refuses one as ErrUnsupported.
type Tombstone struct{}

// tombstoneBody has one encoding, as every body: the map of "withdrawn" to true.
const tombstoneBody = "\xa1\x69withdrawn\xf5"

// MarshalCBOR writes {"withdrawn": true}.
func (Tombstone) MarshalCBOR() ([]byte, error) { return []byte(tombstoneBody), nil }

// Withdrawn tells whether the document is a tombstone.
func (d Document) Withdrawn() bool { return d.said.withdrawn() }

func (s *statement) withdrawn() bool { return bytes.Equal(s.Body, []byte(tombstoneBody)) }

// checkTombstone refuses tombstones of what no kiosk could be without.
func (s *statement) checkTombstone() error {
	if s.withdrawn() && s.Kind != KindConfig && s.Kind.Issuer() == "" {
		return fmt.Errorf("%w: a document of kind %q cannot be withdrawn", ErrKind, s.Kind)
	}
	return nil
}
