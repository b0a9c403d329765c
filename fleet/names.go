// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Kind is the kind of a document: one of the constants, or "revocations/<issuer>" for one issuer's list.
type Kind string

// The kinds.
const (
	KindRoot        Kind = "root"
	KindHead        Kind = "head"
	KindIssuers     Kind = "issuers"
	KindConfig      Kind = "config"
	kindRevocations      = "revocations"
)

// The roles whose keys sign no document: they sign messages of their own, which come in no bundle.
const (
	RoleCommand   = "command"   // orders to one kiosk
	RoleCollector = "collector" // acknowledgements of events
)

// RevocationsOf is the kind of an issuer's revocation list.
func RevocationsOf(issuer string) Kind { return kindRevocations + "/" + Kind(issuer) }

// Issuer is the issuer of a revocation list and "" for every other kind.
func (k Kind) Issuer() string {
	if role, issuer, ok := strings.Cut(string(k), "/"); ok && role == kindRevocations {
		return issuer
	}
	return ""
}

// Role is the role whose keys sign this kind: the kind itself, or "revocations".
func (k Kind) Role() string {
	role, _, _ := strings.Cut(string(k), "/")
	return role
}

// check tells whether a document of this kind may have this scope.
func (k Kind) check(s Scope) error {
	venue, kiosk := s.Venue(), s.Kiosk()
	ok := false
	switch k {
	case KindRoot, KindIssuers:
		ok = s == ScopeAll
	case KindHead:
		ok = venue != "" && kiosk == ""
	case KindConfig:
		ok = true
	default:
		if !ValidName(k.Issuer()) {
			return fmt.Errorf("%w: %q is not a kind that this version knows", ErrKind, k)
		}
		ok = s == ScopeAll
	}
	if !ok {
		return fmt.Errorf("%w: a document of kind %q cannot have the scope %q", ErrKind, k, s)
	}
	return nil
}

// ValidName tells whether a venue, kiosk or issuer can have this name: 1 to 32 of a-z, 0-9 and "-"; "all" is reserved.
func ValidName(name string) bool {
	if len(name) < 1 || len(name) > 32 || name == string(ScopeAll) {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// Scope is for whom a document is: "all", "venue" or "venue/kiosk".
type Scope string

// ScopeAll is the scope of the whole fleet.
const ScopeAll Scope = "all"

// Venue is the scope's venue, "" for the whole fleet.
func (s Scope) Venue() string {
	if s == ScopeAll {
		return ""
	}
	venue, _, _ := strings.Cut(string(s), "/")
	return venue
}

// Kiosk is the scope's kiosk, "" for the whole fleet or venue.
func (s Scope) Kiosk() string {
	_, kiosk, _ := strings.Cut(string(s), "/")
	return kiosk
}

func (s Scope) validate() error {
	venue, kiosk, narrow := strings.Cut(string(s), "/")
	if s == ScopeAll || ValidName(venue) && (!narrow || ValidName(kiosk)) {
		return nil
	}
	return fmt.Errorf("%w: the scope %q is none of all, venue and venue/kiosk", ErrMalformed, s)
}

// Place is one kiosk of a fleet.
type Place struct{ Venue, Kiosk string }

// Validate tells whether both names are there and well-formed.
func (p Place) Validate() error {
	if !ValidName(p.Venue) || !ValidName(p.Kiosk) {
		return fmt.Errorf("fleet: %q is not venue/kiosk; each name is 1 to 32 of a-z, 0-9 and -, and not \"all\"", p)
	}
	return nil
}

// String gives "venue/kiosk".
func (p Place) String() string { return p.Venue + "/" + p.Kiosk }

// MarshalText gives "venue/kiosk".
func (p Place) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Scopes are the scopes that apply to this place, from the widest to the narrowest.
func (p Place) Scopes() [3]Scope {
	return [3]Scope{ScopeAll, Scope(p.Venue), Scope(p.String())}
}

func (p Place) has(s Scope) bool {
	return s == ScopeAll || s == Scope(p.Venue) || s == Scope(p.String())
}

// Digest is a SHA-256: of a document's payload, or of a blob. It is the payload's and not the envelope's, so that
// a further signature or another order of signatures changes neither a pin nor a head.
type Digest [sha256.Size]byte

// DigestOf is the digest of these bytes.
func DigestOf(b []byte) Digest { return sha256.Sum256(b) }

const digestPrefix = "sha256:"

// String gives "sha256:<hex>".
func (d Digest) String() string { return digestPrefix + hex.EncodeToString(d[:]) }

// MarshalText writes "sha256:<hex>".
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads "sha256:<hex>" in lower case.
func (d *Digest) UnmarshalText(text []byte) error {
	h, ok := strings.CutPrefix(string(text), digestPrefix)
	b, err := hex.DecodeString(h)
	if !ok || err != nil || len(b) != len(d) || h != strings.ToLower(h) {
		return fmt.Errorf("fleet: %q is not a digest; write sha256: and 64 hexadecimal digits", text)
	}
	copy(d[:], b)
	return nil
}

// ParseDigest reads "sha256:<hex>".
func ParseDigest(s string) (Digest, error) {
	var d Digest
	err := d.UnmarshalText([]byte(s))
	return d, err
}
