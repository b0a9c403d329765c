// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"time"
)

// Claims is what an issuer puts into a Gatehouse pass. Times are cut to whole seconds; a zero time, an
// empty text or list and a zero number are left out.
type Claims struct {
	ID                         []byte    // required: 8 to 16 bytes, unique for the issuer
	Kind, Level                string    // up to 32 bytes each
	Issued, NotBefore, Expires time.Time // Expires is required
	Scope                      []string  // "venue" or "venue/zone", up to 32
	Uses                       uint
	Grant                      string // "wide" or nothing
	Holder                     []byte // 16 bytes or nothing
	Status                     *StatusRef
}

// SigningKey is an issuer's private key with the name under which passes refer to it.
type SigningKey struct {
	Issuer    string
	ID        []byte
	Algorithm Algorithm
	Signer    crypto.Signer // Ed25519 or P-256; it may live in hardware
}

// NewSigningKey names signer for issuer. The identifier is that of KeyFromSPKI for its public half.
func NewSigningKey(issuer string, signer crypto.Signer) (SigningKey, error) {
	der, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return SigningKey{}, fmt.Errorf("credential: signing key of issuer %q: %w", issuer, err)
	}
	pub, err := KeyFromSPKI(issuer, der)
	if err != nil {
		return SigningKey{}, err
	}
	if pub.Algorithm == PS256 {
		return SigningKey{}, pub.errorf("a Gatehouse pass is signed with Ed25519 or P-256, not RSA")
	}
	sum := sha256.Sum256(der)
	return SigningKey{Issuer: issuer, ID: sum[:8], Algorithm: pub.Algorithm, Signer: signer}, nil
}

// Key returns the public half, allowed to sign GH1.
func (k SigningKey) Key() (Key, error) {
	key := Key{Issuer: k.Issuer, ID: k.ID, Algorithm: k.Algorithm, Public: k.Signer.Public(), Formats: []Format{GH1}}
	return key, key.Validate()
}
