// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"gatehouse/entry"
)

// update reads what is to be in force and puts the state of belief together.
func (o *opening) update(newest, a *assembly, heads []verifiedHead) (*Update, error) {
	u := &Update{root: o.root().root, head: a.head, headRoot: o.headRoot, missing: newest.missing}
	if err := o.openIssuers(u, a); err != nil {
		return nil, err
	}
	policy, err := o.openConfig(a)
	if err != nil {
		return nil, err
	}
	for _, issuer := range slices.Sorted(maps.Keys(a.lists)) {
		version := a.documents[name{RevocationsOf(issuer), ScopeAll}].Version()
		u.revocations = append(u.revocations, o.revocations(issuer, version, a.lists[issuer]))
	}
	age := ages{heads, a, o.root().doc, o.known.Place}
	o.collect(u, newest, a, age.needed())
	if u.terms, err = o.terms(policy, newest, a); err != nil {
		return nil, err
	}
	age.setBands(u.terms)
	return u, nil
}

func (o *opening) revocations(issuer string, version uint64, l *RevocationList) RevocationUpdate {
	blob := func(b *Base) []byte {
		if b == nil || o.held[b.Digest] {
			return nil
		}
		bytes, _ := o.blob(b.Digest)
		return bytes
	}
	r := RevocationUpdate{Issuer: issuer, Version: version, Base: l.Base, Blob: blob(l.Base), Overlay: l.Overlay()}
	for _, s := range l.Lists {
		r.Lists = append(r.Lists, StatusUpdate{StatusList: s, Blob: blob(s.Base), Flipped: s.flipped()})
	}
	return r
}

func (o *opening) openIssuers(u *Update, a *assembly) error {
	d, ok := a.documents[name{KindIssuers, ScopeAll}]
	if !ok {
		return fmt.Errorf("%w: %s names no issuers", ErrWithheld, a.doc)
	}
	list, err := ReadIssuers(d)
	if err != nil {
		return err
	}
	keys, err := list.Credentials()
	if err != nil {
		return fmt.Errorf("%s: %w", d, err)
	}
	for _, i := range list.Issuers {
		if _, ok := a.lists[i.Name]; i.Revocable && !ok {
			return fmt.Errorf("%w: %s names no revocations of the issuer %q, which must have a list", ErrWithheld, a.doc, i.Name)
		}
		u.issuers = append(u.issuers, i.Name)
	}
	u.keys = keys
	return nil
}

func (o *opening) openConfig(a *assembly) (*entry.Policy, error) {
	var layers []Layer
	var docs []Document
	for _, s := range o.known.Place.Scopes() {
		d, ok := a.documents[name{KindConfig, s}]
		if !ok || d.Withdrawn() {
			continue
		}
		l, err := ReadLayer(d)
		if err != nil {
			return nil, err
		}
		layers, docs = append(layers, l), append(docs, d)
	}
	if len(layers) == 0 {
		return nil, fmt.Errorf("%w: %s names no config", ErrWithheld, a.doc)
	}
	p, err := MergeLayers(layers...)
	if err != nil {
		return nil, fmt.Errorf("%s, together with the wider layers: %w", docs[FaultyLayer(layers...)], err)
	}
	return p, nil
}

// collect decides what is kept, which versions bind from now on, and what is new.
func (o *opening) collect(u *Update, newest, a *assembly, heads []Document) {
	mark := func(d Document) {
		m := Mark{d.Kind(), d.Scope(), d.Version(), d.Digest()}
		u.marks = append(u.marks, m)
		if !slices.Contains(o.known.Marks, m) {
			u.changed = append(u.changed, d.String())
		}
	}
	keep := func(d Document) {
		if !slices.ContainsFunc(u.documents, func(k Document) bool { return k.Digest() == d.Digest() }) {
			u.documents = append(u.documents, d)
		}
	}
	for _, r := range o.chain {
		keep(r.doc)
	}
	mark(o.root().doc)
	// The newest head binds even while its documents are on their way; they themselves bind once they are in force.
	mark(newest.doc)
	for _, h := range heads {
		keep(h)
	}
	for _, d := range a.sorted() {
		keep(d)
		mark(d)
	}
	for _, d := range newest.sorted() {
		keep(d)
	}
	u.marks = append(u.marks, o.marks.elsewhere(o.known.Place)...)
}

func (a *assembly) sorted() []Document {
	return slices.SortedFunc(maps.Values(a.documents), func(x, y Document) int {
		return cmp.Or(cmp.Compare(x.Kind(), y.Kind()), cmp.Compare(x.Scope(), y.Scope()))
	})
}

func (o *opening) terms(p *entry.Policy, newest, a *assembly) (*entry.Terms, error) {
	zone, err := p.Zone()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrContent, err)
	}
	t := &entry.Terms{
		Venue: o.known.Place.Venue, Kiosk: o.known.Place.Kiosk,
		Policy: p, Zone: zone, Incomplete: newest.missing.texts(),
	}
	for issuer, since := range newest.head.Down {
		if t.Down == nil {
			t.Down = map[string]time.Time{}
		}
		t.Down[issuer] = time.Unix(int64(since), 0).UTC()
	}
	for _, d := range append([]Document{o.root().doc, a.doc}, a.sorted()...) {
		t.Versions = append(t.Versions, entry.Version{Kind: string(d.Kind()), Scope: string(d.Scope()), Version: d.Version()})
	}
	return t, nil
}
