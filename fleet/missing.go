// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"fmt"
	"time"
)

// Missing is what the newest head names for a place and is not there: documents, and blobs of manifests that are.
type Missing struct {
	Documents []Entry
	Blobs     []MissingBlob
}

// MissingBlob is a blob that a verified manifest names.
type MissingBlob struct {
	Of   string // the manifest, for a person to read
	Base Base
	Size uint64 // in bytes
	// Spread is the time over which kiosks begin to fetch it; 0 is at once, as where nothing is in force without it.
	Spread time.Duration
}

func (m Missing) none() bool { return len(m.Documents)+len(m.Blobs) == 0 }

func (m Missing) texts() (texts []string) {
	for _, e := range m.Documents {
		texts = append(texts, e.String())
	}
	for _, b := range m.Blobs {
		texts = append(texts, fmt.Sprintf("%s: the blob %s", b.Of, b.Base.Digest))
	}
	return texts
}

// IncompleteError is an ErrIncomplete that tells what it takes: nothing is in force yet, and the documents that are here
// are not enough.
type IncompleteError struct {
	Head string
	Missing
}

func (e *IncompleteError) Error() string {
	return fmt.Sprintf("%v: %s names what is not here: %s: import a whole bundle", ErrIncomplete, e.Head, e.texts())
}

// Is matches ErrIncomplete.
func (e *IncompleteError) Is(target error) bool { return target == ErrIncomplete }
