// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/fleet"
)

// rubbish is what a broker can put beside good documents: signed by nobody, by others, for others, too old, too new.
func rubbish(m *model) []fleet.Document {
	thief := key(m.tb, "thief")
	far := fleet.Place{Venue: "stadium"}
	return []fleet.Document{
		m.sign(fleet.KindConfig, "arena", 9, morning, m.layer("forged"), thief),
		m.sign(fleet.KindHead, "arena", 1000, morning, &fleet.Head{FreshUntil: maxTime, HardAfter: maxTime}, thief),
		m.sign(fleet.KindHead, fleet.Scope(far.Venue), 7, morning, &fleet.Head{FreshUntil: maxTime, HardAfter: maxTime}, m.keys["head"]...),
		m.sign(fleet.KindHead, "arena", 2000, morning.AddDate(1, 0, 0), &fleet.Head{FreshUntil: maxTime, HardAfter: maxTime}, m.keys["head"]...),
		m.sign(fleet.KindRoot, "all", 2, morning, m.rootBody(), thief),
		m.sign(fleet.KindRoot, "all", 7, morning, m.rootBody(), m.keys["root"]...),
		m.sign(fleet.KindConfig, "arena", 4, morning, m.layer("signed, and named by no head"), m.keys["config"][:2]...),
	}
}

const maxTime = 253402300799

func TestSelectFindsWhatBelongsTogether(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := newModel(t)
		whole := m.bundle(3).Documents
		if rapid.Bool().Draw(r, "rotated") {
			m.root(2, m.keys["root"][:2]...)
			whole = m.bundle(4).Documents
		}
		heap := append(rubbish(m), whole...)
		rand.Shuffle(len(heap), func(i, j int) { heap[i], heap[j] = heap[j], heap[i] })
		if m.docs["root/2"].Version() == 2 { // a forged second root must not be taken for a fork
			heap = append(heap, m.docs["root/2"])
		}
		want, _ := m.open(m.known(), &fleet.Bundle{Documents: whole})
		b := fleet.Select(m.known(), heap, morning)
		if b == nil {
			r.Fatal("nothing was picked")
		}
		got, known := m.open(m.known(), b)
		if len(b.Documents) != len(whole) || len(got.Marks()) != len(want.Marks()) {
			r.Fatalf("%d documents of %d were picked: %v", len(b.Documents), len(whole), b.Documents)
		}
		if again := fleet.Select(known, heap, morning); again != nil {
			r.Fatalf("of what is known already, these are new: %v", again.Documents)
		}
	})
}

func TestSelectWithoutARoot(t *testing.T) {
	m := newModel(t)
	if b := fleet.Select(m.known(), []fleet.Document{m.docs["config arena"], m.head(1, morning, m.entries())}, time.Time{}); b != nil {
		t.Errorf("without the pinned root: %v", b.Documents)
	}
}

func TestWhatIsMissingIsTold(t *testing.T) {
	m := newModel(t)
	blob := fleet.JoinRevocations([][8]byte{fleet.RevocationID("a"), fleet.RevocationID("b")})
	base := fleet.BaseOf(blob, 2)
	m.put(fleet.RevocationsOf("arena"), "all", 2, fleet.RevocationList{Base: base})
	without := m.bundle(1)
	var part []fleet.Document
	for _, d := range without.Documents {
		if d.Kind() != fleet.KindConfig {
			part = append(part, d)
		}
	}
	_, err := fleet.Open(m.known(), &fleet.Bundle{Documents: part}, morning)
	var incomplete *fleet.IncompleteError
	if !errors.As(err, &incomplete) || !errors.Is(err, fleet.ErrIncomplete) {
		t.Fatalf("got %v", err)
	}
	if w := incomplete.Missing; len(w.Documents) != 1 || w.Documents[0].Kind != fleet.KindConfig || len(w.Blobs) != 1 || w.Blobs[0].Base.Digest != base.Digest || w.Blobs[0].Size != 16 {
		t.Errorf("missing %+v", w)
	}
	without.Blobs = [][]byte{blob}
	u, known := m.open(m.known(), without)
	if w := u.Missing(); len(w.Documents)+len(w.Blobs) != 0 {
		t.Errorf("missing of what is whole: %+v", w)
	}
	known.Blobs = []fleet.Digest{base.Digest}
	m.put(fleet.KindConfig, "arena", 2, m.layer("night ticket"))
	u, _ = m.open(known, docs(m.head(2, morning, m.entries())))
	if w := u.Missing(); len(w.Documents) != 1 || w.Documents[0].Version != 2 {
		t.Errorf("missing of a newer head: %+v", w)
	}
}

func TestBlocksAreAsManyAsTheBlobHas(t *testing.T) {
	m := newModel(t)
	blob := fleet.JoinRevocations([][8]byte{fleet.RevocationID("a")})
	for _, blocks := range [][]fleet.Digest{make([]fleet.Digest, 2), make([]fleet.Digest, 3)} {
		base := fleet.BaseOf(blob, 1)
		base.Blocks = blocks
		d := m.sign(fleet.RevocationsOf("arena"), "all", 2, morning, fleet.RevocationList{Base: base})
		if _, err := fleet.ReadRevocations(d); !errors.Is(err, fleet.ErrMalformed) {
			t.Errorf("%d blocks of a blob of 8 bytes: %v", len(blocks), err)
		}
	}
	if n := len(fleet.BaseOf(make([]byte, fleet.BlockSize+1), 0).Blocks); n != 2 {
		t.Errorf("%d blocks of one byte more than one has", n)
	}
}
