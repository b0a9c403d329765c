// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"gatehouse/credential"
)

func TestKeyFromSPKI(t *testing.T) {
	ed, _, _ := ed25519.GenerateKey(rand.Reader)
	ec, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	r, _ := rsa.GenerateKey(rand.Reader, 2048)
	weak, _ := rsa.GenerateKey(rand.Reader, 1024)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	for _, tc := range []struct {
		public crypto.PublicKey
		alg    credential.Algorithm
		format credential.Format
	}{
		{ed, credential.EdDSA, credential.GH1}, {&ec.PublicKey, credential.ES256, credential.GH1}, {&r.PublicKey, credential.PS256, credential.HC1},
		{&weak.PublicKey, 0, ""}, {&p384.PublicKey, 0, ""},
	} {
		der, err := x509.MarshalPKIXPublicKey(tc.public)
		if err != nil {
			t.Fatal(err)
		}
		k, err := credential.KeyFromSPKI("arena", der)
		if tc.alg == 0 {
			if err == nil {
				t.Errorf("%T is taken", tc.public)
			}
			continue
		}
		sum := sha256.Sum256(der)
		if err != nil || k.Algorithm != tc.alg || !slices.Equal(k.Formats, []credential.Format{tc.format}) || !bytes.Equal(k.ID, sum[:8]) {
			t.Errorf("%T: %v, %v", tc.public, k, err)
		}
		if _, err := credential.KeyFromSPKI("", der); err == nil {
			t.Errorf("%T without an issuer is taken", tc.public)
		}
	}
	if _, err := credential.KeyFromSPKI("arena", []byte("junk")); err == nil {
		t.Error("junk is taken")
	}
}

func TestKeyFromJWK(t *testing.T) {
	ed, _, _ := ed25519.GenerateKey(rand.Reader)
	ec, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	point, err := ec.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	r, _ := rsa.GenerateKey(rand.Reader, 2048)
	b64 := base64.RawURLEncoding.EncodeToString
	edJWK := fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":"2026-a","x":"%s"}`, b64(ed))
	ecJWK := fmt.Sprintf(`{"kty":"EC","crv":"P-256","kid":"2026-b","alg":"ES256","use":"sig","x":"%s","y":"%s"}`, b64(point[1:33]), b64(point[33:]))
	rsaJWK := fmt.Sprintf(`{"kty":"RSA","kid":"2026-c","n":"%s","e":"AQAB"}`, b64(r.N.Bytes()))
	for text, want := range map[string]crypto.PublicKey{edJWK: ed, ecJWK: &ec.PublicKey, rsaJWK: &r.PublicKey} {
		k, err := credential.KeyFromJWK("arena", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if !k.Public.(interface{ Equal(crypto.PublicKey) bool }).Equal(want) || !strings.HasPrefix(string(k.ID), "2026-") {
			t.Errorf("%s: got %v", text, k)
		}
	}
	for name, text := range map[string]string{
		"no kid":            strings.Replace(edJWK, `"kid":"2026-a",`, "", 1),
		"private":           strings.Replace(edJWK, `"kid"`, `"d":"AAAA","kid"`, 1),
		"another algorithm": strings.Replace(ecJWK, `"ES256"`, `"ES384"`, 1),
		"for encryption":    strings.Replace(ecJWK, `"sig"`, `"enc"`, 1),
		"to sign":           strings.Replace(ecJWK, `"use":"sig"`, `"key_ops":["sign"]`, 1),
		"another curve":     strings.Replace(ecJWK, `"P-256"`, `"P-384"`, 1),
		"off the curve":     strings.Replace(ecJWK, b64(point[33:]), b64(point[1:33]), 1),
		"short x":           strings.Replace(edJWK, b64(ed), b64(ed[1:]), 1),
		"an even exponent":  strings.Replace(rsaJWK, "AQAB", "AQAC", 1),
		"a huge exponent":   strings.Replace(rsaJWK, "AQAB", "AQABAQAB", 1),
		"a short modulus":   strings.Replace(rsaJWK, b64(r.N.Bytes()), b64(r.N.Bytes()[:128]), 1),
		"no key":            "{}",
		"no JSON":           "kty",
	} {
		if k, err := credential.KeyFromJWK("arena", []byte(text)); err == nil {
			t.Errorf("%s: taken as %v", name, k)
		}
	}
}

func TestKeyFromCertificateUsage(t *testing.T) {
	ec, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	arc, slip := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 1847, 2021, 1}, asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 0, 1847, 2021, 1}
	with := func(arc asn1.ObjectIdentifier, n int) asn1.ObjectIdentifier { return append(slices.Clone(arc), n) }
	for _, tc := range []struct {
		oids []asn1.ObjectIdentifier
		want credential.DCCUsage
	}{
		{nil, 0},
		{[]asn1.ObjectIdentifier{with(arc, 1)}, credential.DCCTest},
		{[]asn1.ObjectIdentifier{with(arc, 2), with(slip, 3)}, credential.DCCVaccination | credential.DCCRecovery},
		{[]asn1.ObjectIdentifier{with(slip, 1), with(slip, 2), with(slip, 3)}, 7},
		{[]asn1.ObjectIdentifier{{1, 2, 3}, with(arc, 9), arc}, 0},
	} {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"},
			NotBefore: morning, NotAfter: morning.AddDate(1, 0, 0), UnknownExtKeyUsage: tc.oids}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &ec.PublicKey, ec)
		if err != nil {
			t.Fatal(err)
		}
		k, err := credential.KeyFromCertificate("AT", der)
		if err != nil || k.DCCUsage != tc.want || !k.NotBefore.Equal(morning) || !k.NotAfter.Equal(morning.AddDate(1, 0, 0)) {
			t.Errorf("%v: usage %d from %v to %v, %v", tc.oids, k.DCCUsage, k.NotBefore, k.NotAfter, err)
		}
	}
}

func TestValidateNamesTheFault(t *testing.T) {
	for name, change := range map[string]func(*credential.Key){
		"issuer":    func(k *credential.Key) { k.Issuer = "" },
		"identifer": func(k *credential.Key) { k.ID = make([]byte, 65) },
		"algorithm": func(k *credential.Key) { k.Algorithm = credential.ES256 },
		"format":    func(k *credential.Key) { k.Formats = []credential.Format{"gh2"} },
		"scope":     func(k *credential.Key) { k.Scopes = []string{"arena/"} },
		"usage":     func(k *credential.Key) { k.DCCUsage = 8 },
		"validity":  func(k *credential.Key) { k.NotBefore, k.NotAfter = morning, morning.Add(-1) },
		"public":    func(k *credential.Key) { k.Public = nil },
	} {
		k := *keyringOf(t, newIssuer(t, "arena", credential.EdDSA))[0]
		if err := k.Validate(); err != nil {
			t.Fatal(err)
		}
		if change(&k); k.Validate() == nil {
			t.Errorf("a bad %s is valid", name)
		}
	}
}
