// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/veraison/go-cose"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/fleet"
)

var (
	morning = time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	place   = fleet.Place{Venue: "arena", Kiosk: "gate-1"}
)

func key(tb testing.TB, label string) fleet.SigningKey {
	tb.Helper()
	seed := sha256.Sum256([]byte(label))
	k, err := fleet.NewSigningKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// model is a whole fleet: three offline keys of which two sign, a key for heads and one for revocations.
type model struct {
	tb   testing.TB
	keys map[string][]fleet.SigningKey // by role
	docs map[string]fleet.Document     // by kind and scope, and "root/1", "root/2", …
}

func newModel(tb testing.TB) *model {
	tb.Helper()
	offline := []fleet.SigningKey{key(tb, "a"), key(tb, "b"), key(tb, "c")}
	m := &model{tb: tb, docs: map[string]fleet.Document{}, keys: map[string][]fleet.SigningKey{
		"root": offline, "issuers": offline, "config": offline,
		"head": {key(tb, "head")}, "revocations": {key(tb, "revocations")},
	}}
	m.root(1, offline[:2]...)
	m.put(fleet.KindIssuers, "all", 1, m.issuers())
	m.put(fleet.KindConfig, "arena", 1, m.layer("day ticket"))
	m.put(fleet.RevocationsOf("arena"), "all", 1, fleet.RevocationList{})
	return m
}

func (m *model) rootBody() *fleet.Root {
	r := &fleet.Root{
		NotBefore: uint64(morning.AddDate(-1, 0, 0).Unix()), NotAfter: uint64(morning.AddDate(10, 0, 0).Unix()),
		Roles: map[string]fleet.Role{},
	}
	listed := map[fleet.KeyID]bool{}
	for _, role := range []string{"root", "issuers", "config", "head", "revocations"} {
		ids := []fleet.KeyID{}
		for _, k := range m.keys[role] {
			ids = append(ids, k.ID())
			if !listed[k.ID()] {
				listed[k.ID()] = true
				r.Keys = append(r.Keys, fleet.RootKey{Public: k.Public()})
			}
		}
		r.Roles[role] = fleet.Role{Keys: ids, Threshold: uint(min(len(ids), 2))}
	}
	return r
}

func (m *model) root(version uint64, signers ...fleet.SigningKey) fleet.Document {
	m.tb.Helper()
	d := m.sign(fleet.KindRoot, "all", version, morning, m.rootBody(), signers...)
	m.docs["root/"+string(rune('0'+version))] = d
	m.docs["root/newest"] = d
	return d
}

func (m *model) sign(kind fleet.Kind, scope fleet.Scope, version uint64, at time.Time, body any, keys ...fleet.SigningKey) fleet.Document {
	m.tb.Helper()
	d, err := fleet.Sign(kind, scope, version, at, body, keys...)
	if err != nil {
		m.tb.Fatal(err)
	}
	return d
}

// put signs with as many of the role's keys as it takes and remembers the document as the one in force.
func (m *model) put(kind fleet.Kind, scope fleet.Scope, version uint64, body any) fleet.Document {
	m.tb.Helper()
	keys := m.keys[kind.Role()]
	d := m.sign(kind, scope, version, morning, body, keys[:min(len(keys), 2)]...)
	m.docs[string(kind)+" "+string(scope)] = d
	return d
}

func (m *model) issuers() fleet.Issuers {
	m.tb.Helper()
	return fleet.Issuers{Issuers: []fleet.Issuer{{Name: "arena", Revocable: true, Keys: []fleet.IssuerKey{m.issuerKey("issuer")}}}}
}

func (m *model) issuerKey(label string) fleet.IssuerKey {
	m.tb.Helper()
	der, err := x509.MarshalPKIXPublicKey(key(m.tb, label).Public())
	if err != nil {
		m.tb.Fatal(err)
	}
	return fleet.IssuerKey{Type: fleet.TypeSPKI, Data: der, Algorithm: "EdDSA", Formats: []credential.Format{credential.GH1}}
}

func policy(rule string) *entry.Policy {
	return &entry.Policy{Accept: []entry.Rule{{Name: rule, All: []entry.Clause{{Kind: "ticket", Issuers: []string{"arena"}}}}}}
}

func (m *model) layer(rule string) fleet.Layer {
	m.tb.Helper()
	l, err := fleet.LayerOf(policy(rule), "accept")
	if err != nil {
		m.tb.Fatal(err)
	}
	return l
}

func (m *model) entries() []fleet.Entry {
	var es []fleet.Entry
	for _, n := range slices.Sorted(maps.Keys(m.docs)) {
		if d := m.docs[n]; n == "root/newest" || d.Kind() != fleet.KindRoot {
			es = append(es, fleet.EntryOf(d))
		}
	}
	return es
}

// head signs a head of these entries, fresh for an hour and hard after a day.
func (m *model) head(sequence uint64, at time.Time, entries []fleet.Entry, keys ...fleet.SigningKey) fleet.Document {
	m.tb.Helper()
	if keys == nil {
		keys = m.keys["head"]
	}
	return m.sign(fleet.KindHead, "arena", sequence, at, &fleet.Head{
		FreshUntil: uint64(at.Add(time.Hour).Unix()), HardAfter: uint64(at.Add(24 * time.Hour).Unix()), Documents: entries,
	}, keys...)
}

// bundle is everything in force under a head of this sequence.
func (m *model) bundle(sequence uint64) *fleet.Bundle {
	m.tb.Helper()
	b := &fleet.Bundle{Documents: []fleet.Document{m.head(sequence, morning.Add(time.Duration(sequence)*time.Minute), m.entries())}}
	for n, d := range m.docs {
		if n != "root/newest" {
			b.Documents = append(b.Documents, d)
		}
	}
	return b
}

func (m *model) known() fleet.Known { return fleet.Known{Pin: m.docs["root/1"].Digest(), Place: place} }

func after(k fleet.Known, u *fleet.Update) fleet.Known {
	k.Documents, k.Marks = u.Documents(), u.Marks()
	return k
}

func (m *model) open(k fleet.Known, b *fleet.Bundle) (*fleet.Update, fleet.Known) {
	m.tb.Helper()
	u, err := fleet.Open(k, b, morning)
	if err != nil {
		m.tb.Fatal(err)
	}
	return u, after(k, u)
}

func (m *model) refused(k fleet.Known, b *fleet.Bundle, want error) {
	m.tb.Helper()
	u, err := fleet.Open(k, b, morning)
	if !errors.Is(err, want) {
		m.tb.Fatalf("got error %v, want %v", err, want)
	}
	if u.Usable() || u != nil {
		m.tb.Fatal("an update beside the error")
	}
}

func docs(ds ...fleet.Document) *fleet.Bundle { return &fleet.Bundle{Documents: ds} }

func versions(u *fleet.Update) map[string]uint64 {
	v := map[string]uint64{}
	for _, x := range u.Terms().Versions {
		v[x.Kind+" "+x.Scope] = x.Version
	}
	return v
}

// signWith makes a signature over any external data, as a signer of another protocol might.
func signWith(tb testing.TB, k fleet.SigningKey, payload, external []byte) []byte {
	tb.Helper()
	for _, label := range []string{"a", "b", "c"} {
		if key(tb, label).ID() != k.ID() {
			continue
		}
		seed := sha256.Sum256([]byte(label))
		s, err := cose.NewSigner(cose.AlgorithmEdDSA, ed25519.NewKeyFromSeed(seed[:]))
		if err != nil {
			tb.Fatal(err)
		}
		id := k.ID()
		msg := cose.UntaggedSign1Message{Payload: payload, Headers: cose.Headers{Protected: cose.ProtectedHeader{
			cose.HeaderLabelAlgorithm: cose.AlgorithmEdDSA, cose.HeaderLabelKeyID: id[:],
		}}}
		if err := msg.Sign(nil, external, s); err != nil {
			tb.Fatal(err)
		}
		msg.Payload = nil
		b, err := msg.MarshalCBOR()
		if err != nil {
			tb.Fatal(err)
		}
		return b
	}
	tb.Fatal("not one of the offline keys")
	return nil
}
