// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"gatehouse/credential"
	"gatehouse/credential/credentialtest"
)

// trustFunc is a Trust made of a function.
type trustFunc func(f credential.Format, issuer string, kid []byte) ([]*credential.Key, error)

func (f trustFunc) Keys(format credential.Format, issuer string, kid []byte) ([]*credential.Key, error) {
	return f(format, issuer, kid)
}

// TestNoKeyIsTriedThatTheKidDoesNotName is raspberry-dgc 27: 5 to 15 s on a Pi 3 because every key was
// tried. Even a store that answers with all its keys gets one question and no other key checked: the
// right key under a wrong identifier does not verify.
func TestNoKeyIsTriedThatTheKidDoesNotName(t *testing.T) {
	k := newIssuer(t, "arena", credential.EdDSA)
	code := sign(t, ticket(1), k)
	var all []*credential.Key
	for range 250 {
		other := newIssuer(t, "arena", credential.EdDSA)
		other.Signer = k.Signer // it would verify, if it were tried
		all = append(all, keyringOf(t, other)...)
	}
	asked := 0
	trust := trustFunc(func(_ credential.Format, issuer string, kid []byte) ([]*credential.Key, error) {
		if asked++; issuer != "arena" || !bytes.Equal(kid, k.ID) {
			t.Errorf("asked for %q %x", issuer, kid)
		}
		return all, nil
	})
	if _, err := credential.Verify(code, trust, morning); !errors.Is(err, credential.ErrUnknownKey) {
		t.Errorf("got %v, want %v", err, credential.ErrUnknownKey)
	}
	if asked != 1 {
		t.Errorf("trust was asked %d times, want once", asked)
	}
}

// TestKeysUnderOneKid tries several keys of one identifier, up to a bound.
func TestKeysUnderOneKid(t *testing.T) {
	k := newIssuer(t, "arena", credential.EdDSA)
	code := sign(t, ticket(1), k)
	namesakes := func(n int) (r keyring) {
		for range n {
			other := newIssuer(t, "arena", credential.EdDSA)
			other.ID = k.ID
			r = append(r, keyringOf(t, other)...)
		}
		return r
	}
	right := keyringOf(t, k)
	if _, err := credential.Verify(code, append(namesakes(7), right...), morning); err != nil {
		t.Errorf("the eighth key: %v", err)
	}
	if _, err := credential.Verify(code, append(namesakes(8), right...), morning); !errors.Is(err, credential.ErrBadSignature) {
		t.Errorf("the ninth key: %v", err)
	}
	// One public key listed twice counts as the entry that allows more.
	forbidden := *right[0]
	forbidden.Kinds = []string{"staff"}
	if _, err := credential.Verify(code, keyring{&forbidden, right[0]}, morning); err != nil {
		t.Errorf("an allowed key after a forbidden one: %v", err)
	}
	// A key of the same kid and another issuer is not asked.
	other := *right[0]
	other.Issuer = "stadium"
	all := trustFunc(func(credential.Format, string, []byte) ([]*credential.Key, error) { return keyring{&other}, nil })
	if _, err := credential.Verify(code, all, morning); !errors.Is(err, credential.ErrUnknownKey) {
		t.Errorf("a key of another issuer: %v", err)
	}
}

// TestTheAlgorithmIsTheKeys never takes the header's word for it.
func TestTheAlgorithmIsTheKeys(t *testing.T) {
	ed, ec := newIssuer(t, "arena", credential.EdDSA), newIssuer(t, "arena", credential.ES256)
	ec.ID = ed.ID
	for _, k := range []credential.SigningKey{ed, ec} {
		other := ed
		if k.Algorithm == credential.EdDSA {
			other = ec
		}
		if _, err := credential.Verify(sign(t, ticket(1), k), keyringOf(t, other), morning); !errors.Is(err, credential.ErrBadSignature) {
			t.Errorf("%v under a key of %v: %v", k.Algorithm, other.Algorithm, err)
		}
		if _, err := credential.Verify(sign(t, ticket(1), k), keyringOf(t, other, k), morning); err != nil {
			t.Errorf("%v with both keys: %v", k.Algorithm, err)
		}
	}
	// A key whose algorithm does not fit its public key verifies nothing, and does not panic.
	for _, a := range []credential.Algorithm{credential.ES256, credential.PS256, credential.EdDSA, 0, 7} {
		for _, public := range []crypto.PublicKey{nil, "x", ed25519.PublicKey{1}, ec.Signer.Public(), ed.Signer.Public()} {
			k := keyringOf(t, ed)[0]
			if k.Algorithm, k.Public = a, public; k.Validate() == nil {
				continue
			}
			if _, err := credential.Verify(sign(t, ticket(1), ed), keyring{k}, morning); !errors.Is(err, credential.ErrBadSignature) {
				t.Errorf("%v with %T: %v", a, public, err)
			}
		}
	}
}

func TestTrustThatCannotBeRead(t *testing.T) {
	broken := errors.New("the card is gone")
	trust := trustFunc(func(credential.Format, string, []byte) ([]*credential.Key, error) { return nil, broken })
	_, err := credential.Verify(sign(t, ticket(1), newIssuer(t, "arena", credential.EdDSA)), trust, morning)
	if !errors.Is(err, credential.ErrTrustUnavailable) || !errors.Is(err, broken) || errors.Is(err, credential.ErrUnknownKey) {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsNoPass(t *testing.T) {
	k := newIssuer(t, "arena", credential.EdDSA)
	code := sign(t, ticket(1), k)
	for _, tc := range []struct {
		code string
		want error
	}{
		{"", credential.ErrUnrecognised},
		{"GH1", credential.ErrUnrecognised},
		{"gh1" + code[3:], credential.ErrUnrecognised},
		{" " + code, credential.ErrUnrecognised},
		{"HC2:" + code[4:], credential.ErrUnrecognised},
		{code[4:], credential.ErrUnrecognised},
		{"https://example.com/" + code, credential.ErrUnrecognised},
		{"GH1:", credential.ErrMalformed},
		{"HC1:", credential.ErrMalformed},
		{code + " ", credential.ErrMalformed},
		{code + "\n", credential.ErrMalformed},
		{code[:len(code)-1], credential.ErrMalformed},
		{code[:len(code)-3], credential.ErrMalformed},
		{strings.ToLower(code), credential.ErrUnrecognised},
		{"GH1:" + strings.ToLower(code[4:]), credential.ErrMalformed},
		{"HC1:" + code[4:], credential.ErrMalformed},
		{"GH1:" + strings.Repeat("0", credential.MaxCode), credential.ErrMalformed},
		{"HC1:" + strings.Repeat("0", 10<<20), credential.ErrMalformed},
	} {
		p, err := credential.Verify(tc.code, keyringOf(t, k), morning)
		var refusal *credential.Refusal
		if p != nil || !errors.Is(err, tc.want) || !errors.As(err, &refusal) {
			t.Errorf("%.40q…: got %v, want %v", tc.code, err, tc.want)
		}
	}
}

// TestEnvelopes has one good signature in every wrapping: what COSE allows and what it does not.
func TestEnvelopes(t *testing.T) {
	s := newDSC(t, "AT", credential.ES256, 0)
	k := dscKey(t, s)
	code := signDCC(t, vaccinated(), s)
	deflated, err := credential.DecodeBase45(code[4:])
	if err != nil {
		t.Fatal(err)
	}
	signed, err := credential.Inflate(deflated)
	if err != nil {
		t.Fatal(err)
	}
	var parts []cbor.RawMessage
	if err := cbor.Unmarshal(signed[1:], &parts); err != nil {
		t.Fatal(err)
	}
	pack := func(tag []byte, parts ...cbor.RawMessage) string {
		b := append(bytes.Clone(tag), 0x80|byte(len(parts)))
		return credentialtest.Pack(append(b, bytes.Join(toBytes(parts), nil)...))
	}
	header := func(m map[any]any) cbor.RawMessage {
		b, err := cbor.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	with := func(i int, part cbor.RawMessage) []cbor.RawMessage {
		p := append([]cbor.RawMessage(nil), parts...)
		p[i] = part
		return p
	}
	indefinite := append(append([]byte{0xd2, 0x9f}, bytes.Join(toBytes(parts), nil)...), 0xff)
	der := append([]byte{0x58, 70}, make([]byte, 70)...)
	for _, tc := range []struct {
		name, code string
		want       error
	}{
		{"tag 18", pack([]byte{0xd2}, parts...), nil},
		{"no tag", pack(nil, parts...), nil},
		{"tags 61 18", pack([]byte{0xd8, 61, 0xd2}, parts...), nil},
		{"tags 18 18", pack([]byte{0xd2, 0xd2}, parts...), credential.ErrMalformed},
		{"tag 61 alone", pack([]byte{0xd8, 61}, parts...), credential.ErrMalformed},
		{"tag 98, COSE_Sign", pack([]byte{0xd8, 98}, parts...), credential.ErrMalformed},
		{"three parts", pack([]byte{0xd2}, parts[:3]...), credential.ErrMalformed},
		{"five parts", pack([]byte{0xd2}, append(parts[:4:4], parts[3])...), credential.ErrMalformed},
		{"an array of indefinite length", credentialtest.Pack(indefinite), credential.ErrMalformed},
		{"detached payload", pack([]byte{0xd2}, with(2, []byte{0xf6})...), credential.ErrMalformed},
		{"empty payload", pack([]byte{0xd2}, with(2, []byte{0x40})...), credential.ErrMalformed},
		{"trailing bytes", credentialtest.Pack(append(bytes.Clone(signed), 0)), credential.ErrMalformed},
		{"no signature", pack([]byte{0xd2}, with(3, []byte{0x40})...), credential.ErrMalformed},
		{"a signature in DER", pack([]byte{0xd2}, with(3, der)...), credential.ErrBadSignature},
		{"a signature of zeros", pack([]byte{0xd2}, with(3, append([]byte{0x58, 64}, make([]byte, 64)...))...), credential.ErrBadSignature},
		{"another kid outside", pack([]byte{0xd2}, with(1, header(map[any]any{4: []byte("12345678")}))...), nil},
		{"another algorithm outside", pack([]byte{0xd2}, with(1, header(map[any]any{1: -37}))...), nil},
		{"critical outside", pack([]byte{0xd2}, with(1, header(map[any]any{2: []int{4}}))...), credential.ErrMalformed},
		{"no protected header", pack([]byte{0xd2}, with(0, []byte{0x40})...), credential.ErrUnknownKey},
		{"protected header lost, kid outside", pack([]byte{0xd2}, []byte{0x40}, header(map[any]any{4: k.ID}), parts[2], parts[3]), credential.ErrBadSignature},
		{"an empty header, kid and algorithm outside", pack([]byte{0xd2}, []byte{0x41, 0xa0}, header(map[any]any{1: -7, 4: k.ID}), parts[2], parts[3]), credential.ErrBadSignature},
		{"another algorithm", pack([]byte{0xd2}, []byte{0x40}, header(map[any]any{1: -37, 4: k.ID}), parts[2], parts[3]), credential.ErrBadSignature},
		{"an algorithm by name", pack([]byte{0xd2}, []byte{0x40}, header(map[any]any{1: "ES256", 4: k.ID}), parts[2], parts[3]), credential.ErrMalformed},
		{"not deflated", "HC1:" + credentialtest.Base45(signed), credential.ErrMalformed},
		{"bytes after the zlib stream", "HC1:" + credentialtest.Base45(append(bytes.Clone(deflated), 0)), credential.ErrMalformed},
	} {
		_, err := credential.Verify(tc.code, keyring{k}, morning)
		if !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
	}
}

func toBytes(parts []cbor.RawMessage) (b [][]byte) {
	for _, p := range parts {
		b = append(b, p)
	}
	return b
}

// TestIdentity holds that no two of (format, issuer, id) run into each other.
func TestIdentity(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range []credential.Pass{
		{Format: "gh1", Issuer: "a", ID: []byte("bc")}, {Format: "gh1", Issuer: "ab", ID: []byte("c")},
		{Format: "gh1", Issuer: "", ID: []byte("abc")}, {Format: "hc1", Issuer: "a", ID: []byte("bc")},
	} {
		if id := string(p.Identity()); seen[id] {
			t.Errorf("%q twice", id)
		} else {
			seen[id] = true
		}
	}
}
