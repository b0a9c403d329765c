// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
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

// Sign makes a Gatehouse pass: "GH1:" and base45, one line of QR-alphanumeric characters. The claims
// are held to what Verify will accept.
func Sign(c Claims, k SigningKey) (code string, err error) {
	if _, err := k.Key(); err != nil {
		return "", err
	}
	e := envelope{protected: protectedHeader(k.Algorithm, k.ID), payload: encodeGH1(k.Issuer, &c)}
	if err := new(statement).readGH1(e.payload); err != nil {
		return "", fmt.Errorf("credential: claims of a pass of issuer %q: %w", k.Issuer, err)
	}
	if e.signature, err = k.sign(e.toBeSigned(nil)); err != nil {
		return "", fmt.Errorf("credential: signing a pass of issuer %q: %w", k.Issuer, err)
	}
	code = gh1Prefix + encodeBase45(e.seal())
	if len(code) > maxCode {
		return "", fmt.Errorf("credential: claims of a pass of issuer %q: too long for one code", k.Issuer)
	}
	return code, nil
}

func (k SigningKey) sign(message []byte) ([]byte, error) {
	if k.Algorithm == EdDSA {
		return k.Signer.Sign(rand.Reader, message, crypto.Hash(0))
	}
	digest := sha256.Sum256(message)
	der, err := k.Signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	var point struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &point); err != nil || len(rest) > 0 || point.R.BitLen() > 256 || point.S.BitLen() > 256 {
		return nil, fmt.Errorf("the signer's ECDSA signature is not ASN.1 of P-256")
	}
	raw := make([]byte, 2*es256Half)
	point.R.FillBytes(raw[:es256Half])
	point.S.FillBytes(raw[es256Half:])
	return raw, nil
}
