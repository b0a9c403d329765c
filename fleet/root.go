// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"time"
)

// Root is the body of a root document: who may sign what.
type Root struct {
	// NotBefore and NotAfter bound the signed time of every document under this root, in seconds since 1970.
	NotBefore uint64          `cbor:"not_before"`
	NotAfter  uint64          `cbor:"not_after"`
	Keys      []RootKey       `cbor:"keys"`
	Roles     map[string]Role `cbor:"roles"`
}

// RootKey is a public key. A document counts as signed by it only if its signed time is within the key's validity.
type RootKey struct {
	Public    []byte `cbor:"public"` // Ed25519, 32 bytes
	NotBefore uint64 `cbor:"not_before,omitempty"`
	NotAfter  uint64 `cbor:"not_after,omitempty"` // 0 = unbounded
}

func (k RootKey) validAt(t uint64) bool {
	return t >= k.NotBefore && (k.NotAfter == 0 || t <= k.NotAfter)
}

// Role says how many of which keys it takes.
type Role struct {
	Keys      []KeyID `cbor:"keys"`
	Threshold uint    `cbor:"threshold"`
}

func (r Role) has(id KeyID) bool { return slices.Contains(r.Keys, id) }

// Bounds of a root, so that no root makes a check slow.
const (
	maxRootKeys  = 64
	maxRootRoles = 64
)

// requiredRoles are the roles without which no kiosk could be told anything. Others are for later kinds.
var requiredRoles = [...]string{"root", "head", "issuers", "config", kindRevocations}

// Valid bounds the signed time of every document under this root.
func (r *Root) Valid() (from, until time.Time) {
	return time.Unix(int64(r.NotBefore), 0).UTC(), time.Unix(int64(r.NotAfter), 0).UTC()
}

// keyring checks the root as a whole and returns its keys by name.
func (r *Root) keyring() (map[KeyID]RootKey, error) {
	if len(r.Keys) > maxRootKeys || len(r.Roles) > maxRootRoles {
		return nil, fmt.Errorf("%w: root: %d keys and %d roles; at most %d and %d", ErrMalformed, len(r.Keys), len(r.Roles), maxRootKeys, maxRootRoles)
	}
	if r.NotAfter < r.NotBefore || r.NotAfter > maxTime {
		return nil, fmt.Errorf("%w: root: it ends before it begins, or after the year 9999", ErrMalformed)
	}
	keys := map[KeyID]RootKey{}
	for _, k := range r.Keys {
		id, err := KeyIDOf(ed25519.PublicKey(k.Public))
		if err != nil {
			return nil, fmt.Errorf("%w: root: %w", ErrMalformed, err)
		}
		if _, twice := keys[id]; twice {
			return nil, fmt.Errorf("%w: root: key %s is listed twice", ErrMalformed, id)
		}
		keys[id] = k
	}
	for _, name := range requiredRoles {
		if _, ok := r.Roles[name]; !ok {
			return nil, fmt.Errorf("%w: root: the role %q is missing", ErrMalformed, name)
		}
	}
	for name, role := range r.Roles {
		if err := role.validate(keys); err != nil {
			return nil, fmt.Errorf("%w: root: role %q: %w", ErrMalformed, name, err)
		}
	}
	return keys, nil
}

// validate makes sure that a threshold can be reached, and only by that many different keys.
func (r Role) validate(keys map[KeyID]RootKey) error {
	if r.Threshold == 0 || r.Threshold > uint(len(r.Keys)) {
		return fmt.Errorf("threshold %d of %d keys", r.Threshold, len(r.Keys))
	}
	for i, id := range r.Keys {
		if _, ok := keys[id]; !ok {
			return fmt.Errorf("key %s is not among the root's keys", id)
		}
		if slices.Contains(r.Keys[:i], id) {
			return fmt.Errorf("key %s is listed twice", id)
		}
	}
	return nil
}

// ReadRoot reads and checks what a root says, whoever signed it. Only Open decides whether it is believed.
func ReadRoot(d Document) (*Root, error) {
	a, err := readRoot(d)
	if err != nil {
		return nil, err
	}
	return a.root, nil
}

// authority is a verified root.
type authority struct {
	doc  Document
	root *Root
	keys map[KeyID]RootKey
}

func readRoot(d Document) (*authority, error) {
	var r Root
	if d.Kind() != KindRoot {
		return nil, fmt.Errorf("%w: %s is no root", ErrKind, d)
	}
	if err := d.decodeBody(&r); err != nil {
		return nil, err
	}
	keys, err := r.keyring()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d, err)
	}
	return &authority{doc: d, root: &r, keys: keys}, nil
}

// verify tells whether the root allows the keys that signed this document to say this.
func (a *authority) verify(d Document) error {
	role, ok := a.root.Roles[d.Kind().Role()]
	if !ok {
		return fmt.Errorf("%w: %s: the root (version %d) has no role for it", ErrSignature, d, a.doc.Version())
	}
	// A root that has ended can still be followed by its successor; a fleet that was late would be lost otherwise.
	if t := d.said.Issued; d.Kind() != KindRoot && (t < a.root.NotBefore || t > a.root.NotAfter) {
		return fmt.Errorf("%w: %s: signed at %s, when the root (version %d) was not valid", ErrSignature, d, d.Issued().Format(time.RFC3339), a.doc.Version())
	}
	if n := d.countSigners(a.keys, role); uint(n) < role.Threshold {
		return fmt.Errorf("%w: %s: %d good signatures of the %d that root version %d asks for", ErrSignature, d, n, role.Threshold, a.doc.Version())
	}
	return nil
}

// shares tells whether a document that one of the former roots allowed could still be allowed by this one: whether the
// keys that they gave the role reach this one's threshold.
func (a *authority) shares(former []*authority, role string) bool {
	n := uint(0)
	for _, id := range a.root.Roles[role].Keys {
		if slices.ContainsFunc(former, func(f *authority) bool { return f.root.Roles[role].has(id) }) {
			n++
		}
	}
	return n >= a.root.Roles[role].Threshold
}
