// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// verifiedHead is a head whose signature is good.
type verifiedHead struct {
	doc  Document
	head *Head
}

// assembly is a head and what is here of the documents that it names for this place, each verified.
type assembly struct {
	verifiedHead
	documents map[name]Document
	lists     map[string]*RevocationList // by issuer
	missing   Missing
}

// openHeads returns the venue's verified heads, newest first, and refuses an older one.
func (o *opening) openHeads() ([]verifiedHead, error) {
	n := name{KindHead, Scope(o.known.Place.Venue)}
	var heads []verifiedHead
	lost := fmt.Errorf("%w: no head of %s is here: import a whole bundle", ErrIncomplete, o.known.Place.Venue)
	var brought []Document
	for _, c := range o.pool[n] {
		d, err := o.believe(c)
		if err != nil && c.brought {
			return nil, err
		}
		if err != nil { // stored, and the newest root does not allow it any more
			lost = err
			continue
		}
		h, err := ReadHead(d)
		if err != nil {
			return nil, err
		}
		heads = append(heads, verifiedHead{d, h})
		if c.brought {
			brought = append(brought, d)
		}
	}
	if len(heads) == 0 {
		return nil, lost
	}
	slices.SortFunc(heads, func(a, b verifiedHead) int { return cmp.Compare(b.doc.Version(), a.doc.Version()) })
	newest := heads[0].doc
	if err := o.marks.check(newest, n, newest.Version(), newest.Digest()); err != nil {
		return nil, err
	}
	for _, d := range brought {
		if d.Version() < newest.Version() {
			return nil, fmt.Errorf("%w: %s; version %d is here", ErrOlder, d, newest.Version())
		}
	}
	for i := range heads[1:] {
		if heads[i].doc.Version() == heads[i+1].doc.Version() {
			return nil, fmt.Errorf("%w: %s is %s and %s", ErrConflict, heads[i].doc, heads[i].doc.Digest(), heads[i+1].doc.Digest())
		}
	}
	return heads, nil
}

// assemble gathers what a head names for this place. It refuses a head that would bring back something older, or that
// leaves out what is in force: with the head's key alone nothing can be taken back or un-revoked.
func (o *opening) assemble(h verifiedHead) (*assembly, error) {
	a := &assembly{verifiedHead: h, documents: map[name]Document{}, lists: map[string]*RevocationList{}}
	named := map[name]bool{}
	for _, e := range h.head.Documents {
		if !o.known.Place.has(e.Scope) {
			continue
		}
		named[e.name()] = true
		var err error
		if e.Kind == KindRoot {
			err = o.placeRoot(a, e)
		} else {
			err = o.place(a, e)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", h.doc, err)
		}
	}
	for _, m := range o.everMarked() {
		n := name{m.Kind, m.Scope}
		if m.Kind != KindRoot && m.Kind != KindHead && o.known.Place.has(m.Scope) && !named[n] {
			return nil, fmt.Errorf("%w: %s does not name %s, which is in force here", ErrWithheld, h.doc, n)
		}
	}
	return a, nil
}

// placeRoot makes sure that the chain is as long as the head says, so that a new root cannot be kept from a kiosk.
func (o *opening) placeRoot(a *assembly, e Entry) error {
	if e.Version > o.root().doc.Version() {
		a.missing.Documents = append(a.missing.Documents, e)
		return nil
	}
	for _, r := range o.chain {
		if r.doc.Version() == e.Version && r.doc.Digest() != e.Digest {
			return fmt.Errorf("%w: it names another %s", ErrConflict, r.doc)
		}
	}
	return nil
}

func (o *opening) place(a *assembly, e Entry) error {
	if err := o.marks.check(e, e.name(), e.Version, e.Digest); err != nil {
		return err
	}
	c := o.find(e.name(), e.Digest)
	if c == nil {
		a.missing.Documents = append(a.missing.Documents, e)
		return nil
	}
	d, err := o.believe(c)
	if err != nil {
		return err
	}
	if !e.names(d) {
		return fmt.Errorf("%w: it names %s of %d bytes, and the digest is that of %s of %d", ErrNotNamed, e, e.Size, d, d.Size())
	}
	if issuer := e.Kind.Issuer(); issuer != "" && !d.Withdrawn() {
		if a.lists[issuer], err = o.openList(a, d); err != nil {
			return err
		}
	}
	a.documents[e.name()] = d
	return nil
}

// openList reads a revocation list and looks for the blobs of its bases.
func (o *opening) openList(a *assembly, d Document) (*RevocationList, error) {
	l, err := ReadRevocations(d)
	if err != nil {
		return nil, err
	}
	look := func(b *Base, size uint64, check func(blob []byte) error) error {
		if b == nil || o.held[b.Digest] {
			return nil
		}
		blob, ok := o.blob(b.Digest)
		if !ok {
			a.missing.Blobs = append(a.missing.Blobs, MissingBlob{Of: d.String(), Base: *b, Size: size, Spread: time.Duration(a.head.Spread) * time.Second})
			return nil
		}
		if err := check(blob); err != nil {
			return fmt.Errorf("%s: %w", d, err)
		}
		return nil
	}
	err = look(l.Base, l.Base.idBytes(), l.Base.checkBlob)
	for i := range l.Lists {
		err = errors.Join(err, look(l.Lists[i].Base, l.Lists[i].Base.bitBytes(), l.Lists[i].checkBlob))
	}
	return l, err
}

// checkBrought refuses documents that the newest head does not name: parts of different states are never mixed.
func (o *opening) checkBrought(newest *assembly) error {
	for n, candidates := range o.pool {
		if n.kind == KindRoot || n.kind == KindHead {
			continue
		}
		for _, c := range candidates {
			d := c.copies[0]
			if in, ok := newest.documents[n]; !c.brought || ok && in.Digest() == c.digest {
				continue
			}
			if err := o.marks.check(d, n, d.Version(), c.digest); err != nil {
				return err
			}
			return fmt.Errorf("%w: %s; the newest head here is %s", ErrNotNamed, d, newest.doc)
		}
	}
	for _, d := range o.others {
		if !slices.ContainsFunc(newest.head.Documents, func(e Entry) bool { return e.names(d) }) {
			return fmt.Errorf("%w: %s; the newest head here is %s", ErrNotNamed, d, newest.doc)
		}
	}
	return nil
}

// fallBack returns the newest assembly that is whole. Heads before the newest are stored ones: one that can no longer be
// put in force, since a later one was, is passed over.
func (o *opening) fallBack(newest *assembly, heads []verifiedHead) (*assembly, error) {
	if newest.missing.none() {
		return newest, nil
	}
	var first error
	for _, h := range heads[1:] {
		a, err := o.assemble(h)
		if err == nil && a.missing.none() {
			return a, nil
		}
		first = cmp.Or(first, err)
	}
	if first != nil {
		return nil, first
	}
	for i := range newest.missing.Blobs {
		newest.missing.Blobs[i].Spread = 0 // a kiosk that can decide nothing yet does not wait
	}
	return nil, &IncompleteError{Head: newest.doc.String(), Missing: newest.missing}
}
