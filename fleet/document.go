// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"bytes"
	"fmt"
	"math"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// Document is one signed document. What it says of itself is what its payload says: only Open decides whether it is
// believed. The zero Document is none. It never changes and can be shared.
type Document struct {
	envelope   []byte
	payload    []byte
	signatures [][]byte
	digest     Digest
	said       statement
}

// envelope is the outer shape. It is not signed, and nothing is believed because of it.
type envelope struct {
	Payload    []byte   `cbor:"payload"`
	Signatures [][]byte `cbor:"signatures"`
}

// statement is the payload, which is signed.
type statement struct {
	Kind    Kind            `cbor:"kind"`
	Scope   Scope           `cbor:"scope"`
	Version uint64          `cbor:"version"`
	Issued  uint64          `cbor:"issued"` // seconds since 1970 (UTC)
	Body    cbor.RawMessage `cbor:"body"`
}

// maxTime bounds a signed time, so that no arithmetic on it can overflow: the end of the year 9999.
const maxTime = 253402300799

func (s *statement) validate() error {
	if err := s.Scope.validate(); err != nil {
		return err
	}
	if err := s.Kind.check(s.Scope); err != nil {
		return err
	}
	switch {
	case s.Version == 0 || s.Version > math.MaxInt64:
		return fmt.Errorf("%w: %s of %s: version %d is out of range", ErrMalformed, s.Kind, s.Scope, s.Version)
	case s.Issued == 0 || s.Issued > maxTime:
		return fmt.Errorf("%w: %s of %s: signed time %d is out of range", ErrMalformed, s.Kind, s.Scope, s.Issued)
	case len(s.Body) == 0:
		return fmt.Errorf("%w: %s of %s: no body", ErrMalformed, s.Kind, s.Scope)
	}
	return s.checkTombstone()
}

// ParseDocument reads an envelope and the payload within. It checks form and bounds, and no signature.
func ParseDocument(raw []byte) (Document, error) {
	if len(raw) > maxDocument {
		return Document{}, fmt.Errorf("%w: a document of %d bytes; at most %d are read", ErrMalformed, len(raw), maxDocument)
	}
	e, err := readEnvelope(raw)
	if err != nil {
		return Document{}, err
	}
	return newDocument(bytes.Clone(raw), e)
}

// readEnvelope checks form and bounds of what carries signatures.
func readEnvelope(raw []byte) (e envelope, err error) {
	if err := decodeStrict(raw, &e); err != nil {
		return e, err
	}
	if len(e.Signatures) > maxSignatures {
		return e, fmt.Errorf("%w: %d signatures; at most %d are read", ErrMalformed, len(e.Signatures), maxSignatures)
	}
	for _, s := range e.Signatures {
		if len(s) > maxSignature {
			return e, fmt.Errorf("%w: a signature of %d bytes; at most %d are read", ErrMalformed, len(s), maxSignature)
		}
	}
	return e, nil
}

func newDocument(raw []byte, e envelope) (Document, error) {
	d := Document{envelope: raw, payload: e.Payload, signatures: e.Signatures, digest: DigestOf(e.Payload)}
	if err := checkDeterministic(e.Payload); err != nil {
		return Document{}, err
	}
	if err := decodeStrict(e.Payload, &d.said); err != nil {
		return Document{}, err
	}
	if err := d.said.validate(); err != nil {
		return Document{}, err
	}
	return d, nil
}

// Kind is what the document says it is.
func (d Document) Kind() Kind { return d.said.Kind }

// Scope is for whom it says it is.
func (d Document) Scope() Scope { return d.said.Scope }

// Version counts from 1 within one kind and scope.
func (d Document) Version() uint64 { return d.said.Version }

// Issued is its signed time, in UTC and whole seconds.
func (d Document) Issued() time.Time { return time.Unix(int64(d.said.Issued), 0).UTC() }

// Digest is the SHA-256 of its payload.
func (d Document) Digest() Digest { return d.digest }

// Size is the length of its payload in bytes.
func (d Document) Size() int { return len(d.payload) }

// Bytes is the whole envelope, as ParseDocument reads it. The caller must not change it.
func (d Document) Bytes() []byte { return d.envelope }

// Body is the document's body as CBOR, believed by nobody yet. The caller must not change it.
func (d Document) Body() []byte { return d.said.Body }

// String names kind, scope and version.
func (d Document) String() string {
	if d.Withdrawn() {
		return fmt.Sprintf("%s of %s, version %d (withdrawn)", d.said.Kind, d.said.Scope, d.said.Version)
	}
	return fmt.Sprintf("%s of %s, version %d", d.said.Kind, d.said.Scope, d.said.Version)
}

// decodeBody reads the body strictly into v.
func (d Document) decodeBody(v any) error {
	if err := decodeStrict(d.said.Body, v); err != nil {
		return fmt.Errorf("%s: %w", d, err)
	}
	return nil
}

func (d Document) name() name { return name{d.said.Kind, d.said.Scope} }

// name is what versions are counted within.
type name struct {
	kind  Kind
	scope Scope
}

func (n name) String() string { return string(n.kind) + " of " + string(n.scope) }
