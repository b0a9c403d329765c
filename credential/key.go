// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Algorithm is a COSE signature algorithm (RFC 9053, RFC 8230). Its value is the COSE label.
type Algorithm int

// The algorithms known here.
const (
	EdDSA Algorithm = -8  // Ed25519
	ES256 Algorithm = -7  // ECDSA on P-256 with SHA-256, signature R‖S of 64 bytes
	PS256 Algorithm = -37 // RSASSA-PSS with SHA-256 and a salt of 32 bytes
)

// String returns the algorithm's registered name.
func (a Algorithm) String() string {
	switch a {
	case EdDSA:
		return "EdDSA"
	case ES256:
		return "ES256"
	case PS256:
		return "PS256"
	}
	return fmt.Sprintf("Algorithm(%d)", int(a))
}

// ParseAlgorithm reads a registered name: "EdDSA", "ES256" or "PS256".
func ParseAlgorithm(name string) (Algorithm, error) {
	for _, a := range []Algorithm{EdDSA, ES256, PS256} {
		if a.String() == name {
			return a, nil
		}
	}
	return 0, fmt.Errorf("credential: algorithm %q is not known; use EdDSA, ES256 or PS256", name)
}

// DCCUsage is the set of certificates that a document signing certificate may sign, from its
// extended key usage (EU DCC, "Digital Green Certificates volume 3", section 5). Zero is unrestricted.
type DCCUsage uint8

// The members of DCCUsage.
const (
	DCCTest        DCCUsage = 1 << iota // 1.3.6.1.4.1.1847.2021.1.1
	DCCVaccination                      // 1.3.6.1.4.1.1847.2021.1.2
	DCCRecovery                         // 1.3.6.1.4.1.1847.2021.1.3
)

// Key is a trusted public key with what it may sign.
type Key struct {
	Issuer    string
	ID        []byte // the kid by which passes name it
	Algorithm Algorithm
	Public    crypto.PublicKey // ed25519.PublicKey, *ecdsa.PublicKey (P-256) or *rsa.PublicKey
	Formats   []Format         // the formats that it may sign; none = none
	Kinds     []string         // the kinds of pass that it may sign; none = every kind
	// Scopes bounds what it may sign for: "venue" or "venue/zone"; none = everywhere. A pass whose
	// scope reaches beyond it is refused, and a pass without a scope is given this one.
	Scopes   []string
	DCCUsage DCCUsage
	// NotBefore and NotAfter bound the time at which it may be used to verify; zero = unbounded.
	NotBefore, NotAfter time.Time
}

// Bounds of what a Key may hold. RSA above 8192 bits only serves to make a check slow.
const (
	maxKeyID     = 64
	minRSABits   = 2048
	maxRSABits   = 8192
	maxKeyIssuer = 256 // issuers of other formats are URLs
	maxIssuer    = 32  // iss of a Gatehouse pass
	maxScopeLen  = 64
)

// Validate reports whether the key can be used as it says: names within bounds, known formats, well
// formed scopes, and a public key of the kind and strength that its algorithm needs. The error says
// which field is wrong.
func (k Key) Validate() error {
	switch {
	case k.Issuer == "" || len(k.Issuer) > maxKeyIssuer:
		return fmt.Errorf("credential: key of issuer %q: the issuer's name must have 1 to %d bytes", k.Issuer, maxKeyIssuer)
	case len(k.ID) == 0 || len(k.ID) > maxKeyID:
		return fmt.Errorf("credential: key of issuer %q: the key identifier must have 1 to %d bytes", k.Issuer, maxKeyID)
	case !k.NotBefore.IsZero() && !k.NotAfter.IsZero() && k.NotAfter.Before(k.NotBefore):
		return k.errorf("ends (not_after) before it begins (not_before)")
	case k.DCCUsage&^(DCCTest|DCCVaccination|DCCRecovery) != 0:
		return k.errorf("unknown bits in the DCC usage %#x", uint8(k.DCCUsage))
	}
	for _, f := range k.Formats {
		if f != GH1 && f != HC1 {
			return k.errorf("format %q is not known; use %q or %q", f, GH1, HC1)
		}
	}
	for _, s := range k.Scopes {
		if !validScope(s) {
			return k.errorf("scope %q is neither venue nor venue/zone", s)
		}
	}
	return k.validatePublic()
}

func (k Key) validatePublic() error {
	switch k.Algorithm {
	case EdDSA:
		if p, ok := k.Public.(ed25519.PublicKey); !ok || len(p) != ed25519.PublicKeySize {
			return k.errorf("EdDSA needs an Ed25519 public key, not %T", k.Public)
		} else if smallOrder(p) {
			return k.errorf("the Ed25519 public key is a point of small order: anybody can sign for it")
		}
	case ES256:
		p, ok := k.Public.(*ecdsa.PublicKey)
		if !ok || p == nil || p.Curve != elliptic.P256() {
			return k.errorf("ES256 needs a P-256 public key")
		}
		if _, err := p.ECDH(); err != nil {
			return k.errorf("the public key is no point of P-256")
		}
	case PS256:
		p, ok := k.Public.(*rsa.PublicKey)
		if !ok || p == nil || p.N == nil {
			return k.errorf("PS256 needs an RSA public key, not %T", k.Public)
		}
		if n := p.N.BitLen(); n < minRSABits || n > maxRSABits {
			return k.errorf("an RSA key of %d bits; %d to %d are accepted", n, minRSABits, maxRSABits)
		}
		if p.E < 3 || p.E&1 == 0 {
			return k.errorf("the RSA exponent %d is unsafe", p.E)
		}
	default:
		return k.errorf("the algorithm %d is not known; use EdDSA, ES256 or PS256", int(k.Algorithm))
	}
	return nil
}

// smallOrders are the y coordinates of the points of edwards25519 whose order divides 8, in all their encodings of 32
// bytes, little-endian and without the sign of x (RFC 8032, section 5.1.2; those of p and p+1 are not canonical, and
// some implementations take them).
var smallOrders = [...]string{
	"0000000000000000000000000000000000000000000000000000000000000000", // 0, order 4
	"0100000000000000000000000000000000000000000000000000000000000000", // 1, order 1
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // order 8
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // -1, order 2
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p = 0
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p+1 = 1
}

// smallOrder tells whether an Ed25519 key has signatures that are good for any message.
func smallOrder(p ed25519.PublicKey) bool {
	y := bytes.Clone(p)
	y[len(y)-1] &= 0x7f
	return slices.Contains(smallOrders[:], hex.EncodeToString(y))
}

func (k Key) errorf(format string, args ...any) error {
	return fmt.Errorf("credential: key %x of issuer %q: "+format, append([]any{k.ID, k.Issuer}, args...)...)
}

// Equal reports whether both keys have the same public key and identifier.
func (k *Key) Equal(other *Key) bool {
	p, ok := k.Public.(interface{ Equal(crypto.PublicKey) bool })
	return ok && bytes.Equal(k.ID, other.ID) && p.Equal(other.Public)
}

// forbids says why k may not sign p, or "" if it may.
func (k *Key) forbids(p *Pass, usage DCCUsage) string {
	switch {
	case !slices.Contains(k.Formats, p.Format):
		return "the key may not sign this format"
	case len(k.Kinds) > 0 && !slices.Contains(k.Kinds, p.Kind):
		return "the key may not sign this kind of pass"
	case usage != 0 && k.DCCUsage != 0 && k.DCCUsage&usage == 0:
		return "the certificate's key usage does not allow this kind of certificate"
	case len(k.Scopes) == 0:
		return ""
	}
	for _, s := range p.Scope {
		if !slices.ContainsFunc(k.Scopes, func(bound string) bool { return covers(bound, s) }) {
			return "the scope of the pass reaches beyond the key's"
		}
	}
	return ""
}

// covers reports whether scope lies within bound: a venue covers its zones.
func covers(bound, scope string) bool {
	return bound == scope || strings.HasPrefix(scope, bound) && scope[len(bound)] == '/'
}

// validScope accepts "venue" and "venue/zone" with no empty part, up to 64 bytes.
func validScope(s string) bool {
	venue, zone, zoned := strings.Cut(s, "/")
	return venue != "" && len(s) <= maxScopeLen && (!zoned || zone != "" && !strings.Contains(zone, "/"))
}
