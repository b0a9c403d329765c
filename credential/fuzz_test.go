// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"bytes"
	"compress/zlib"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/base64"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"gatehouse/credential"
	"gatehouse/credential/credentialtest"
)

// fuzzed is a fixed set of good codes with the keys that signed them. The keys are fixed because each
// fuzzing process makes its own.
type fuzzed struct {
	trust keyring
	codes []string
	// signed holds what the codes' keys have signed, and exact all texts of the codes that have no others:
	// an ECDSA signature can be changed into another by anyone, and zlib has many streams for one text.
	signed, exact map[string]bool
}

func newFuzzed(tb testing.TB) *fuzzed {
	tb.Helper()
	f := &fuzzed{signed: map[string]bool{}, exact: map[string]bool{}}
	ec, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{7}, 32))
	if err != nil {
		tb.Fatal(err)
	}
	ed, err := credential.NewSigningKey("arena", ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32)))
	if err != nil {
		tb.Fatal(err)
	}
	es, err := credential.NewSigningKey("stadium", ec)
	if err != nil {
		tb.Fatal(err)
	}
	f.trust = keyringOf(tb, ed, es)
	full := ticket(2)
	full.Uses, full.Holder, full.Status = 2, make([]byte, 16), &credential.StatusRef{Index: 9, URI: "https://s.example/1"}
	f.codes = []string{sign(tb, ticket(1), ed), sign(tb, full, ed), sign(tb, ticket(3), es)}
	for _, c := range f.codes[:2] {
		for _, text := range tagForms(tb, c) {
			f.exact[text] = true
		}
	}

	hc1, err := os.ReadFile("testdata/hc1.txt")
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := os.ReadFile("testdata/hc1.cert.txt")
	if err != nil {
		tb.Fatal(err)
	}
	der, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(cert)))
	if err != nil {
		tb.Fatal(err)
	}
	k, err := credential.KeyFromCertificate("AT", der)
	if err != nil {
		tb.Fatal(err)
	}
	f.trust = append(f.trust, &k)
	f.codes = append(f.codes, strings.TrimSuffix(string(hc1), "\n"))
	for _, c := range f.codes {
		if _, err := credential.Verify(c, f.trust, morning); err != nil {
			tb.Fatal(err)
		}
		message, _, err := credential.Signed(c)
		if err != nil {
			tb.Fatal(err)
		}
		f.signed[string(message)] = true
	}
	return f
}

// check holds that a code counts as signed only if its key signed these very bytes.
func (f *fuzzed) check(t *testing.T, code string) {
	p, err := credential.Verify(code, f.trust, morning)
	if p == nil {
		if err == nil {
			t.Error("neither a pass nor an error")
		}
		return
	}
	message, _, serr := credential.Signed(code)
	if serr != nil || !f.signed[string(message)] {
		t.Errorf("a pass that nobody signed: %v, %v", p, err)
	}
	if p.Format == credential.GH1 && p.Issuer == "arena" && !f.exact[code] {
		t.Errorf("another text of one pass: %q", code)
	}
	_, _ = p.Identity(), p.RevocationIDs()
}

func FuzzVerify(f *testing.F) {
	good := newFuzzed(f)
	for _, c := range good.codes {
		f.Add(c)
		f.Add(c[:len(c)-2])
	}
	f.Add("")
	f.Add("GH1:")
	f.Add("HC1:NC")
	f.Fuzz(good.check)
}

func FuzzGH1(f *testing.F) {
	good := newFuzzed(f)
	for _, c := range good.codes[:3] {
		b, err := credential.DecodeBase45(c[4:])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[1:])
		f.Add(append([]byte{0xd8, 61}, b...))
	}
	f.Add([]byte{0xd2, 0x84, 0x43, 0xa1, 0x01, 0x27, 0xa0, 0x41, 0xa0, 0x41, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		good.check(t, "GH1:"+credentialtest.Base45(b))
		protected, payload, err := credential.OpenGH1(b)
		if err != nil {
			return
		}
		for _, item := range [][]byte{b, protected, payload} {
			if again := reencode(t, item); !bytes.Equal(again, item) {
				t.Errorf("%x is another encoding of %x", item, again)
			}
		}
	})
}

// reencode is the deterministic encoding of an item, by another library.
func reencode(t *testing.T, item []byte) []byte {
	dec, err := cbor.DecOptions{MaxNestedLevels: 64}.DecMode()
	if err != nil {
		t.Fatal(err)
	}
	enc, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := dec.Unmarshal(item, &v); err != nil {
		t.Fatalf("%x is not CBOR to others: %v", item, err)
	}
	again, err := enc.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func FuzzHC1(f *testing.F) {
	good := newFuzzed(f)
	b, err := credential.DecodeBase45(good.codes[3][4:])
	if err != nil {
		f.Fatal(err)
	}
	signed, err := credential.Inflate(b)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add(append([]byte{0xd8, 61}, signed...))
	f.Add([]byte{0x84, 0x40, 0xa0, 0x5f, 0x41, 0xa0, 0xff, 0x41, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		good.check(t, "HC1:"+credentialtest.Base45(stored(b)))
	})
}

// FuzzInflate holds inflate to the standard library's: the same text, and an end at the same byte.
func FuzzInflate(f *testing.F) {
	b, err := credential.DecodeBase45(newFuzzed(f).codes[3][4:])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(append(b[:len(b):len(b)], 0))
	f.Add(b[:len(b)-4])
	f.Add(stored([]byte("stored")))
	f.Add([]byte{0x78, 0x9c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := credential.Inflate(b)
		src := bytes.NewReader(b)
		var want []byte
		z, wantErr := zlib.NewReader(src)
		if wantErr == nil {
			want, wantErr = io.ReadAll(io.LimitReader(z, credential.MaxInflated+1))
		}
		good := wantErr == nil && len(want) <= credential.MaxInflated && src.Len() == 0
		if (err == nil) != good || good && !bytes.Equal(got, want) {
			t.Errorf("%d bytes, %v; the standard library has %d bytes, %d left over, %v", len(got), err, len(want), src.Len(), wantErr)
		}
	})
}

// stored is a zlib stream without compression, which costs a fuzzer least.
func stored(b []byte) []byte {
	var out bytes.Buffer
	z, err := zlib.NewWriterLevel(&out, zlib.NoCompression)
	if err != nil {
		panic(err)
	}
	z.Write(b)
	z.Close()
	return out.Bytes()
}
