// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/fleet"
)

// belief is one view of the documents in force. Keys and terms are in memory and never change. Revocations stay in the
// file; a view that was superseded meanwhile goes by the newer ones, which can only be better.
type belief struct {
	trust   *Trust
	tx      int // the transaction that wrote it
	terms   *entry.Terms
	keys    map[keyName][]*credential.Key
	issuers map[string]bool
	lists   map[string]*lists // by issuer
	blobs   map[string]bool   // names of the buckets that they rest on

	believed Believed
	root     *fleet.Root
	missing  fleet.Missing // of the newest head
}

// keyName is what a pass names a key by. HC1 passes name no issuer: their keys are also under "".
type keyName struct {
	format credential.Format
	issuer string
	id     string
}

func newBelief(t *Trust, tx int, u *fleet.Update) *belief {
	b := &belief{
		trust: t, tx: tx, terms: u.Terms(),
		keys: map[keyName][]*credential.Key{}, issuers: map[string]bool{}, lists: listsOf(u.Revocations()), blobs: map[string]bool{},
		believed: Believed{Signed: u.Terms().Signed, Pin: t.pin, Marks: u.Marks(), HeadRoot: u.HeadRoot()},
		root:     u.Root(), missing: u.Missing(),
	}
	for _, name := range u.Issuers() {
		b.issuers[name] = true
	}
	for _, k := range u.Keys() {
		for _, f := range k.Formats {
			name := keyName{f, k.Issuer, string(k.ID)}
			b.keys[name] = append(b.keys[name], k)
			if f == credential.HC1 {
				name.issuer = ""
				b.keys[name] = append(b.keys[name], k)
			}
		}
	}
	for _, r := range blobsOf(u.Revocations()) {
		b.blobs[string(r.name())] = true
	}
	return b
}

// Keys implements credential.Trust.
func (b *belief) Keys(f credential.Format, issuer string, kid []byte) ([]*credential.Key, error) {
	anyIssuer := f == credential.HC1 && issuer == ""
	if !anyIssuer && !b.issuers[issuer] {
		return nil, credential.ErrUnknownIssuer
	}
	return b.keys[keyName{f, issuer, string(kid)}], nil
}

// Terms implements entry.Belief.
func (b *belief) Terms() *entry.Terms { return b.terms }

// Revoked implements entry.Belief: a pass is asked by its ids and by the status list that it names, and either can revoke
// it. Only the lists of its own issuer count.
func (b *belief) Revoked(p *credential.Pass) (entry.Revocation, error) {
	for n := b.newest(); ; n = n.newest() {
		r, err := n.ask(p)
		// What was superseded before the transaction began may be freed already; what is superseded later is not.
		if err != errSuperseded {
			return r, err
		}
	}
}

// newest is the view in force, or this one.
func (b *belief) newest() *belief {
	if n := b.trust.current.Load(); n != nil && n.tx > b.tx {
		return n
	}
	return b
}

var errSuperseded = errors.New("cache: a newer view is in force")

// ask looks the pass up in its issuer's lists.
func (b *belief) ask(p *credential.Pass) (r entry.Revocation, err error) {
	l := b.lists[p.Issuer]
	switch {
	case l == nil && p.Status == nil: // the issuer revokes nothing
		return entry.NotRevoked, nil
	case l == nil:
		return entry.RevocationUnknown, nil
	}
	err = b.trust.file.view(func(tx *bbolt.Tx) error {
		if b.newest() != b {
			return errSuperseded
		}
		var err error
		if r, err = l.byID(tx, p.RevocationIDs()); err == nil && r == entry.NotRevoked && p.Status != nil {
			r, err = l.byIndex(tx, p.Status.URI, p.Status.Index)
		}
		if err != nil {
			return b.trust.damaged(fmt.Errorf("revocations of %s: %w", p.Issuer, err))
		}
		return nil
	})
	return r, err
}
