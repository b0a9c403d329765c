// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"gatehouse/fleet"
)

// FuzzBundle holds the promise of the package: whatever a bundle says, nothing is in force that the keys of the pinned
// root did not sign.
func FuzzBundle(f *testing.F) {
	m := newModel(f)
	signed := map[fleet.Digest]bool{}
	seed := func(b *fleet.Bundle) {
		for _, d := range b.Documents {
			signed[d.Digest()] = true
		}
		data, err := b.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	first := m.bundle(1)
	u, known := m.open(m.known(), first)
	if !u.Usable() {
		f.Fatal("the model's own bundle is refused")
	}
	seed(first)
	seed(docs(m.head(2, morning, m.entries())))
	m.put(fleet.KindConfig, "arena", 2, m.layer("night ticket"))
	m.root(2, m.keys["root"][:2]...)
	seed(m.bundle(3))
	f.Add([]byte("GH1:"))

	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := fleet.DecodeBundle(data)
		if err != nil {
			return
		}
		for _, k := range []fleet.Known{m.known(), known} {
			u, err := fleet.Open(k, b, time.Time{})
			if err != nil {
				continue
			}
			for _, d := range u.Documents() {
				if !signed[d.Digest()] {
					t.Fatalf("in force, and nobody signed it: %s", d)
				}
			}
			if _, err := fleet.Open(after(k, u), nil, time.Time{}); err != nil {
				t.Fatalf("what is to be kept does not open: %v", err)
			}
		}
	})
}

// FuzzDocument holds that a document has one encoding, and that without the keys none replaces the one in force.
func FuzzDocument(f *testing.F) {
	m := newModel(f)
	_, known := m.open(m.known(), m.bundle(1))
	for _, d := range m.docs {
		f.Add(d.Bytes())
	}
	head := m.head(2, morning, m.entries())
	f.Add(head.Bytes())
	genuine := map[fleet.Digest]bool{head.Digest(): true}
	for _, d := range known.Documents {
		genuine[d.Digest()] = true
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := fleet.ParseDocument(data)
		if err != nil {
			return
		}
		var r raw
		if err := cbor.Unmarshal(d.Bytes(), &r); err != nil {
			t.Fatalf("an envelope that another decoder refuses: %v", err)
		}
		again, err := fleet.Sign(d.Kind(), d.Scope(), d.Version(), d.Issued(), cbor.RawMessage(d.Body()))
		if err != nil || again.Digest() != d.Digest() || !bytes.Equal(take(t, again).Payload, r.Payload) {
			t.Fatalf("a second encoding of %s (%v)", d, err)
		}
		u, err := fleet.Open(known, docs(d), time.Time{})
		if err == nil && !genuine[d.Digest()] {
			t.Fatalf("nobody signed %s, and it was taken: %v", d, u.Changed())
		}
	})
}

// FuzzConfig signs what comes: rightly signed nonsense is refused or valid, and never half of it.
func FuzzConfig(f *testing.F) {
	m := newModel(f)
	_, known := m.open(m.known(), m.bundle(1))
	f.Add([]byte(m.docs["config arena"].Body()))
	f.Add([]byte{0xa0})
	f.Add([]byte("\xa1\x69withdrawn\xf5"))
	f.Add([]byte{0xa1, 0x66, 'a', 'c', 'c', 'e', 'p', 't', 0xf6})
	for _, body := range []any{
		map[string]any{"lanes": map[string]any{"in-1": map[string]any{"pulse": "500ms", "zone": "north"}}, "private": []string{"staff"}},
		map[string]any{"accept": []any{map[string]any{"name": "x", "all": []any{map[string]any{"kind": "health", "issuers": []string{"at"}, "level": []string{"negative"}, "uses": 2}}}}},
	} {
		b, err := cbor.Marshal(body)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := fleet.Sign(fleet.KindConfig, "arena", 2, morning, cbor.RawMessage(body), m.keys["config"][:2]...)
		if err != nil {
			return
		}
		var entries []fleet.Entry
		for _, e := range m.entries() {
			if e.Kind != fleet.KindConfig {
				entries = append(entries, e)
			}
		}
		m := *m
		m.tb = t
		u, err := fleet.Open(known, docs(d, m.head(2, morning, append(entries, fleet.EntryOf(d)))), time.Time{})
		if err != nil {
			return
		}
		if err := u.Terms().Policy.Validate(); err != nil {
			t.Fatalf("a policy in force that is not valid: %v", err)
		}
	})
}

// FuzzJoin brings copies of a root that waits, as somebody hands them over: with whatever they add, the root follows
// only by the keys that were meant to sign it.
func FuzzJoin(f *testing.F) {
	m := newModel(f)
	first := m.docs["root/1"]
	waits := m.root(2, m.keys["root"][0])
	for _, keys := range [][]fleet.SigningKey{{m.keys["root"][0]}, {m.keys["head"][0]}, {key(f, "thief"), key(f, "another")}, nil} {
		f.Add(m.root(2, keys...).Bytes())
	}
	f.Add(first.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		other, err := fleet.ParseDocument(data)
		if err != nil {
			return
		}
		joined, err := waits.Join(other)
		if err != nil {
			return
		}
		if joined.Digest() != waits.Digest() {
			t.Fatal("a copy changed what the root says")
		}
		if err := fleet.Succeeds(first, joined); err == nil {
			t.Fatal("the root follows with one signature")
		}
	})
}
