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
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// The arcs of the extended key usages of document signing certificates. The second is a slip of the
// specification's first edition that lives on in certificates.
var dccUsageArcs = [...]asn1.ObjectIdentifier{
	{1, 3, 6, 1, 4, 1, 1847, 2021, 1},
	{1, 3, 6, 1, 4, 1, 0, 1847, 2021, 1},
}

// KeyFromCertificate makes the HC1 key of a document signing certificate (DER). The identifier is the
// first 8 bytes of the SHA-256 of the DER; validity and usage are the certificate's own; a P-256 key
// signs ES256 and an RSA key PS256. The certificate's signature is not checked: it is trusted
// because it is on the list.
//
// Some production certificates have a negative serial number, which crypto/x509 refuses unless the
// main package says
//
//	//go:debug x509negativeserial=1
func KeyFromCertificate(issuer string, der []byte) (Key, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return Key{}, fmt.Errorf("credential: certificate of issuer %q: %w", issuer, err)
	}
	alg, err := algorithmOf(cert.PublicKey)
	if err != nil {
		return Key{}, fmt.Errorf("credential: certificate of issuer %q: %w", issuer, err)
	}
	sum := sha256.Sum256(der)
	k := Key{
		Issuer: issuer, ID: sum[:8], Algorithm: alg, Public: cert.PublicKey, Formats: []Format{HC1},
		DCCUsage: dccUsage(cert.UnknownExtKeyUsage), NotBefore: cert.NotBefore, NotAfter: cert.NotAfter,
	}
	if alg == EdDSA {
		return Key{}, k.errorf("a document signing certificate has a P-256 or RSA key, not Ed25519")
	}
	return k, k.Validate()
}

func dccUsage(oids []asn1.ObjectIdentifier) DCCUsage {
	var u DCCUsage
	for _, oid := range oids {
		n := len(oid) - 1
		if n < 0 || !slices.ContainsFunc(dccUsageArcs[:], oid[:n].Equal) {
			continue
		}
		switch oid[n] {
		case 1:
			u |= DCCTest
		case 2:
			u |= DCCVaccination
		case 3:
			u |= DCCRecovery
		}
	}
	return u
}

// KeyFromSPKI makes a key of a SubjectPublicKeyInfo (DER, RFC 5280 section 4.1.2.7). The identifier is
// the first 8 bytes of the SHA-256 of the DER. Ed25519 and P-256 keys may sign GH1, RSA keys (PS256)
// HC1; whoever wants a P-256 key to sign HC1 must say so in Formats.
func KeyFromSPKI(issuer string, der []byte) (Key, error) {
	pub, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return Key{}, fmt.Errorf("credential: public key of issuer %q: %w", issuer, err)
	}
	sum := sha256.Sum256(der)
	return bareKey(issuer, sum[:8], pub)
}

func bareKey(issuer string, id []byte, pub crypto.PublicKey) (Key, error) {
	alg, err := algorithmOf(pub)
	if err != nil {
		return Key{}, fmt.Errorf("credential: public key of issuer %q: %w", issuer, err)
	}
	k := Key{Issuer: issuer, ID: id, Algorithm: alg, Public: pub, Formats: []Format{GH1}}
	if alg == PS256 {
		k.Formats = []Format{HC1}
	}
	return k, k.Validate()
}

func algorithmOf(pub crypto.PublicKey) (Algorithm, error) {
	switch p := pub.(type) {
	case ed25519.PublicKey:
		return EdDSA, nil
	case *ecdsa.PublicKey:
		if p.Curve != elliptic.P256() {
			return 0, fmt.Errorf("the curve %s is not accepted; use P-256", p.Curve.Params().Name)
		}
		return ES256, nil
	case *rsa.PublicKey:
		return PS256, nil
	}
	return 0, fmt.Errorf("a public key of type %T is not accepted; use Ed25519, P-256 or RSA", pub)
}

// jwk is the part of RFC 7517 and RFC 8037 that a public signing key needs.
type jwk struct {
	Kty, Crv, Alg, Use, Kid string
	X, Y, N, E              string
	D                       string
	KeyOps                  []string `json:"key_ops"`
}

// KeyFromJWK makes a key of a JSON Web Key (RFC 7517, RFC 8037). The identifier is the bytes of its kid
// member, which must be there; alg, use and key_ops must agree where present; a private key is
// refused. Formats are those of KeyFromSPKI.
func KeyFromJWK(issuer string, text []byte) (Key, error) {
	var j jwk
	if err := json.Unmarshal(text, &j); err != nil {
		return Key{}, fmt.Errorf("credential: JWK of issuer %q: %w", issuer, err)
	}
	pub, err := j.public()
	if err != nil {
		return Key{}, fmt.Errorf("credential: JWK of issuer %q: %w", issuer, err)
	}
	k, err := bareKey(issuer, []byte(j.Kid), pub)
	if err == nil && j.Alg != "" && j.Alg != k.Algorithm.String() && !(j.Alg == "Ed25519" && k.Algorithm == EdDSA) {
		err = k.errorf("its alg %q does not fit the key, which signs %s", j.Alg, k.Algorithm)
	}
	return k, err
}

func (j *jwk) public() (crypto.PublicKey, error) {
	switch {
	case j.D != "":
		return nil, errors.New("it holds a private key; give the public half only, and replace the key")
	case j.Kid == "":
		return nil, errors.New("it has no kid, so no pass can name it")
	case j.Use != "" && j.Use != "sig":
		return nil, fmt.Errorf("its use is %q, not sig", j.Use)
	case len(j.KeyOps) > 0 && !slices.Contains(j.KeyOps, "verify"):
		return nil, errors.New("its key_ops do not include verify")
	}
	switch {
	case j.Kty == "OKP" && j.Crv == "Ed25519":
		x, err := fixed64(j.X, ed25519.PublicKeySize)
		return ed25519.PublicKey(x), err
	case j.Kty == "EC" && j.Crv == "P-256":
		x, errX := fixed64(j.X, 32)
		y, errY := fixed64(j.Y, 32)
		if err := errors.Join(errX, errY); err != nil {
			return nil, err
		}
		return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
	case j.Kty == "RSA":
		n, errN := base64.RawURLEncoding.DecodeString(j.N)
		e, errE := base64.RawURLEncoding.DecodeString(j.E)
		e = bytes.TrimLeft(e, "\x00")
		if errN != nil || errE != nil || len(e) > 4 {
			return nil, errors.New("its n or e is not a base64url number")
		}
		exp := new(big.Int).SetBytes(e)
		if exp.BitLen() > 31 {
			return nil, errors.New("its exponent is too large")
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exp.Int64())}, nil
	}
	return nil, fmt.Errorf("kty %q with crv %q is not accepted; use OKP Ed25519, EC P-256 or RSA", j.Kty, j.Crv)
}

func fixed64(s string, size int) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != size {
		return nil, fmt.Errorf("a coordinate is not %d bytes of base64url", size)
	}
	return b, nil
}
