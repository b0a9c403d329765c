// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/fleet"
)

// testFleet signs every document with one key. It has three issuers: arena (GH1, revocable), and at and de, whose HC1 keys
// share a kid.
type testFleet struct {
	tb     testing.TB
	signer fleet.SigningKey
	root   fleet.Document
	arena  ed25519.PublicKey
	at, de *ecdsa.PublicKey
}

var testPlace = fleet.Place{Venue: "arena", Kiosk: "gate-1"}

func newTestFleet(tb testing.TB) *testFleet {
	tb.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	f := &testFleet{tb: tb}
	if f.signer, err = fleet.NewSigningKey(private); err != nil {
		tb.Fatal(err)
	}
	role := fleet.Role{Keys: []fleet.KeyID{f.signer.ID()}, Threshold: 1}
	f.root = f.sign(fleet.KindRoot, fleet.ScopeAll, 1, &fleet.Root{
		NotBefore: uint64(morning.AddDate(-1, 0, 0).Unix()), NotAfter: uint64(morning.AddDate(10, 0, 0).Unix()),
		Keys:  []fleet.RootKey{{Public: public}},
		Roles: map[string]fleet.Role{"root": role, "head": role, "issuers": role, "config": role, "revocations": role},
	})
	if f.arena, _, err = ed25519.GenerateKey(rand.Reader); err != nil {
		tb.Fatal(err)
	}
	for _, public := range []**ecdsa.PublicKey{&f.at, &f.de} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			tb.Fatal(err)
		}
		*public = &key.PublicKey
	}
	return f
}

func (f *testFleet) sign(kind fleet.Kind, scope fleet.Scope, version uint64, body any) fleet.Document {
	f.tb.Helper()
	d, err := fleet.Sign(kind, scope, version, morning, body, f.signer)
	if err != nil {
		f.tb.Fatal(err)
	}
	return d
}

func (f *testFleet) spki(public any) []byte {
	f.tb.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		f.tb.Fatal(err)
	}
	return der
}

func (f *testFleet) kid(public any) []byte {
	f.tb.Helper()
	k, err := credential.KeyFromSPKI("arena", f.spki(public))
	if err != nil {
		f.tb.Fatal(err)
	}
	return k.ID
}

// sharedKID is the kid of two issuers' keys: kids of certificates are 8 bytes of a hash, and those of a JWK any text.
const sharedKID = "2026"

func (f *testFleet) hc1(public *ecdsa.PublicKey) fleet.IssuerKey {
	f.tb.Helper()
	point, err := public.Bytes()
	if err != nil {
		f.tb.Fatal(err)
	}
	text := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	return fleet.IssuerKey{
		Type: fleet.TypeJWK, Algorithm: "ES256", Formats: []credential.Format{credential.HC1},
		Data: fmt.Appendf(nil, `{"kty":"EC","crv":"P-256","kid":%q,"x":%q,"y":%q}`, sharedKID, text(point[1:33]), text(point[33:])),
	}
}

// edition is what one bundle says.
type edition struct {
	head   uint64 // its sequence
	list   uint64 // version of arena's revocations
	base   [][fleet.RevocationSize]byte
	deltas []fleet.Delta
	status []statusEdition
}

// statusEdition is a status list of arena, by rising URI.
type statusEdition struct {
	uri   string
	size  uint64
	bits  []byte // nil: no base
	flips []uint32
}

func (f *testFleet) bundle(e edition) *fleet.Bundle {
	f.tb.Helper()
	issuers := f.sign(fleet.KindIssuers, fleet.ScopeAll, 1, fleet.Issuers{Issuers: []fleet.Issuer{
		{Name: "arena", Revocable: true, Keys: []fleet.IssuerKey{
			{Type: fleet.TypeSPKI, Data: f.spki(f.arena), Algorithm: "EdDSA", Formats: []credential.Format{credential.GH1}},
		}},
		{Name: "at", Keys: []fleet.IssuerKey{f.hc1(f.at)}},
		{Name: "de", Keys: []fleet.IssuerKey{f.hc1(f.de)}},
	}})
	layer, err := fleet.LayerOf(&entry.Policy{Accept: []entry.Rule{
		{Name: "day ticket", All: []entry.Clause{{Kind: "ticket", Issuers: []string{"arena"}}}},
	}}, "accept")
	if err != nil {
		f.tb.Fatal(err)
	}
	config := f.sign(fleet.KindConfig, "arena", 1, layer)

	b := &fleet.Bundle{}
	list := fleet.RevocationList{Deltas: e.deltas}
	if e.base != nil {
		blob := fleet.JoinRevocations(e.base)
		list.Base = &fleet.Base{Digest: fleet.DigestOf(blob), Count: uint64(len(blob) / fleet.RevocationSize)}
		b.Blobs = [][]byte{blob}
	}
	for _, s := range e.status {
		l := fleet.StatusList{URI: s.uri, Size: s.size, Flips: fleet.JoinFlips(s.flips)}
		if s.bits != nil {
			l.Base = &fleet.Base{Digest: fleet.DigestOf(s.bits), Count: min(s.size, uint64(len(s.bits))*8)}
			b.Blobs = append(b.Blobs, s.bits)
		}
		list.Lists = append(list.Lists, l)
	}
	revocations := f.sign(fleet.RevocationsOf("arena"), fleet.ScopeAll, e.list, list)
	head := f.sign(fleet.KindHead, "arena", e.head, &fleet.Head{
		FreshUntil: uint64(morning.Add(time.Hour).Unix()), HardAfter: uint64(morning.Add(24 * time.Hour).Unix()),
		Documents: []fleet.Entry{fleet.EntryOf(f.root), fleet.EntryOf(issuers), fleet.EntryOf(config), fleet.EntryOf(revocations)},
	})
	b.Documents = []fleet.Document{f.root, issuers, config, revocations, head}
	return b
}

func (f *testFleet) open(path string) *Trust {
	f.tb.Helper()
	t, err := OpenTrust(path, f.options())
	if err != nil {
		f.tb.Fatal(err)
	}
	f.tb.Cleanup(func() { t.Close() })
	return t
}

func (f *testFleet) options() TrustOptions {
	return TrustOptions{Pin: f.root.Digest(), Place: testPlace}
}

func ticket(cti string) *credential.Pass {
	return &credential.Pass{Format: credential.GH1, Issuer: "arena", ID: []byte(cti), Kind: "ticket"}
}

// indexed is a ticket that names an entry of a status list.
func indexed(cti, uri string, index uint64) *credential.Pass {
	p := ticket(cti)
	p.Status = &credential.StatusRef{Index: index, URI: uri}
	return p
}

func revocationID(cti string) [fleet.RevocationSize]byte {
	return fleet.RevocationID(ticket(cti).RevocationIDs()[0])
}

func ids(ctis ...string) (list [][fleet.RevocationSize]byte) {
	for _, cti := range ctis {
		list = append(list, revocationID(cti))
	}
	return list
}
