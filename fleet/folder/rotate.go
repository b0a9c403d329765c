// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/fleet"
)

// Rotation is a change of the root.
type Rotation struct {
	// Replace names keys ("offline-b"), roles with a key of their own ("head"), or ids. The value is the public half of
	// the new key (PEM or DER); where it is nil a key is made in keys/.
	Replace map[string][]byte
	// Thresholds are how many keys a role takes from now on.
	Thresholds map[string]uint
}

// Ceremony is where the change of a root stands.
type Ceremony struct {
	Root fleet.Document
	// Missing says which signatures are to come; nil when the root is in force in this folder.
	Missing error
	// Retired are the names of keys that sign nothing from this root on, and Made those of keys that it brings and whose
	// private halves are in keys/.
	Retired, Made []string
	// Signed are the names of the keys that have signed so far, Strange those among them that count for nothing.
	Signed, Strange []string
	// Takes is what the former root and this one want, in words: "2 of offline-a, offline-b, offline-c".
	Takes [2]string
}

// Rotate makes the next root, valid for ten years from at, and signs it with the keys that are here. With enough
// signatures of both the former root's keys and its own it is in force in this folder, and goes to kiosks with the
// next bundle; else it waits in root/next for Accept.
func (f *Folder) Rotate(r Rotation, at time.Time) (*Ceremony, error) {
	unlock, err := f.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	former, err := f.roster()
	if err != nil {
		return nil, err
	}
	if _, waits, err := f.pending(former.doc); err != nil {
		return nil, err
	} else if waits {
		return nil, fmt.Errorf("%w: %s waits for signatures; finish it with gatehouse-fleet root accept, or give it up: remove that file", ErrExists, f.nextPath())
	}
	body, err := f.nextRoot(former, r, at)
	if err != nil {
		return nil, err
	}
	d, err := fleet.Sign(fleet.KindRoot, fleet.ScopeAll, former.doc.Version()+1, at, body)
	if err != nil {
		return nil, err
	}
	next, err := f.rosterOf(d)
	if err != nil {
		return nil, err
	}
	ids := slices.Clone(former.root.Roles["root"].Keys)
	for _, id := range body.Roles["root"].Keys {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	keys, err := f.here(next, ids, uint(len(ids)))
	if err != nil {
		return nil, err
	}
	if d, err = d.Cosign(keys...); err != nil {
		return nil, err
	}
	return f.install(former, d)
}

// nextRoot is the newest root as it is to be. Its beginning stays, so that documents that its keys signed still count.
func (f *Folder) nextRoot(former *roster, r Rotation, at time.Time) (*fleet.Root, error) {
	body := &fleet.Root{
		NotBefore: former.root.NotBefore, NotAfter: max(former.root.NotAfter, validUntil(at)),
		Keys: slices.Clone(former.root.Keys), Roles: map[string]fleet.Role{},
	}
	for role, listed := range former.root.Roles {
		body.Roles[role] = fleet.Role{Keys: slices.Clone(listed.Keys), Threshold: listed.Threshold}
	}
	for _, what := range slices.Sorted(maps.Keys(r.Replace)) {
		if err := f.replace(former, body, what, r.Replace[what]); err != nil {
			return nil, err
		}
	}
	for role, n := range r.Thresholds {
		listed, ok := body.Roles[role]
		if !ok || n < 1 || n > uint(len(listed.Keys)) {
			return nil, fmt.Errorf("%w: role %s with %d keys, and %d are to sign", ErrName, role, len(listed.Keys), n)
		}
		listed.Threshold = n
		body.Roles[role] = listed
	}
	return body, nil
}

// replace puts a new key in the place of one in every role that has it. A role that later kinds brought, and that an
// older root has not, begins with it.
func (f *Folder) replace(former *roster, body *fleet.Root, what string, given []byte) error {
	old, ok := former.resolve(what)
	_, has := body.Roles[what]
	if !ok && (has || !slices.Contains(online[:], what)) {
		return fmt.Errorf("%w: key %s; the root has: %s", ErrUnknown, what, strings.Join(former.names(former.ids()), ", "))
	}
	base := what
	if ok {
		base = numbered.ReplaceAllString(former.label(old), "")
	}
	public, err := f.successorKey(base+"-"+strconv.FormatUint(former.doc.Version()+1, 10), given)
	if err != nil {
		return err
	}
	id, err := fleet.KeyIDOf(public)
	if err != nil {
		return err
	}
	if !has && slices.Contains(online[:], what) {
		body.Roles[what] = fleet.Role{Threshold: 1, Keys: []fleet.KeyID{id}}
	}
	if !ok {
		body.Keys = append(body.Keys, fleet.RootKey{Public: public})
		return nil
	}
	place := slices.IndexFunc(body.Keys, func(k fleet.RootKey) bool {
		kid, err := fleet.KeyIDOf(k.Public)
		return err == nil && kid == old
	})
	if place < 0 {
		return fmt.Errorf("%w: key %s is replaced twice", ErrName, former.label(old))
	}
	body.Keys[place] = fleet.RootKey{Public: public}
	for _, listed := range body.Roles {
		if i := slices.Index(listed.Keys, old); i >= 0 {
			listed.Keys[i] = id
		}
	}
	return nil
}

// successorKey is the public half that was given, or that of a key that is made here.
func (f *Folder) successorKey(label string, given []byte) (ed25519.PublicKey, error) {
	if given == nil {
		return f.makeKey(label)
	}
	public, err := readPublic(given)
	if err != nil {
		return nil, err
	}
	return public, f.writePublic(label, public)
}

// Accept takes copies of the root that waits, each with further signatures, and puts it in force once they are enough.
func (f *Folder) Accept(copies ...[]byte) (*Ceremony, error) {
	unlock, err := f.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	former, err := f.roster()
	if err != nil {
		return nil, err
	}
	d, waits, err := f.pending(former.doc)
	if err != nil {
		return nil, err
	}
	if !waits {
		return nil, fmt.Errorf("%w: no root waits for signatures; begin with: gatehouse-fleet root rotate", ErrUnknown)
	}
	for _, raw := range copies {
		other, err := fleet.ParseDocument(raw)
		if err == nil {
			d, err = d.Join(other)
		}
		if err != nil {
			return nil, fmt.Errorf("folder: not a copy of %s: %w", f.nextPath(), err)
		}
	}
	return f.install(former, d)
}

// install puts a root in force in the folder if enough keys have signed it, else keeps it waiting.
func (f *Folder) install(former *roster, d fleet.Document) (*Ceremony, error) {
	next, err := f.rosterOf(d)
	if err != nil {
		return nil, err
	}
	c := &Ceremony{Root: d, Takes: [2]string{former.wants(), next.wants()}}
	for _, id := range d.Signers() {
		c.Signed = append(c.Signed, next.label(id))
		if !former.maySign(id) && !next.maySign(id) {
			c.Strange = append(c.Strange, next.label(id))
		}
	}
	for _, id := range next.ids() {
		if label := next.label(id); !slices.Contains(former.ids(), id) && exists(f.keyPath(label)) {
			c.Made = append(c.Made, label)
		}
	}
	if c.Missing = fleet.Succeeds(former.doc, d); c.Missing != nil {
		if !errors.Is(c.Missing, fleet.ErrSignature) {
			return nil, c.Missing
		}
		return c, WriteFile(f.nextPath(), d.Bytes(), readable)
	}
	now := next.ids()
	for _, id := range former.ids() {
		if !slices.Contains(now, id) {
			c.Retired = append(c.Retired, former.label(id))
		}
	}
	if err := writeNew(f.path("root", strconv.FormatUint(d.Version(), 10)), d.Bytes(), readable); err != nil {
		return nil, err
	}
	if err := os.Remove(f.nextPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("folder: %w", err)
	}
	return c, nil
}

// wants is what a root takes of its own keys.
func (r *roster) wants() string {
	listed := r.root.Roles["root"]
	return fmt.Sprintf("%d of %s", listed.Threshold, strings.Join(r.names(listed.Keys), ", "))
}

func (r *roster) maySign(id fleet.KeyID) bool { return slices.Contains(r.root.Roles["root"].Keys, id) }

// Signature is one that SignRoot was asked for.
type Signature struct {
	Key    fleet.KeyID
	Before bool // it was there before
	Own    bool // the key is one of the new root's own; else it counts only where the former root has it
}

// SignRoot adds the signatures of private keys to a root in a file. It needs no folder: a key that is kept on a machine
// of its own signs there.
func SignRoot(path string, keys ...string) (d fleet.Document, signed []Signature, err error) {
	if d, err = (&Folder{}).readDocument(path); err != nil {
		return d, nil, err
	}
	root, err := fleet.ReadRoot(d)
	if err != nil {
		return d, nil, fmt.Errorf("folder: %s: %w", path, err)
	}
	for _, file := range keys {
		signer, err := readSigner(file)
		if err != nil {
			return d, nil, err
		}
		k, err := fleet.NewSigningKey(signer)
		if err != nil {
			return d, nil, fmt.Errorf("folder: %s: %w", file, err)
		}
		s := Signature{Key: k.ID(), Before: slices.Contains(d.Signers(), k.ID()), Own: slices.Contains(root.Roles["root"].Keys, k.ID())}
		if signed = append(signed, s); s.Before {
			continue
		}
		if d, err = d.Cosign(k); err != nil {
			return d, nil, err
		}
	}
	return d, signed, WriteFile(path, d.Bytes(), readable)
}
