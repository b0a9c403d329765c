// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"gatehouse/fleet"
)

type idSet map[[fleet.RevocationSize]byte]bool

// revoked is what an issuer has revoked by now: the ids, and the bits of each status list.
type revoked struct {
	ids   idSet
	lists statusLists
	bits  []*bitSet
}

// revocations are an issuer's lists as a manifest: the bases that were published last with what has changed since, or
// new bases where that is too much. So a revocation costs some bytes on the wire, whatever the length of the list.
//
// A pass with a place in a status list is revoked by its bit and by its id: another one with this id and without a place
// is revoked with it, and whoever looks for an id finds it.
func (f *Folder) revocations(issuer string) (body, error) {
	b := body{kind: fleet.RevocationsOf(issuer), scope: fleet.ScopeAll}
	now, err := f.readNow(issuer)
	if err != nil {
		return b, err
	}
	former, err := f.publishedList(issuer)
	if err != nil {
		return b, err
	}
	list, blobs, err := f.changes(now, former)
	if err == nil && list.Inline() > fleet.MaxInline {
		list, blobs = now.anew()
	}
	b.content, b.blobs = list, blobs
	return b, err
}

func (f *Folder) readNow(issuer string) (*revoked, error) {
	texts, err := f.readRevoked(issuer)
	if err != nil {
		return nil, err
	}
	now, named := &revoked{ids: idSet{}}, map[string]bool{}
	for _, t := range texts {
		now.ids[fleet.RevocationID(t)], named[t] = true, true
	}
	if now.lists, err = f.readStatus(issuer); err != nil {
		return nil, err
	}
	slices.SortFunc(now.lists, func(a, b *statusList) int { return strings.Compare(a.uri, b.uri) })
	for _, l := range now.lists {
		now.bits = append(now.bits, l.bits(named))
	}
	return now, nil
}

// changes are the lists as what has changed since the former ones, with the blobs of their bases.
func (f *Folder) changes(now *revoked, former *fleet.RevocationList) (fleet.RevocationList, [][]byte, error) {
	list := fleet.RevocationList{Base: former.Base}
	var blobs [][]byte
	read := func(b *fleet.Base) ([]byte, error) {
		if b == nil {
			return nil, nil
		}
		blob, err := f.Blob(b.Digest)
		blobs = append(blobs, blob)
		return blob, err
	}
	blob, err := read(former.Base)
	if err != nil {
		return list, nil, err
	}
	before := splitIDs(blob)
	delta := fleet.Delta{Add: now.ids.without(before), Remove: before.without(now.ids)}
	if len(delta.Add)+len(delta.Remove) > 0 {
		list.Deltas = []fleet.Delta{delta}
	}
	for i, l := range now.lists {
		status := fleet.StatusList{URI: l.uri, Size: l.size()}
		if at := slices.IndexFunc(former.Lists, func(s fleet.StatusList) bool { return s.URI == l.uri }); at >= 0 {
			status.Base = former.Lists[at].Base
		}
		if blob, err = read(status.Base); err != nil {
			return list, nil, err
		}
		status.Flips = fleet.JoinFlips(now.bits[i].differs(&bitSet{blob}))
		list.Lists = append(list.Lists, status)
	}
	return list, blobs, nil
}

// anew are the lists as bases alone.
func (now *revoked) anew() (list fleet.RevocationList, blobs [][]byte) {
	base := func(blob []byte, count int) *fleet.Base {
		if len(blob) == 0 {
			return nil
		}
		blobs = append(blobs, blob)
		return fleet.BaseOf(blob, uint64(count))
	}
	list.Base = base(now.ids.without(nil), len(now.ids))
	for i, l := range now.lists {
		bits := now.bits[i].bytes
		list.Lists = append(list.Lists, fleet.StatusList{URI: l.uri, Size: l.size(), Base: base(bits, min(len(bits)*8, int(l.size())))})
	}
	return list, blobs
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

// publishedList is the manifest that was published last, empty if there is none.
func (f *Folder) publishedList(issuer string) (*fleet.RevocationList, error) {
	d, ok, err := f.published(body{kind: fleet.RevocationsOf(issuer), scope: fleet.ScopeAll})
	if err != nil || !ok || d.Withdrawn() {
		return &fleet.RevocationList{}, err
	}
	return fleet.ReadRevocations(d)
}

// Blob reads a base that was published, by its digest.
func (f *Folder) Blob(d fleet.Digest) ([]byte, error) {
	path := f.blobPath(d)
	blob, err := readFile(path)
	if err == nil && fleet.DigestOf(blob) != d {
		err = fmt.Errorf("folder: %s is not what was published; restore it from a copy", path)
	}
	return blob, err
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
