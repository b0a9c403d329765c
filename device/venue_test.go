// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/fleet"
)

// venue is a fleet of one venue with one issuer, "arena", whose documents are all signed by one key.
type venue struct {
	tb      testing.TB
	signer  fleet.SigningKey
	public  ed25519.PublicKey
	issuer  credential.SigningKey
	policy  entry.Policy
	down    map[string]uint64
	revoked []string
	base    []byte // of revoked ids, as a blob has them
	signed  time.Time
	version uint64
}

func newVenue(tb testing.TB) *venue {
	tb.Helper()
	v := &venue{tb: tb, signed: time.Now().Add(-time.Minute)}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	v.must(err)
	v.public = public
	v.signer, err = fleet.NewSigningKey(private)
	v.must(err)
	_, private, err = ed25519.GenerateKey(rand.Reader)
	v.must(err)
	v.issuer, err = credential.NewSigningKey("arena", private)
	v.must(err)
	v.policy.Record = &entry.RecordTerms{Deadline: entry.Duration(10 * time.Second)} // a busy machine's disk may take its time
	v.policy.Accept = []entry.Rule{{Name: "day ticket", All: []entry.Clause{{Kind: "ticket", Issuers: []string{"arena"}}}}}
	return v
}

func (v *venue) must(err error) {
	v.tb.Helper()
	if err != nil {
		v.tb.Fatal(err)
	}
}

func (v *venue) sign(kind fleet.Kind, scope fleet.Scope, version uint64, body any) fleet.Document {
	v.tb.Helper()
	d, err := fleet.Sign(kind, scope, version, v.signed, body, v.signer)
	v.must(err)
	return d
}

func (v *venue) rootDocument() fleet.Document {
	role := fleet.Role{Keys: []fleet.KeyID{v.signer.ID()}, Threshold: 1}
	return v.sign(fleet.KindRoot, fleet.ScopeAll, 1, &fleet.Root{
		NotBefore: uint64(v.signed.AddDate(-1, 0, 0).Unix()), NotAfter: uint64(v.signed.AddDate(10, 0, 0).Unix()),
		Keys:  []fleet.RootKey{{Public: v.public}},
		Roles: map[string]fleet.Role{"root": role, "head": role, "issuers": role, "config": role, "revocations": role},
	})
}

func (v *venue) root() fleet.Digest { return v.rootDocument().Digest() }

// bundle signs everything as it is now, each document one version up.
func (v *venue) bundle() []byte {
	v.tb.Helper()
	v.version++
	der, err := x509.MarshalPKIXPublicKey(v.issuer.Signer.Public())
	v.must(err)
	root := v.rootDocument()
	issuers := v.sign(fleet.KindIssuers, fleet.ScopeAll, v.version, fleet.Issuers{Issuers: []fleet.Issuer{{Name: "arena", Revocable: true,
		Keys: []fleet.IssuerKey{{Type: fleet.TypeSPKI, Data: der, Algorithm: "EdDSA", Formats: []credential.Format{credential.GH1}}}}}})
	layer, err := fleet.LayerOf(&v.policy, "accept", "time_zone", "lanes", "record")
	v.must(err)
	config := v.sign(fleet.KindConfig, "arena", v.version, layer)
	ids := make([][fleet.RevocationSize]byte, len(v.revoked))
	for i, id := range v.revoked {
		ids[i] = fleet.RevocationID(id)
	}
	list := fleet.RevocationList{Deltas: []fleet.Delta{{Add: fleet.JoinRevocations(ids)}}}
	if len(ids) == 0 {
		list.Deltas = nil
	}
	var blobs [][]byte
	if v.base != nil {
		list.Base = &fleet.Base{Digest: fleet.DigestOf(v.base), Count: uint64(len(v.base) / fleet.RevocationSize)}
		blobs = [][]byte{v.base}
	}
	revocations := v.sign(fleet.RevocationsOf("arena"), fleet.ScopeAll, v.version, list)
	head := v.sign(fleet.KindHead, "arena", v.version, &fleet.Head{
		FreshUntil: uint64(v.signed.Add(time.Hour).Unix()), HardAfter: uint64(v.signed.AddDate(0, 0, 7).Unix()), Down: v.down,
		Documents: []fleet.Entry{fleet.EntryOf(root), fleet.EntryOf(issuers), fleet.EntryOf(config), fleet.EntryOf(revocations)},
	})
	b := &fleet.Bundle{Documents: []fleet.Document{root, issuers, config, revocations, head}, Blobs: blobs}
	text, err := b.Encode()
	v.must(err)
	return text
}

// revoke withdraws the pass with an id.
func (v *venue) revoke(id []byte) { v.revoked = append(v.revoked, hex.EncodeToString(id)) }
