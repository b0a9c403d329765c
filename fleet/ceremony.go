// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"bytes"
	"fmt"
	"slices"
)

// Verify tells whether a root allows the keys that signed a document to say it. It is the operator's look at what a kiosk
// will ask, and puts nothing in force: the root itself is taken as it is, and only Open follows a chain from a pin.
func Verify(root, d Document) error {
	a, err := readRoot(root)
	if err != nil {
		return err
	}
	return a.verify(d)
}

// Succeeds tells whether next can follow root: one version up, and signed by enough keys of both.
func Succeeds(root, next Document) error {
	if next.Kind() != KindRoot || next.Version() != root.Version()+1 {
		return fmt.Errorf("%w: %s does not follow %s", ErrKind, next, root)
	}
	if err := Verify(root, next); err != nil {
		return err
	}
	return Verify(next, next)
}

// Join adds the signatures of another copy of the same document, so that keys that never meet on one machine can sign at
// the same time. It judges no signature.
func (d Document) Join(other Document) (Document, error) {
	if d.digest != other.digest {
		return Document{}, fmt.Errorf("%w: %s is %s, and the other copy is %s", ErrConflict, d, d.digest, other.digest)
	}
	e := envelope{Payload: d.payload, Signatures: slices.Clone(d.signatures)}
	for _, s := range other.signatures {
		if !slices.ContainsFunc(e.Signatures, func(mine []byte) bool { return bytes.Equal(mine, s) }) {
			e.Signatures = append(e.Signatures, s)
		}
	}
	raw, err := encMode.Marshal(e)
	if err != nil {
		return Document{}, fmt.Errorf("fleet: join %s: %w", d, err)
	}
	return ParseDocument(raw)
}
