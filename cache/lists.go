// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"fmt"

	"go.etcd.io/bbolt"

	"gatehouse/entry"
	"gatehouse/fleet"
)

// The buckets of trust.db. Every value is sealed.
//
//	documents      place in fleet.Update.Documents (4, big-endian) → envelope
//	marks          "all" → the marks in deterministic CBOR
//	"base" 0 digest  the base of a hash set that has this digest; see revocation.go
//	"bits" 0 digest  the base of a status list that has this digest; see status.go
var (
	documentBucket = []byte("documents")
	markBucket     = []byte("marks")
	markKey        = []byte("all")
)

// lists are the revocations of one issuer.
type lists struct {
	set    hashSet
	status map[string]*bitList // by URI
}

// listsOf names what is stored of the revocations in force, by issuer.
func listsOf(updates []fleet.RevocationUpdate) map[string]*lists {
	all := map[string]*lists{}
	for _, u := range updates {
		l := &lists{set: hashSet{overlay: u.Overlay}, status: map[string]*bitList{}}
		if u.Base != nil {
			l.set.base = blobRef{blobKind: setBlob, digest: u.Base.Digest}.name()
		}
		for _, s := range u.Lists {
			bits := &bitList{size: s.Size, flipped: s.Flipped}
			if s.Base != nil {
				bits.base, bits.count = blobRef{blobKind: statusBlob, digest: s.Base.Digest}.name(), s.Base.Count
			}
			l.status[s.URI] = bits
		}
		all[u.Issuer] = l
	}
	return all
}

// byID asks whether any of these ids is revoked.
func (l *lists) byID(tx *bbolt.Tx, texts []string) (entry.Revocation, error) {
	for _, text := range texts {
		id := fleet.RevocationID(text)
		if revoked, err := l.set.revoked(tx, &id); err != nil {
			return entry.RevocationUnknown, err
		} else if revoked {
			return entry.Revoked, nil
		}
	}
	return entry.NotRevoked, nil
}

// byIndex asks a status list. One that is not here, and an index outside it, say nothing.
func (l *lists) byIndex(tx *bbolt.Tx, uri string, index uint64) (entry.Revocation, error) {
	bits := l.status[uri]
	if bits == nil || index >= bits.size {
		return entry.RevocationUnknown, nil
	}
	revoked, err := bits.revoked(tx, index)
	switch {
	case err != nil:
		return entry.RevocationUnknown, err
	case revoked:
		return entry.Revoked, nil
	}
	return entry.NotRevoked, nil
}

// checkBlobs compares what is stored with what verified documents say.
func checkBlobs(tx *bbolt.Tx, updates []fleet.RevocationUpdate) error {
	for _, r := range blobsOf(updates) {
		if err := r.check(tx); err != nil {
			return fmt.Errorf("revocations: %w", err)
		}
	}
	return nil
}
