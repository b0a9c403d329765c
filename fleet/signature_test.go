// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"gatehouse/fleet"
)

// raw is the envelope as an attacker can rewrite it.
type raw struct {
	Payload    []byte   `cbor:"payload"`
	Signatures [][]byte `cbor:"signatures"`
}

func take(t *testing.T, d fleet.Document) raw {
	t.Helper()
	var r raw
	if err := cbor.Unmarshal(d.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func give(t *testing.T, r raw) fleet.Document {
	t.Helper()
	b, err := cbor.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	d, err := fleet.ParseDocument(b)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestThreshold(t *testing.T) {
	m := newModel(t)
	_, k := m.open(m.known(), m.bundle(1))
	a, b, c := m.keys["config"][0], m.keys["config"][1], m.keys["config"][2]
	try := func(name string, want error, version uint64, change func(fleet.Document) fleet.Document, keys ...fleet.SigningKey) {
		t.Run(name, func(t *testing.T) {
			m := *m
			m.tb = t
			d := m.sign(fleet.KindConfig, "arena", version, morning, m.layer("night ticket"), keys...)
			if change != nil {
				d = change(d)
			}
			m.docs = map[string]fleet.Document{"config arena": d}
			for n, o := range newModel(t).docs {
				if n != "config arena" {
					m.docs[n] = o
				}
			}
			_, err := fleet.Open(k, m.bundle(2), morning)
			if !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		})
	}
	try("two of three", nil, 2, nil, c, a)
	try("three of three", nil, 2, nil, a, b, c)
	try("one of two", fleet.ErrSignature, 2, nil, a)
	try("none", fleet.ErrSignature, 2, nil)
	try("the same key twice", fleet.ErrSignature, 2, nil, a, a)
	try("a key of another role", fleet.ErrSignature, 2, nil, a, m.keys["head"][0])
	try("a key of no role", fleet.ErrSignature, 2, nil, a, key(t, "thief"))
	try("one good, one changed", fleet.ErrSignature, 2, func(d fleet.Document) fleet.Document {
		r := take(t, d)
		r.Signatures[1][len(r.Signatures[1])-1] ^= 1
		return give(t, r)
	}, a, b)
	try("rubbish beside two good ones", nil, 2, func(d fleet.Document) fleet.Document {
		r := take(t, d)
		r.Signatures = append([][]byte{nil, {0xff}, bytes.Repeat([]byte{0x84}, 256)}, r.Signatures...)
		return give(t, r)
	}, a, b)
	try("cosigned apart", nil, 2, func(d fleet.Document) fleet.Document {
		d, err := d.Cosign(b)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}, a)
	try("signatures of another document", fleet.ErrSignature, 2, func(d fleet.Document) fleet.Document {
		r := take(t, d)
		r.Signatures = take(t, m.docs["config arena"]).Signatures
		return give(t, r)
	})
}

// A signature is for one kind and scope: the same bytes signed as another kind's are not signed.
func TestForeignKind(t *testing.T) {
	m := newModel(t)
	_, k := m.open(m.known(), m.bundle(1))
	config := m.sign(fleet.KindConfig, "arena", 2, morning, m.layer("night ticket"))
	for _, other := range []fleet.Document{
		m.sign(fleet.KindConfig, "all", 2, morning, m.layer("night ticket"), m.keys["config"]...),
		m.sign(fleet.KindIssuers, "all", 2, morning, m.layer("night ticket"), m.keys["config"]...),
		m.sign(fleet.KindHead, "arena", 2, morning, m.layer("night ticket"), m.keys["config"]...),
	} {
		r := take(t, config)
		r.Signatures = take(t, other).Signatures
		d := give(t, r)
		m.docs["config arena"] = d
		m.refused(k, m.bundle(2), fleet.ErrSignature)
	}
}

// The same payload, signed with external data of another kind: what a signer was tricked into signing as a head stays one.
func TestExternalDataBindsTheKind(t *testing.T) {
	m := newModel(t)
	d := m.sign(fleet.KindConfig, "arena", 2, morning, m.layer("night ticket"))
	for aad, want := range map[[2]string]bool{{"config", "arena"}: true, {"head", "arena"}: false, {"config", "all"}: false} {
		external, err := cbor.Marshal([]string{"gatehouse/1", aad[0], aad[1]})
		if err != nil {
			t.Fatal(err)
		}
		r := raw{Payload: take(t, d).Payload}
		for _, k := range m.keys["config"][:2] {
			r.Signatures = append(r.Signatures, signWith(t, k, r.Payload, external))
		}
		m := newModel(t)
		_, k := m.open(m.known(), m.bundle(1))
		m.docs["config arena"] = give(t, r)
		if _, err := fleet.Open(k, m.bundle(2), morning); (err == nil) != want || err != nil && !errors.Is(err, fleet.ErrSignature) {
			t.Errorf("external data %v: %v", aad, err)
		}
	}
}

func TestHeadKeyCannotSignOthers(t *testing.T) {
	for _, kind := range []fleet.Kind{fleet.RevocationsOf("arena"), fleet.KindIssuers, fleet.KindConfig} {
		m := newModel(t)
		_, k := m.open(m.known(), m.bundle(1))
		scope, body := fleet.Scope("all"), any(fleet.RevocationList{})
		switch kind {
		case fleet.KindIssuers:
			body = m.issuers()
		case fleet.KindConfig:
			scope, body = "arena", m.layer("night ticket")
		}
		m.docs[string(kind)+" "+string(scope)] = m.sign(kind, scope, 2, morning, body, m.keys["head"][0], m.keys["head"][0])
		m.refused(k, m.bundle(2), fleet.ErrSignature)
	}
	m := newModel(t)
	_, k := m.open(m.known(), m.bundle(1))
	m.refused(k, docs(m.head(2, morning, m.entries(), m.keys["revocations"]...)), fleet.ErrSignature)
	m.refused(k, docs(m.root(2, m.keys["head"]...)), fleet.ErrSignature)
}

func TestForeignScope(t *testing.T) {
	m := newModel(t)
	_, k := m.open(m.known(), m.bundle(1))
	m.refused(k, docs(m.sign(fleet.KindConfig, "stadium", 2, morning, m.layer("x"), m.keys["config"]...)), fleet.ErrScope)
	m.refused(k, docs(m.sign(fleet.KindConfig, "stadium/gate-1", 2, morning, m.layer("x"), m.keys["config"]...)), fleet.ErrScope)
	m.refused(k, docs(m.sign(fleet.KindHead, "stadium", 2, morning, &fleet.Head{}, m.keys["head"]...)), fleet.ErrScope)
	es := append(m.entries(), fleet.Entry{Kind: fleet.KindConfig, Scope: "stadium", Version: 1})
	m.refused(k, docs(m.head(2, morning, es)), fleet.ErrScope)
}

func TestScopeOfAKind(t *testing.T) {
	for _, c := range []struct {
		kind  fleet.Kind
		scope fleet.Scope
		want  error
	}{
		{"root", "arena", fleet.ErrKind}, {"issuers", "arena", fleet.ErrKind}, {"head", "all", fleet.ErrKind},
		{"head", "arena/gate-1", fleet.ErrKind}, {"revocations/arena", "arena", fleet.ErrKind},
		{"revocations", "all", fleet.ErrKind}, {"revocations/", "all", fleet.ErrKind}, {"revocations/A", "all", fleet.ErrKind},
		{"command", "arena/gate-1", fleet.ErrKind}, {"", "all", fleet.ErrKind}, {"config/x", "all", fleet.ErrKind},
		{"config", "", fleet.ErrMalformed}, {"config", "a/b/c", fleet.ErrMalformed}, {"config", "all/gate-1", fleet.ErrMalformed},
		{"config", "Arena", fleet.ErrMalformed}, {"config", "arena/all", fleet.ErrMalformed}, {"config", "arena/", fleet.ErrMalformed},
		{"config", "all", nil}, {"config", "arena", nil}, {"config", "arena/gate-1", nil}, {"revocations/arena", "all", nil},
	} {
		if _, err := fleet.Sign(c.kind, c.scope, 1, morning, fleet.Layer{}); !errors.Is(err, c.want) {
			t.Errorf("%q of %q: got %v, want %v", c.kind, c.scope, err, c.want)
		}
	}
}

func TestOnlyEd25519Signs(t *testing.T) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fleet.NewSigningKey(k); err == nil {
		t.Error("a P-256 key was taken")
	}
	if _, err := fleet.NewSigningKey(nil); err == nil {
		t.Error("no key was taken")
	}
	if _, err := fleet.Sign(fleet.KindConfig, "all", 1, time.Now(), fleet.Layer{}, fleet.SigningKey{}); err == nil {
		t.Error("the zero key signed")
	}
}
