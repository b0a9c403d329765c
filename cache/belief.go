// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
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
	lists   map[string]*hashSet // by issuer; nil where a list in force is not here

	believed Believed
}

// keyName is what a pass names a key by. HC1 passes name no issuer: their keys are also under "".
type keyName struct {
	format credential.Format
	issuer string
	id     string
}

func newBelief(t *Trust, tx int, u *fleet.Update, lists map[string]*listRecord) *belief {
	b := &belief{
		trust: t, tx: tx, terms: u.Terms(),
		keys: map[keyName][]*credential.Key{}, issuers: map[string]bool{}, lists: map[string]*hashSet{},
		believed: Believed{Signed: u.Terms().Signed, Pin: t.pin, Marks: u.Marks(), HeadRoot: u.HeadRoot()},
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
	for _, r := range u.Revocations() {
		b.lists[r.Issuer] = nil
	}
	for issuer, r := range lists {
		b.lists[issuer] = r.set()
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

// Revoked implements entry.Belief. A status list that the pass names is never here: nothing brings one yet.
func (b *belief) Revoked(p *credential.Pass) (entry.Revocation, error) {
	if _, listed := b.lists[p.Issuer]; listed {
		if r, err := b.ask(p); err != nil || r != entry.NotRevoked {
			return r, err
		}
	}
	if p.Status != nil {
		return entry.RevocationUnknown, nil
	}
	return entry.NotRevoked, nil
}

// ask looks the pass up in its issuer's list.
func (b *belief) ask(p *credential.Pass) (r entry.Revocation, err error) {
	err = b.trust.file.view(func(tx *bbolt.Tx) error {
		var err error
		if r, err = b.askIn(tx, p); err != nil {
			return b.trust.damaged(fmt.Errorf("revocations of %s: %w", p.Issuer, err))
		}
		return nil
	})
	return r, err
}

func (b *belief) askIn(tx *bbolt.Tx, p *credential.Pass) (entry.Revocation, error) {
	set := b.lists[p.Issuer]
	if tx.ID() != b.tx {
		r, err := readList(tx, p.Issuer)
		if err != nil {
			return entry.RevocationUnknown, err
		}
		set = r.set()
	}
	if set == nil {
		return entry.RevocationUnknown, nil
	}
	for _, text := range p.RevocationIDs() {
		id := fleet.RevocationID(text)
		if found, err := set.contains(tx, &id); err != nil {
			return entry.RevocationUnknown, err
		} else if found {
			return entry.Revoked, nil
		}
	}
	return entry.NotRevoked, nil
}
