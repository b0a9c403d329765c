// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"fmt"
	"time"
)

// Head is the body of a head document. Its version is its sequence and its signed time that of the data that it names.
type Head struct {
	FreshUntil uint64 `cbor:"fresh_until"` // seconds since 1970: from here on the data is stale
	HardAfter  uint64 `cbor:"hard_after"`  // seconds since 1970: from here on nobody is admitted on it
	// Down tells since when (seconds since 1970) an issuer's own servers are out of reach.
	Down map[string]uint64 `cbor:"down,omitempty"`
	// Spread is over how many seconds kiosks begin to fetch a blob that they lack, each at a moment of its own; 0 is at once.
	Spread uint64 `cbor:"spread,omitempty"`
	// Documents are all documents in force for the venue: the fleet's, the venue's, and each of its kiosks'.
	Documents []Entry `cbor:"documents"`
}

// Entry names one document in force.
type Entry struct {
	Kind    Kind   `cbor:"kind"`
	Scope   Scope  `cbor:"scope"`
	Version uint64 `cbor:"version"`
	Digest  Digest `cbor:"digest"`
	Size    uint64 `cbor:"size"` // of the payload, in bytes
}

// EntryOf is the entry that names this document.
func EntryOf(d Document) Entry {
	return Entry{Kind: d.Kind(), Scope: d.Scope(), Version: d.Version(), Digest: d.Digest(), Size: uint64(d.Size())}
}

func (e Entry) name() name { return name{e.Kind, e.Scope} }

func (e Entry) String() string {
	return fmt.Sprintf("%s of %s, version %d", e.Kind, e.Scope, e.Version)
}

// names tells whether the entry is about exactly this document.
func (e Entry) names(d Document) bool { return e == EntryOf(d) }

// Bands are the times at which data becomes stale and hard.
func (h *Head) Bands() (freshUntil, hardAfter time.Time) {
	return time.Unix(int64(h.FreshUntil), 0).UTC(), time.Unix(int64(h.HardAfter), 0).UTC()
}

// ReadHead reads and checks what a head says, whoever signed it. Only Open decides whether it is believed.
func ReadHead(d Document) (*Head, error) {
	var h Head
	if d.Kind() != KindHead {
		return nil, fmt.Errorf("%w: %s is no head", ErrKind, d)
	}
	if err := d.decodeBody(&h); err != nil {
		return nil, err
	}
	if h.FreshUntil < d.said.Issued || h.HardAfter < h.FreshUntil || h.HardAfter > maxTime {
		return nil, fmt.Errorf("%w: %s: its bands must follow each other: signed, fresh_until, hard_after", ErrMalformed, d)
	}
	if h.Spread > h.FreshUntil-d.said.Issued {
		return nil, fmt.Errorf("%w: %s: kiosks would be stale before they may fetch what they lack", ErrMalformed, d)
	}
	for issuer, since := range h.Down {
		if !ValidName(issuer) || since == 0 || since > d.said.Issued {
			return nil, fmt.Errorf("%w: %s: it calls %q down since %d, which is no issuer or no time before it was signed", ErrMalformed, d, issuer, since)
		}
	}
	if len(h.Documents) > maxDocuments {
		return nil, fmt.Errorf("%w: %s: it names %d documents; at most %d are allowed", ErrMalformed, d, len(h.Documents), maxDocuments)
	}
	seen := map[name]bool{}
	for _, e := range h.Documents {
		if err := e.validate(d.Scope()); err != nil {
			return nil, fmt.Errorf("%s: it names %s: %w", d, e, err)
		}
		if seen[e.name()] {
			return nil, fmt.Errorf("%w: %s: it names %s twice", ErrMalformed, d, e.name())
		}
		seen[e.name()] = true
	}
	return &h, nil
}

func (e Entry) validate(venue Scope) error {
	if err := e.Scope.validate(); err != nil {
		return err
	}
	if err := e.Kind.check(e.Scope); err != nil {
		return err
	}
	switch {
	case e.Kind == KindHead:
		return fmt.Errorf("%w: a head names no head", ErrKind)
	case e.Scope != ScopeAll && e.Scope.Venue() != string(venue):
		return fmt.Errorf("%w: the head is for %s", ErrScope, venue)
	case e.Version == 0 || e.Size > maxDocument:
		return fmt.Errorf("%w: version %d, %d bytes", ErrMalformed, e.Version, e.Size)
	}
	return nil
}
