// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"gatehouse/credential"
	"gatehouse/credential/credentialtest"
)

func TestHC1Levels(t *testing.T) {
	day := time.Date(2026, 4, 20, 0, 0, 0, 0, time.UTC)
	sampled := morning.Add(-5 * time.Hour)
	signers := map[credential.Algorithm]*credentialtest.Signer{
		credential.ES256: newDSC(t, "AT", credential.ES256, 0),
		credential.PS256: newDSC(t, "AT", credential.PS256, 0),
	}
	for _, tc := range []struct {
		name  string
		set   func(*credentialtest.DCC)
		usage credential.DCCUsage
		level string
		since time.Time
	}{
		{"complete", func(c *credentialtest.DCC) { c.Vaccination = &credentialtest.Vaccination{Dose: 2, Doses: 2, Date: day} },
			credential.DCCVaccination, credential.LevelVaccinated, day},
		{"booster", func(c *credentialtest.DCC) { c.Vaccination = &credentialtest.Vaccination{Dose: 3, Doses: 2, Date: day} },
			credential.DCCVaccination, credential.LevelVaccinated, day},
		{"first of two", func(c *credentialtest.DCC) { c.Vaccination = &credentialtest.Vaccination{Dose: 1, Doses: 2, Date: day} },
			credential.DCCVaccination, credential.LevelPartial, day},
		{"no doses", func(c *credentialtest.DCC) { c.Vaccination = &credentialtest.Vaccination{Date: day} },
			credential.DCCVaccination, "", day},
		{"negative", func(c *credentialtest.DCC) { c.Test = &credentialtest.Test{Sampled: sampled} },
			credential.DCCTest, credential.LevelNegative, sampled},
		{"positive", func(c *credentialtest.DCC) { c.Test = &credentialtest.Test{Positive: true, Sampled: sampled} },
			credential.DCCTest, credential.LevelPositive, sampled},
		{"recovered", func(c *credentialtest.DCC) { c.Recovery = &credentialtest.Recovery{FirstPositive: day} },
			credential.DCCRecovery, credential.LevelRecovered, day},
	} {
		for _, a := range []credential.Algorithm{credential.ES256, credential.PS256} {
			c := vaccinated()
			c.Vaccination = nil
			tc.set(&c)
			s := signers[a]
			allowed := dscKey(t, s)
			allowed.DCCUsage = tc.usage
			p, err := credential.Verify(signDCC(t, c, s), keyring{allowed}, morning)
			if err != nil {
				t.Errorf("%s %v: %v", tc.name, a, err)
				continue
			}
			if p.Level != tc.level || p.Kind != credential.KindHealth || !p.Since.Equal(tc.since) || string(p.ID) != c.UCI || p.Issuer != "AT" {
				t.Errorf("%s %v: %v since %v", tc.name, a, p, p.Since)
			}
			// A key that may sign another member only.
			for _, other := range []credential.DCCUsage{credential.DCCTest, credential.DCCVaccination, credential.DCCRecovery} {
				k := dscKey(t, s)
				if k.DCCUsage = other; other == tc.usage {
					continue
				}
				p, err := credential.Verify(signDCC(t, c, s), keyring{k}, morning)
				if !errors.Is(err, credential.ErrKeyNotAllowed) || p == nil {
					t.Errorf("%s %v under usage %d: %v", tc.name, a, other, err)
				}
			}
		}
	}
}

// claims is a good certificate to be made bad.
func claims() map[any]any {
	return map[any]any{1: "XX", 4: morning.Add(time.Hour).Unix(), 6: morning.Add(-time.Hour).Unix(), -260: map[any]any{1: health()}}
}

func health() map[string]any {
	return map[string]any{
		"ver": "1.3.0", "dob": "1964", "nam": map[string]any{"fnt": "MUSTERMANN"},
		"t": []any{map[string]any{"tr": "260415000", "sc": "2026-05-04T08:00:00+02:00", "ci": "URN:UVCI:01:XX:1"}},
	}
}

func withHealth(change func(map[string]any)) map[any]any {
	c, h := claims(), health()
	change(h)
	c[-260] = map[any]any{1: h}
	return c
}

func withClaim(k, v any) map[any]any {
	c := claims()
	if c[k] = v; v == nil {
		delete(c, k)
	}
	return c
}

func TestHC1Claims(t *testing.T) {
	s := newDSC(t, "AT", credential.ES256, 0)
	trust := keyring{dscKey(t, s)}
	entry := health()["t"].([]any)[0]
	for _, tc := range []struct {
		name   string
		claims map[any]any
		want   error
	}{
		{"as it should be", claims(), nil},
		{"no iss", withClaim(1, nil), nil},
		{"no iat", withClaim(6, nil), nil},
		{"no exp", withClaim(4, nil), credential.ErrMalformed},
		{"exp as a float", withClaim(4, float64(morning.Unix())+0.5), nil},
		{"exp as a float of the past", withClaim(4, float64(morning.Unix())-0.5), credential.ErrExpired},
		{"exp as a half float", withClaim(4, float32(1024)), credential.ErrExpired},
		{"exp far beyond", withClaim(4, uint64(math.MaxUint64)), nil},
		{"exp not a number", withClaim(4, math.NaN()), credential.ErrMalformed},
		{"exp infinite", withClaim(4, math.Inf(1)), credential.ErrMalformed},
		{"exp a text", withClaim(4, "never"), credential.ErrMalformed},
		{"exp null", withClaim(4, cbor.RawMessage{0xf6}), credential.ErrMalformed},
		{"exp tagged", withClaim(4, cbor.Tag{Number: 1, Content: morning.Unix() + 1}), nil},
		{"nbf ahead", withClaim(5, morning.Unix()+1), credential.ErrNotYetValid},
		{"no certificate", withClaim(-260, nil), credential.ErrMalformed},
		{"certificate of another version", withClaim(-260, map[any]any{2: health()}), credential.ErrMalformed},
		{"no group", withHealth(func(h map[string]any) { delete(h, "t") }), credential.ErrMalformed},
		{"two groups", withHealth(func(h map[string]any) { h["r"] = h["t"] }), credential.ErrMalformed},
		{"two entries", withHealth(func(h map[string]any) { h["t"] = []any{entry, entry} }), credential.ErrMalformed},
		{"null groups beside", withHealth(func(h map[string]any) { h["v"], h["r"] = nil, []any{} }), nil},
		{"no name", withHealth(func(h map[string]any) { h["nam"] = map[string]any{} }), credential.ErrMalformed},
		{"no dob", withHealth(func(h map[string]any) { delete(h, "dob") }), credential.ErrMalformed},
		{"no ver", withHealth(func(h map[string]any) { delete(h, "ver") }), credential.ErrMalformed},
		{"result of another type", withHealth(func(h map[string]any) { h["t"] = []any{map[string]any{"tr": 260415000}} }), nil},
		{"nested deeply", withHealth(func(h map[string]any) {
			var deep any = 1
			for range 20 {
				deep = []any{deep}
			}
			h["x"] = deep
		}), credential.ErrMalformed},
		{"a wide map", withHealth(func(h map[string]any) {
			for i := range 80 {
				h[fmt.Sprint(i)] = i
			}
		}), credential.ErrMalformed},
	} {
		code, err := s.Seal(tc.claims)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		_, err = credential.Verify(code, trust, morning)
		if !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
	}
}

// TestHC1RefusesDoubledKeys puts a second exp, a second result and a second group behind the first.
func TestHC1RefusesDoubledKeys(t *testing.T) {
	s := newDSC(t, "AT", credential.ES256, 0)
	good, err := cbor.Marshal(claims())
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func([]byte) []byte{
		"exp": func(b []byte) []byte { b[0]++; return append(b, 0x04, 0x1b, 0, 0, 0, 0xff, 0, 0, 0, 0) },
		"exp in a longer encoding": func(b []byte) []byte {
			b[0]++
			return append(b, 0x18, 0x04, 0x1b, 0, 0, 0, 0xff, 0, 0, 0, 0)
		},
		"result": func(b []byte) []byte {
			return bytes.Replace(bytes.Replace(b, []byte("\x62tr"), []byte("\x62tr\x60\x62tr"), 1), []byte("\x61t\x81\xa3"), []byte("\x61t\x81\xa4"), 1)
		},
	} {
		code, err := s.SealBytes(change(bytes.Clone(good)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := credential.Verify(code, keyring{dscKey(t, s)}, morning); !errors.Is(err, credential.ErrMalformed) {
			t.Errorf("%s twice: %v", name, err)
		}
	}
}

// TestHC1RevocationIDs follows the hashes of the EU's revocation list; the country is the CWT's own.
func TestHC1RevocationIDs(t *testing.T) {
	hash := func(b []byte) string { sum := sha256.Sum256(b); return fmt.Sprintf("%x", sum[:16]) }
	for _, a := range []credential.Algorithm{credential.ES256, credential.PS256} {
		s := newDSC(t, "AT", a, 0)
		code, err := s.Seal(claims())
		if err != nil {
			t.Fatal(err)
		}
		p, err := credential.Verify(code, keyring{dscKey(t, s)}, morning)
		if err != nil {
			t.Fatal(err)
		}
		_, signature, err := credential.Signed(code)
		if err != nil {
			t.Fatal(err)
		}
		if a == credential.ES256 {
			signature = signature[:32]
		}
		want := []string{
			"SIGNATURE:" + hash(signature),
			"UCI:" + hash([]byte("URN:UVCI:01:XX:1")),
			"COUNTRYCODEUCI:" + hash([]byte("XXURN:UVCI:01:XX:1")),
		}
		if got := p.RevocationIDs(); !reflect.DeepEqual(got, want) {
			t.Errorf("%v: got %v, want %v", a, got, want)
		}
	}
}

// TestHC1WithoutUCI falls back to the signed payload, never to the code or the signature.
func TestHC1WithoutUCI(t *testing.T) {
	s := newDSC(t, "AT", credential.ES256, 0)
	payload, err := cbor.Marshal(withHealth(func(h map[string]any) { h["t"] = []any{map[string]any{"tr": "260415000"}} }))
	if err != nil {
		t.Fatal(err)
	}
	want := sha256.Sum256(payload)
	for range 2 { // two signatures over one payload are one pass
		code, err := s.SealBytes(payload)
		if err != nil {
			t.Fatal(err)
		}
		p, err := credential.Verify(code, keyring{dscKey(t, s)}, morning)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(p.ID, want[:]) || len(p.RevocationIDs()) != 1 {
			t.Errorf("id %x, want %x; revocation %v", p.ID, want, p.RevocationIDs())
		}
	}
}

func TestHC1Holder(t *testing.T) {
	s := newDSC(t, "AT", credential.ES256, 0)
	holder := func(change func(*credentialtest.DCC)) string {
		c := vaccinated()
		change(&c)
		p, err := credential.Verify(signDCC(t, c, s), keyring{dscKey(t, s)}, morning)
		if err != nil {
			t.Fatal(err)
		}
		if s := fmt.Sprintf("%v %#v %s %s", *p, *p, p.Identity(), p.Holder); strings.Contains(s, "MUSTER") || strings.Contains(s, "1964") {
			t.Errorf("the pass shows the holder: %s", s)
		}
		return string(p.Holder)
	}
	one := holder(func(*credentialtest.DCC) {})
	if holder(func(c *credentialtest.DCC) { c.UCI = "another" }) != one {
		t.Error("two certificates of one person have different holders")
	}
	if holder(func(c *credentialtest.DCC) { c.BirthDate = "1964-08-13" }) == one {
		t.Error("another birth date has the same holder")
	}
	if holder(func(c *credentialtest.DCC) { c.FamilyName, c.GivenName = "MUSTERMANNE", "RIKA" }) == one {
		t.Error("a name cut elsewhere has the same holder")
	}
}

func TestParseDate(t *testing.T) {
	for text, want := range map[string]string{
		"2021-05-04":                       "2021-05-04T00:00:00Z",
		"2021-05":                          "2021-05-01T00:00:00Z",
		"2021":                             "2021-01-01T00:00:00Z",
		"2021-05-04T08:13:51Z":             "2021-05-04T08:13:51Z",
		"2021-05-04T08:13:51+02:00":        "2021-05-04T06:13:51Z",
		"2021-05-04T08:13:51+0200":         "2021-05-04T06:13:51Z",
		"2021-05-04T08:13:51+02":           "2021-05-04T06:13:51Z",
		"2021-05-04T08:13:51.123Z":         "2021-05-04T08:13:51.123Z",
		"2021-05-04T08:13:51.123456+02:00": "2021-05-04T06:13:51.123456Z",
		"2021-05-04T08:13:51":              "2021-05-04T08:13:51Z",
		"2021-05-04T08:13:51.5":            "2021-05-04T08:13:51.5Z",
		"2021-05-04T08:13":                 "2021-05-04T08:13:00Z",
		"2021-05-04T08:13Z":                "2021-05-04T08:13:00Z",
		"":                                 "0001-01-01T00:00:00Z",
		"yesterday":                        "0001-01-01T00:00:00Z",
		"2021-13-04":                       "0001-01-01T00:00:00Z",
	} {
		if got := credential.ParseDate([]byte(text)).Format(time.RFC3339Nano); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestInflateIsBounded(t *testing.T) {
	deflate := func(n int) []byte {
		var b bytes.Buffer
		z := zlib.NewWriter(&b)
		z.Write(make([]byte, n))
		z.Close()
		return b.Bytes()
	}
	if out, err := credential.Inflate(deflate(credential.MaxInflated)); err != nil || len(out) != credential.MaxInflated {
		t.Errorf("at the bound: %d bytes, %v", len(out), err)
	}
	if _, err := credential.Inflate(deflate(credential.MaxInflated + 1)); err == nil {
		t.Error("a byte beyond the bound is taken")
	}
	if _, err := credential.Inflate(deflate(64 << 20)); err == nil {
		t.Error("a bomb is taken")
	}
	if _, err := credential.Inflate(append(deflate(10), 0)); err == nil {
		t.Error("a byte after the end is taken")
	}
	cut := deflate(1000)
	if _, err := credential.Inflate(cut[:len(cut)-1]); err == nil {
		t.Error("a stream without its end is taken")
	}
	cut[len(cut)-1] ^= 1
	if _, err := credential.Inflate(cut); err == nil {
		t.Error("a wrong checksum is taken")
	}
	if out, err := credential.Inflate(deflate(10)); err != nil || len(out) != 10 {
		t.Errorf("after failures: %d bytes, %v", len(out), err)
	}
}
