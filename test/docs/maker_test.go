// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"gatehouse/credential/credentialtest"
)

// The algorithms by their COSE labels (RFC 9053).
const (
	algEdDSA = -8
	algES256 = -7
)

// testKey is a key whose private half is published with the vectors.
type testKey struct {
	Issuer    string          `json:"issuer"`
	Algorithm string          `json:"algorithm"`
	KID       string          `json:"kid"`     // hex
	Private   string          `json:"private"` // hex: an Ed25519 seed or a P-256 scalar
	SPKI      []byte          `json:"spki,omitempty"`
	X509      []byte          `json:"x509,omitempty"`
	JWK       json.RawMessage `json:"jwk,omitempty"`
	Trusted   bool            `json:"trusted"` // whether trust.json names it

	alg    int
	kid    []byte
	signer crypto.Signer
}

// newKey derives a private key from the words that warn of it, so that it is the same in every run.
func newKey(t *testing.T, issuer, name string, alg int) *testKey {
	t.Helper()
	seed := sha256.Sum256([]byte("GATEHOUSE TEST KEY, PUBLISHED, NEVER TRUST IT: " + issuer + " " + name))
	k := &testKey{Issuer: issuer, Private: hex.EncodeToString(seed[:]), Trusted: true, alg: alg, Algorithm: "EdDSA"}
	if alg == algES256 {
		k.Algorithm = "ES256"
		private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
		if err != nil {
			t.Fatal(err)
		}
		k.signer = steady{private}
	} else {
		k.signer = ed25519.NewKeyFromSeed(seed[:])
	}
	der, err := x509.MarshalPKIXPublicKey(k.signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	k.SPKI = der
	k.named(der)
	return k
}

// named gives the key the kid of what a trust list holds of it: the first 8 bytes of its SHA-256.
func (k *testKey) named(der []byte) {
	sum := sha256.Sum256(der)
	k.kid = sum[:8]
	k.KID = hex.EncodeToString(k.kid)
}

// steady signs as RFC 6979 says, without chance, so that the vectors are the same in every run.
type steady struct{ *ecdsa.PrivateKey }

func (s steady) Sign(_ io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	return s.PrivateKey.Sign(nil, digest, o)
}

// asJWK lists the Ed25519 key as a JSON Web Key, whose kid is a text of its issuer's choice.
func (k *testKey) asJWK(t *testing.T, kid string) *testKey {
	t.Helper()
	text, err := json.Marshal(map[string]string{"kty": "OKP", "crv": "Ed25519", "kid": kid,
		"x": base64.RawURLEncoding.EncodeToString(k.signer.Public().(ed25519.PublicKey))})
	if err != nil {
		t.Fatal(err)
	}
	k.JWK, k.SPKI, k.kid, k.KID = text, nil, []byte(kid), hex.EncodeToString([]byte(kid))
	return k
}

// asCertificate lists the key as a document signing certificate, which may sign HC1 and no Gatehouse pass.
func (k *testKey) asCertificate(t *testing.T, alter func(*x509.Certificate)) *testKey {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Gatehouse test key, published, never trust it"},
		NotBefore: morning.AddDate(-1, 0, 0), NotAfter: morning.AddDate(10, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if alter != nil {
		alter(template)
	}
	der, err := x509.CreateCertificate(nil, template, template, k.signer.Public(), k.signer)
	if err != nil {
		t.Fatal(err)
	}
	k.X509, k.SPKI = der, nil
	k.named(der)
	return k
}

// sign is the signature as COSE has it: Ed25519, or R‖S.
func (k *testKey) sign(t *testing.T, message []byte) []byte {
	t.Helper()
	if k.alg == algEdDSA {
		return ed25519.Sign(k.signer.(ed25519.PrivateKey), message)
	}
	digest := sha256.Sum256(message)
	der, err := k.signer.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	r, s := splitDER(t, der)
	return join(r, s)
}

func splitDER(t *testing.T, der []byte) (r, s *big.Int) {
	t.Helper()
	var point struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &point); err != nil {
		t.Fatal(err)
	}
	return point.R, point.S
}

func join(r, s *big.Int) []byte {
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
}

// pair is a member of a CBOR map; pairs are written in the order in which they stand, right or wrong.
type pair struct{ key, value any }

type pairs []pair

// with gives a key another value, or adds the pair at the end.
func (p pairs) with(key, value any) pairs {
	p = slices.Clone(p)
	for i := range p {
		if p[i].key == key {
			p[i].value = value
			return p
		}
	}
	return append(p, pair{key, value})
}

func (p pairs) without(key any) pairs {
	return slices.DeleteFunc(slices.Clone(p), func(x pair) bool { return x.key == key })
}

// MarshalCBOR implements cbor.Marshaler, for a map within another.
func (p pairs) MarshalCBOR() ([]byte, error) {
	if len(p) > 23 {
		return nil, errors.New("a map of more than 23 pairs has another head")
	}
	mode, err := cbor.CoreDetEncOptions().EncMode()
	b := []byte{0xa0 + byte(len(p))}
	for _, x := range p {
		for _, v := range []any{x.key, x.value} {
			item, itemErr := mode.Marshal(v)
			b, err = append(b, item...), errors.Join(err, itemErr)
		}
	}
	return b, err
}

func (p pairs) encode(t *testing.T) []byte {
	t.Helper()
	b, err := p.MarshalCBOR()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	b, err := mode.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// draft is a pass before it is signed, with each part where it can be made wrong.
type draft struct {
	key                    *testKey
	issuer                 string
	kid                    []byte
	claims                 pairs
	payload                []byte // the encoded claims, where claims cannot say them
	protected, unprotected pairs
	tags                   []byte
	sign                   func(t *testing.T, k *testKey, message []byte) []byte
	seal                   func(protected, unprotected, payload, signature []byte) []byte // the array, where it is another
	tail                   []byte
	hc1                    bool // packed as a certificate
}

// newDraft is a pass that is right. Its id is the first bytes of the hash of name.
func newDraft(k *testKey, name string) *draft {
	id := sha256.Sum256([]byte(name))
	d := &draft{key: k, issuer: k.Issuer, kid: k.kid, tags: []byte{0xd2}}
	d.claims = pairs{
		{1, k.Issuer}, {4, morning.Add(14 * time.Hour).Unix()}, {6, morning.Add(-2 * time.Hour).Unix()}, {7, id[:16]},
		{-70001, "ticket"}, {-70002, []string{"arena"}},
	}
	d.protected = pairs{{1, k.alg}, {4, k.kid}}
	return d
}

// cti is the pass's cti in hex: its name in a revocation list.
func (d *draft) cti() string {
	for _, p := range d.claims {
		if p.key == 7 {
			return hex.EncodeToString(p.value.([]byte))
		}
	}
	return ""
}

func (d *draft) cose(t *testing.T) []byte {
	t.Helper()
	protected, unprotected, payload := d.protected.encode(t), d.unprotected.encode(t), d.payload
	if payload == nil {
		payload = d.claims.encode(t)
	}
	message := encode(t, []any{"Signature1", protected, []byte{}, payload})
	var signature []byte
	if d.sign != nil {
		signature = d.sign(t, d.key, message)
	} else {
		signature = d.key.sign(t, message)
	}
	if d.seal != nil {
		return slices.Concat(d.tags, d.seal(protected, unprotected, payload, signature), d.tail)
	}
	whole := slices.Concat(d.tags, []byte{0x84}, encode(t, protected), unprotected, encode(t, payload), encode(t, signature))
	if d.hc1 {
		return whole
	}
	return append(whole, d.tail...)
}

// text is the code of the pass.
func (d *draft) text(t *testing.T) string {
	if d.hc1 {
		return packed(t, d.cose(t), d.tail)
	}
	return code(d.cose(t))
}

func code(cose []byte) string { return "GH1:" + credentialtest.Base45(cose) }

// morning is when the vectors are shown, where they name no other time.
var morning = time.Date(2026, 5, 4, 8, 0, 0, 0, time.UTC)

// keys are those of the vectors.
type keys struct {
	arena, es256, jwk, health, travel, edge, stranger *testKey // of Gatehouse passes
	country, tests, vaccinations, former              *testKey // of certificates
}

func newKeys(t *testing.T) *keys {
	k := &keys{
		arena:        newKey(t, "test-arena", "Ed25519", algEdDSA),
		es256:        newKey(t, "test-arena", "P-256", algES256),
		jwk:          newKey(t, "test-arena", "2026-a", algEdDSA).asJWK(t, "2026-a"),
		health:       newKey(t, "test-health", "Ed25519", algEdDSA),
		travel:       newKey(t, "test-travel", "P-256", algES256),
		edge:         newKey(t, "test-"+string(bytes.Repeat([]byte("x"), 27)), "Ed25519", algEdDSA),
		country:      newKey(t, "test-country", "P-256", algES256).asCertificate(t, nil),
		tests:        newKey(t, "test-country", "P-256 for tests", algES256).asCertificate(t, usageOf(1, 3, 6, 1, 4, 1, 1847, 2021, 1, 1)),
		vaccinations: newKey(t, "test-country", "P-256 for vaccinations", algES256).asCertificate(t, usageOf(1, 3, 6, 1, 4, 1, 0, 1847, 2021, 1, 2)),
		former:       newKey(t, "test-country", "P-256 of former days", algES256).asCertificate(t, func(c *x509.Certificate) { c.NotAfter = morning.Add(-time.Second) }),
		stranger:     newKey(t, "test-arena", "a key that no trust list names", algEdDSA),
	}
	k.stranger.Trusted = false
	return k
}

func (k *keys) all() []*testKey {
	return []*testKey{k.arena, k.es256, k.jwk, k.health, k.travel, k.edge, k.country, k.tests, k.vaccinations, k.former, k.stranger}
}
