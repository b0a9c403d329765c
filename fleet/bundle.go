// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"fmt"
	"io"

	"github.com/fxamacker/cbor/v2"
)

// Bundle carries documents and blobs: in a file for a technician's memory stick, or gathered from a network. It is not
// signed and nothing follows from it: order and repetition in it do not matter.
type Bundle struct {
	Documents []Document // the whole root chain among them
	Blobs     [][]byte   // found by their digests
}

// bundleFile is the shape of a bundle file. Format comes first so that another format can be told apart.
type bundleFile struct {
	Format    string            `cbor:"format"`
	Documents []cbor.RawMessage `cbor:"documents"`
	Blobs     [][]byte          `cbor:"blobs,omitempty"`
}

const bundleFormat = "gatehouse-bundle-1"

// Encode is the bundle as a file.
func (b *Bundle) Encode() ([]byte, error) {
	f := bundleFile{Format: bundleFormat, Blobs: b.Blobs, Documents: []cbor.RawMessage{}}
	for _, d := range b.Documents {
		f.Documents = append(f.Documents, d.Bytes())
	}
	data, err := encMode.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("fleet: bundle: %w", err)
	}
	if len(data) > maxBundle {
		return nil, fmt.Errorf("%w: a bundle of %d bytes; kiosks read at most %d", ErrMalformed, len(data), maxBundle)
	}
	return data, nil
}

// ReadBundle reads a bundle file of at most 64 MiB. It checks form and bounds, and no signature.
func ReadBundle(r io.Reader) (*Bundle, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBundle+1))
	if err != nil {
		return nil, fmt.Errorf("fleet: bundle: %w", err)
	}
	if len(data) > maxBundle {
		return nil, fmt.Errorf("%w: a bundle of more than %d bytes", ErrMalformed, maxBundle)
	}
	return DecodeBundle(data)
}

// DecodeBundle reads a bundle file that is in memory.
func DecodeBundle(data []byte) (*Bundle, error) {
	var f bundleFile
	if err := decodeStrict(data, &f); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	switch {
	case f.Format != bundleFormat:
		return nil, fmt.Errorf("%w: it is no bundle, or of another format than %s", ErrMalformed, bundleFormat)
	case len(f.Documents) > maxDocuments || len(f.Blobs) > maxBlobs:
		return nil, fmt.Errorf("%w: a bundle of %d documents and %d blobs; at most %d and %d are read", ErrMalformed, len(f.Documents), len(f.Blobs), maxDocuments, maxBlobs)
	}
	b := &Bundle{Blobs: f.Blobs}
	for i, raw := range f.Documents {
		d, err := ParseDocument(raw)
		if err != nil {
			return nil, fmt.Errorf("bundle: document %d: %w", i, err)
		}
		b.Documents = append(b.Documents, d)
	}
	return b, nil
}
