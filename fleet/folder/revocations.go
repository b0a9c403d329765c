// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"encoding/hex"
	"fmt"

	"gatehouse/fleet"
)

// maxDelta is how many changes travel inside a manifest; beyond it the base is made anew.
const maxDelta = 1024

type idSet map[[fleet.RevocationSize]byte]bool

// revocations is an issuer's list as a manifest: the base that was published last with what has changed since, or a
// new base where that is too much. So a revocation costs some bytes on the wire, whatever the length of the list.
func (f *Folder) revocations(issuer string) (body, error) {
	b := body{kind: fleet.RevocationsOf(issuer), scope: fleet.ScopeAll}
	texts, err := f.readRevoked(issuer)
	if err != nil {
		return b, err
	}
	now := idSet{}
	for _, t := range texts {
		now[fleet.RevocationID(t)] = true
	}
	base, blob, err := f.publishedBase(b)
	if err != nil {
		return b, err
	}
	before := splitIDs(blob)
	delta := fleet.Delta{Add: now.without(before), Remove: before.without(now)}
	if len(delta.Add)+len(delta.Remove) > maxDelta*fleet.RevocationSize {
		blob = now.without(nil)
		base = &fleet.Base{Digest: fleet.DigestOf(blob), Count: uint64(len(now))}
		delta = fleet.Delta{}
		if err := WriteFile(f.blobPath(base.Digest), blob, readable); err != nil {
			return b, err
		}
	}
	list := fleet.RevocationList{Base: base}
	if len(delta.Add)+len(delta.Remove) > 0 {
		list.Deltas = []fleet.Delta{delta}
	}
	b.content, b.blob = list, blob
	return b, nil
}

// hasRevoked tells whether the list that was published last has any id, or was withdrawn and may have had some.
func (f *Folder) hasRevoked(issuer string) (bool, error) {
	d, ok, err := f.published(body{kind: fleet.RevocationsOf(issuer), scope: fleet.ScopeAll})
	if err != nil || !ok || d.Withdrawn() {
		return ok && err == nil, err
	}
	l, err := fleet.ReadRevocations(d)
	return err == nil && (l.Base != nil || len(l.Deltas) > 0), err
}

// publishedBase is the base of the list that was published last, nil if it has none.
func (f *Folder) publishedBase(b body) (*fleet.Base, []byte, error) {
	d, ok, err := f.published(b)
	if err != nil || !ok || d.Withdrawn() {
		return nil, nil, err
	}
	l, err := fleet.ReadRevocations(d)
	if err != nil || l.Base == nil {
		return nil, nil, err
	}
	path := f.blobPath(l.Base.Digest)
	blob, err := readFile(path)
	if err != nil {
		return nil, nil, err
	}
	if fleet.DigestOf(blob) != l.Base.Digest {
		return nil, nil, fmt.Errorf("folder: %s is not what was published; restore it from a copy", path)
	}
	return l.Base, blob, nil
}

func (f *Folder) blobPath(d fleet.Digest) string {
	return f.path("published", "blobs", hex.EncodeToString(d[:]))
}

func splitIDs(blob []byte) idSet {
	ids := idSet{}
	for ; len(blob) >= fleet.RevocationSize; blob = blob[fleet.RevocationSize:] {
		ids[[fleet.RevocationSize]byte(blob)] = true
	}
	return ids
}

// without are the ids of s that o has not, as a delta has them.
func (s idSet) without(o idSet) []byte {
	var ids [][fleet.RevocationSize]byte
	for id := range s {
		if !o[id] {
			ids = append(ids, id)
		}
	}
	return fleet.JoinRevocations(ids)
}
