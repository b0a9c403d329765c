// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/veraison/go-cose"

	"gatehouse/credential"
	"gatehouse/credential/credentialtest"
)

func TestGH1RoundTrip(t *testing.T) {
	full := credential.Claims{
		ID: []byte("0123456789abcdef"), Kind: "health", Level: "green", Grant: "wide", Uses: 3,
		Issued: morning.Add(-time.Hour), NotBefore: morning.Add(-time.Minute), Expires: morning.Add(time.Hour),
		Scope: []string{"arena", "stadium/east"}, Holder: bytes.Repeat([]byte{7}, 16),
		Status: &credential.StatusRef{Index: 1 << 40, URI: "https://s.example/1"},
	}
	least := credential.Claims{ID: []byte("12345678"), Expires: morning.Add(time.Second)}
	for _, a := range []credential.Algorithm{credential.EdDSA, credential.ES256} {
		k := newIssuer(t, "arena", a)
		for name, c := range map[string]credential.Claims{"full": full, "least": least} {
			p, err := credential.Verify(sign(t, c, k), keyringOf(t, k), morning)
			if err != nil {
				t.Fatalf("%v %s: %v", a, name, err)
			}
			got := credential.Claims{
				ID: p.ID, Kind: p.Kind, Level: p.Level, Issued: p.Issued, NotBefore: p.NotBefore, Expires: p.Expires,
				Scope: p.Scope, Uses: p.Uses, Grant: p.Grant, Holder: p.Holder, Status: p.Status,
			}
			if !reflect.DeepEqual(got, c) {
				t.Errorf("%v %s: got %+v, want %+v", a, name, got, c)
			}
			if p.Issuer != "arena" || !bytes.Equal(p.KeyID, k.ID) || !p.Since.Equal(c.Issued) {
				t.Errorf("%v %s: issuer %q, key %x, since %v", a, name, p.Issuer, p.KeyID, p.Since)
			}
			if ids := p.RevocationIDs(); len(ids) != 1 || ids[0] != fmt.Sprintf("%x", c.ID) {
				t.Errorf("%v %s: revocation ids %v", a, name, ids)
			}
		}
	}
}

// TestGH1Length holds the promise of 243 characters for a pass with Ed25519, a 16-byte cti and a scope.
func TestGH1Length(t *testing.T) {
	if n := len(sign(t, ticket(1), newIssuer(t, "arena", credential.EdDSA))); n != 243 {
		t.Errorf("%d characters, want 243", n)
	}
}

// foreign is a pass signed with other libraries, as an issuer with its own software would.
func foreign(t *testing.T, k credential.SigningKey, claims any, change func(*cose.Sign1Message)) string {
	t.Helper()
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	m := cose.NewSign1Message()
	m.Headers.Protected[cose.HeaderLabelAlgorithm] = cose.Algorithm(k.Algorithm)
	m.Headers.Protected[cose.HeaderLabelKeyID] = k.ID
	if m.Payload, err = mode.Marshal(claims); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(m)
	}
	signer, err := cose.NewSigner(cose.Algorithm(k.Algorithm), k.Signer)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Sign(rand.Reader, nil, signer); err != nil {
		t.Fatal(err)
	}
	b, err := m.MarshalCBOR()
	if err != nil {
		t.Fatal(err)
	}
	return "GH1:" + credentialtest.Base45(b)
}

func TestGH1OfOtherSoftware(t *testing.T) {
	base := func() map[any]any {
		return map[any]any{1: "arena", 4: morning.Add(time.Hour).Unix(), 7: []byte("12345678"), -70001: "ticket"}
	}
	with := func(k, v any) func() map[any]any {
		return func() map[any]any { m := base(); m[k] = v; return m }
	}
	without := func(k any) func() map[any]any {
		return func() map[any]any { m := base(); delete(m, k); return m }
	}
	for _, tc := range []struct {
		name   string
		claims func() map[any]any
		change func(*cose.Sign1Message)
		want   error
	}{
		{"plain", base, nil, nil},
		{"a private claim of the issuer's own", with(-80000, []any{"x", 1, nil}), nil, nil},
		{"kid in the unprotected header", base, func(m *cose.Sign1Message) {
			m.Headers.Unprotected[cose.HeaderLabelKeyID] = m.Headers.Protected[cose.HeaderLabelKeyID]
			delete(m.Headers.Protected, cose.HeaderLabelKeyID)
		}, nil},
		{"no kid", base, func(m *cose.Sign1Message) { delete(m.Headers.Protected, cose.HeaderLabelKeyID) }, credential.ErrUnknownKey},
		{"something unsigned beside", base, func(m *cose.Sign1Message) { m.Headers.Unprotected[int64(99)] = 1 }, credential.ErrMalformed},
		{"critical header", base, func(m *cose.Sign1Message) {
			m.Headers.Protected[cose.HeaderLabelCritical] = []any{int64(-70001)}
			m.Headers.Protected[int64(-70001)] = 1
		}, credential.ErrMalformed},
		{"unknown issuer", with(1, "elsewhere"), nil, credential.ErrUnknownIssuer},
		{"no issuer", without(1), nil, credential.ErrMalformed},
		{"no expiry", without(4), nil, credential.ErrMalformed},
		{"no id", without(7), nil, credential.ErrMalformed},
		{"short id", with(7, []byte("1234567")), nil, credential.ErrMalformed},
		{"long id", with(7, make([]byte, 17)), nil, credential.ErrMalformed},
		{"float time", with(4, 4e9), nil, credential.ErrMalformed},
		{"negative time", with(4, -5), nil, credential.ErrMalformed},
		{"time beyond year 9999", with(4, uint64(1)<<63), nil, credential.ErrMalformed},
		{"expired this second", with(4, morning.Unix()), nil, credential.ErrExpired},
		{"not before the next second", with(5, morning.Unix()+1), nil, credential.ErrNotYetValid},
		{"not before this second", with(5, morning.Unix()), nil, nil},
		{"long issuer", with(1, strings.Repeat("i", 33)), nil, credential.ErrMalformed},
		{"no uses", with(-70003, 0), nil, credential.ErrMalformed},
		{"short holder", with(-70006, make([]byte, 15)), nil, credential.ErrMalformed},
		{"empty scope", with(-70002, []string{}), nil, credential.ErrMalformed},
		{"scope of three parts", with(-70002, []string{"a/b/c"}), nil, credential.ErrMalformed},
		{"status of another mechanism", with(65535, map[string]any{"oracle": 1}), nil, credential.ErrMalformed},
		{"empty payload", base, func(m *cose.Sign1Message) { m.Payload = []byte{} }, credential.ErrMalformed},
		{"trailing byte in the payload", base, func(m *cose.Sign1Message) { m.Payload = append(m.Payload, 0) }, credential.ErrMalformed},
		{"claim twice", base, func(m *cose.Sign1Message) {
			m.Payload[0]++
			m.Payload = append(m.Payload, 0x3a, 0x00, 0x01, 0x11, 0x70, 0x61, 'x')
		}, credential.ErrMalformed},
		{"map of indefinite length", base, func(m *cose.Sign1Message) {
			m.Payload[0] = 0xbf
			m.Payload = append(m.Payload, 0xff)
		}, credential.ErrMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newIssuer(t, "arena", credential.EdDSA)
			_, err := credential.Verify(foreign(t, k, tc.claims(), tc.change), keyringOf(t, k), morning)
			if !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

// tagForms are the three ways in which a CWT may be tagged: [18] as Sign does it, none, and [61 18].
func tagForms(tb testing.TB, code string) []string {
	tb.Helper()
	b, err := credential.DecodeBase45(strings.TrimPrefix(code, "GH1:"))
	if err != nil || b[0] != 0xd2 {
		tb.Fatalf("not a pass with tag 18: %v", err)
	}
	text := func(b []byte) string { return "GH1:" + credentialtest.Base45(b) }
	return []string{code, text(b[1:]), text(append([]byte{0xd8, 61}, b...))}
}

// TestGH1TagForms: an issuer's library chooses the tags, and the pass is the same one whichever they are. All else that
// could stand there is refused.
func TestGH1TagForms(t *testing.T) {
	k := newIssuer(t, "arena", credential.EdDSA)
	forms := tagForms(t, sign(t, ticket(1), k))
	var first *credential.Pass
	for i, code := range forms {
		p, err := credential.Verify(code, keyringOf(t, k), morning)
		if err != nil {
			t.Fatalf("form %d: %v", i, err)
		}
		if first == nil {
			first = p
		}
		if !bytes.Equal(p.Identity(), first.Identity()) || !reflect.DeepEqual(p.RevocationIDs(), first.RevocationIDs()) {
			t.Errorf("form %d is another pass", i)
		}
	}
	bare, err := credential.DecodeBase45(strings.TrimPrefix(forms[1], "GH1:"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tags := range [][]byte{{0xd8, 61}, {0xd2, 0xd2}, {0xd2, 0xd8, 61}, {0xd8, 61, 0xd8, 61, 0xd2}, {0xd8, 18}, {0xd9, 0, 61, 0xd2}, {0xd1}, {0xd8, 98}} {
		code := "GH1:" + credentialtest.Base45(append(tags[:len(tags):len(tags)], bare...))
		if _, err := credential.Verify(code, keyringOf(t, k), morning); !errors.Is(err, credential.ErrMalformed) {
			t.Errorf("tags %x: %v", tags, err)
		}
	}
}

// TestSignIsReadByOtherSoftware has go-cose check what Sign makes.
func TestSignIsReadByOtherSoftware(t *testing.T) {
	for _, a := range []credential.Algorithm{credential.EdDSA, credential.ES256} {
		k := newIssuer(t, "arena", a)
		b, err := credential.DecodeBase45(strings.TrimPrefix(sign(t, ticket(1), k), "GH1:"))
		if err != nil {
			t.Fatal(err)
		}
		var m cose.Sign1Message
		if err := m.UnmarshalCBOR(b); err != nil {
			t.Fatal(err)
		}
		v, err := cose.NewVerifier(cose.Algorithm(a), k.Signer.Public())
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Verify(nil, v); err != nil {
			t.Errorf("%v: %v", a, err)
		}
	}
}

func TestSignRefusesWhatVerifyWould(t *testing.T) {
	k := newIssuer(t, "arena", credential.EdDSA)
	for name, change := range map[string]func(*credential.Claims){
		"no expiry":     func(c *credential.Claims) { c.Expires = time.Time{} },
		"short id":      func(c *credential.Claims) { c.ID = []byte("short") },
		"bad scope":     func(c *credential.Claims) { c.Scope = []string{"/"} },
		"long kind":     func(c *credential.Claims) { c.Kind = strings.Repeat("k", 33) },
		"no status uri": func(c *credential.Claims) { c.Status = &credential.StatusRef{Index: 1} },
		"before 1970":   func(c *credential.Claims) { c.Issued = time.Unix(-1, 0) },
		"not UTF-8":     func(c *credential.Claims) { c.Level = "\xff" },
	} {
		c := ticket(1)
		change(&c)
		if code, err := credential.Sign(c, k); err == nil {
			t.Errorf("%s: signed %s", name, code)
		}
	}
}

func TestKeyLimits(t *testing.T) {
	k := newIssuer(t, "arena", credential.EdDSA)
	open := ticket(1)
	open.Scope = nil
	for _, tc := range []struct {
		name   string
		claims credential.Claims
		change func(*credential.Key)
		want   error
		scope  []string
	}{
		{"unlimited", ticket(1), func(*credential.Key) {}, nil, []string{"arena/north"}},
		{"another format", ticket(1), func(k *credential.Key) { k.Formats = []credential.Format{credential.HC1} }, credential.ErrKeyNotAllowed, nil},
		{"no format", ticket(1), func(k *credential.Key) { k.Formats = nil }, credential.ErrKeyNotAllowed, nil},
		{"its kind", ticket(1), func(k *credential.Key) { k.Kinds = []string{"staff", "ticket"} }, nil, nil},
		{"another kind", ticket(1), func(k *credential.Key) { k.Kinds = []string{"staff"} }, credential.ErrKeyNotAllowed, nil},
		{"its venue", ticket(1), func(k *credential.Key) { k.Scopes = []string{"arena"} }, nil, []string{"arena/north"}},
		{"its zone", ticket(1), func(k *credential.Key) { k.Scopes = []string{"arena/north"} }, nil, nil},
		{"another zone", ticket(1), func(k *credential.Key) { k.Scopes = []string{"arena/south"} }, credential.ErrKeyNotAllowed, nil},
		{"a venue whose name begins alike", ticket(1), func(k *credential.Key) { k.Scopes = []string{"aren"} }, credential.ErrKeyNotAllowed, nil},
		{"pass without scope gets the key's", open, func(k *credential.Key) { k.Scopes = []string{"arena/south"} }, nil, []string{"arena/south"}},
		{"key not valid yet", ticket(1), func(k *credential.Key) { k.NotBefore = morning.Add(1) }, credential.ErrKeyNotAllowed, nil},
		{"key no longer valid", ticket(1), func(k *credential.Key) { k.NotAfter = morning.Add(-1) }, credential.ErrKeyNotAllowed, nil},
	} {
		trust := keyringOf(t, k)
		tc.change(trust[0])
		p, err := credential.Verify(sign(t, tc.claims, k), trust, morning)
		if !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
			continue
		}
		if p == nil {
			t.Errorf("%s: no pass beside %v", tc.name, err)
		} else if tc.scope != nil && !reflect.DeepEqual(p.Scope, tc.scope) {
			t.Errorf("%s: scope %v, want %v", tc.name, p.Scope, tc.scope)
		}
	}
}

// TestPassPrintsWithoutIdentity holds that no way of printing a pass or a refusal shows its id.
func TestPassPrintsWithoutIdentity(t *testing.T) {
	k := newIssuer(t, "arena", credential.EdDSA)
	c := ticket(1)
	c.Holder = []byte("holder-pseudonym")
	code := sign(t, c, k)
	p, err := credential.Verify(code, keyringOf(t, k), morning.AddDate(1, 0, 0))
	if !errors.Is(err, credential.ErrExpired) {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "pass", p, "copy", *p, "error", err)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "pass", p, "copy", *p, "error", err)
	for _, s := range []string{fmt.Sprint(p), fmt.Sprintf("%+v %#v", *p, p), fmt.Sprintf("%#v", *p), err.Error(), log.String()} {
		for _, secret := range []string{string(c.ID), fmt.Sprintf("%x", c.ID), "holder-pseudonym", code} {
			if strings.Contains(s, secret) {
				t.Errorf("%q shows %q", s, secret)
			}
		}
	}
}
