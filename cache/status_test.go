// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"errors"
	"slices"
	"testing"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/fleet"
)

const statusURI = "https://arena.example/1"

// statusBits are a page and a byte, with entries 1, 7 and that of the last byte revoked.
func statusBits() []byte {
	b := make([]byte, pageBytes+1)
	b[0], b[pageBytes] = 0x82, 0x01
	return b
}

func ask(tb testing.TB, b entry.Belief, p *credential.Pass, want entry.Revocation) {
	tb.Helper()
	if got, err := b.Revoked(p); err != nil || got != want {
		tb.Errorf("index %d of %s: %v, %v; want %v", p.Status.Index, p.Status.URI, got, err, want)
	}
}

func TestStatusListAgainstAMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := openSets(t)
		defer f.close()
		// Both sides of the ends of bytes, pages and the base.
		pages := rapid.IntRange(0, 2).Draw(rt, "pages")
		bits := make([]byte, pages*pageBytes+rapid.SampledFrom([]int{1, 2, pageBytes}).Draw(rt, "rest"))
		size := uint64(len(bits))*8 + 70
		near := rapid.Custom(func(rt *rapid.T) uint64 {
			middle := rapid.SampledFrom([]uint64{0, pageBits, 2 * pageBits, uint64(len(bits)) * 8}).Draw(rt, "near")
			return min(max(middle+rapid.Uint64Range(0, 18).Draw(rt, "at"), 9)-9, size-1)
		})
		want := map[uint64]bool{}
		for _, i := range rapid.SliceOfN(near, 0, 20).Draw(rt, "set") {
			if i < uint64(len(bits))*8 {
				bits[i/8] |= 1 << (i % 8)
				want[i] = true
			}
		}
		l := &bitList{size: size, count: uint64(len(bits)) * 8}
		for _, i := range rapid.SliceOfNDistinct(near, 0, 20, rapid.ID).Draw(rt, "flipped") {
			l.flipped = append(l.flipped, uint32(i))
			want[i] = !want[i]
		}
		slices.Sort(l.flipped)
		ref := blobRef{statusBlob, fleet.DigestOf(bits), bits}
		putBlob(t, f, ref)
		l.base = ref.name()
		err := f.view(func(tx *bbolt.Tx) error {
			for range 60 {
				i := near.Draw(rt, "ask")
				if got, err := l.revoked(tx, i); err != nil || got != want[i] {
					rt.Fatalf("%d of %d: %v, %v; want %v", i, size, got, err, want[i])
				}
			}
			return ref.check(tx)
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}

func TestPassIsAskedByIndexAndByID(t *testing.T) {
	f := newTestFleet(t)
	path := trustPath(t)
	trust := f.open(path)
	const last = pageBits + 7
	apply(t, trust, f.bundle(edition{head: 1, list: 1, base: ids("lost"), status: []statusEdition{
		{uri: "b", size: 100},
		{uri: statusURI, size: last + 100, bits: statusBits(), flips: []uint32{7, 8, last + 50}},
	}}))
	for range 2 {
		b := believe(t, trust)
		for index, want := range map[uint64]entry.Revocation{
			0: entry.NotRevoked, 1: entry.Revoked, 7: entry.NotRevoked, 8: entry.Revoked, 9: entry.NotRevoked,
			pageBits - 1: entry.NotRevoked, pageBits: entry.Revoked, last: entry.NotRevoked,
			last + 1: entry.NotRevoked, last + 50: entry.Revoked, last + 99: entry.NotRevoked,
			last + 100: entry.RevocationUnknown, 1 << 40: entry.RevocationUnknown, 1<<64 - 1: entry.RevocationUnknown,
		} {
			ask(t, b, indexed("other", statusURI, index), want)
			ask(t, b, indexed("lost", statusURI, index), entry.Revoked)
		}
		ask(t, b, indexed("other", "b", 99), entry.NotRevoked)
		ask(t, b, indexed("other", "b", 100), entry.RevocationUnknown)
		ask(t, b, indexed("other", "c", 0), entry.RevocationUnknown)
		// Another issuer's list of the same name says nothing, neither that it is revoked nor that it is not.
		for index := range uint64(2) {
			foreign := indexed("other", statusURI, index)
			foreign.Issuer = "at"
			ask(t, b, foreign, entry.RevocationUnknown)
		}
		trust.Close()
		if trust = f.open(path); trust.SetAside() != nil {
			t.Fatal(trust.SetAside())
		}
	}
}

func TestStatusListsGrowShrinkAndGo(t *testing.T) {
	f := newTestFleet(t)
	path := trustPath(t)
	trust := f.open(path)
	for i, step := range []struct {
		status []statusEdition
		want   map[uint64]entry.Revocation
	}{
		{nil, map[uint64]entry.Revocation{0: entry.RevocationUnknown}},
		{[]statusEdition{{uri: statusURI, size: 8}}, map[uint64]entry.Revocation{1: entry.NotRevoked, 8: entry.RevocationUnknown}},
		{[]statusEdition{{uri: statusURI, size: 8, flips: []uint32{1}}}, map[uint64]entry.Revocation{1: entry.Revoked, 2: entry.NotRevoked}},
		{[]statusEdition{{uri: statusURI, size: 16, bits: []byte{2}, flips: []uint32{1, 9}}}, map[uint64]entry.Revocation{1: entry.NotRevoked, 9: entry.Revoked, 10: entry.NotRevoked}},
		{[]statusEdition{{uri: statusURI, size: 16, bits: []byte{2, 4}}}, map[uint64]entry.Revocation{1: entry.Revoked, 9: entry.NotRevoked, 10: entry.Revoked}},
		{[]statusEdition{{uri: statusURI, size: 8, bits: []byte{2}}}, map[uint64]entry.Revocation{1: entry.Revoked, 9: entry.RevocationUnknown}},
		{nil, map[uint64]entry.Revocation{1: entry.RevocationUnknown}},
		{nil, map[uint64]entry.Revocation{1: entry.RevocationUnknown}},
	} {
		n := uint64(i) + 1
		apply(t, trust, f.bundle(edition{head: n, list: n, status: step.status}))
		for range 2 {
			for index, want := range step.want {
				ask(t, believe(t, trust), indexed("other", statusURI, index), want)
			}
			trust.Close()
			if trust = f.open(path); trust.SetAside() != nil {
				t.Fatalf("step %d: %v", n, trust.SetAside())
			}
		}
	}
	if n := storedBlobs(t, trust); n != 0 {
		t.Errorf("%d bases are stored", n)
	}
}

func TestMissingPartsOfAStatusListAreErrors(t *testing.T) {
	f := openSets(t)
	bits := make([]byte, 3*pageBytes)
	for i := range bits {
		bits[i] = 0xff
	}
	ref := blobRef{statusBlob, fleet.DigestOf(bits), bits}
	putBlob(t, f, ref)
	l := &bitList{size: uint64(len(bits)) * 8, count: uint64(len(bits)) * 8, base: ref.name()}
	change := func(n uint64, with func(page []byte) []byte) func(tx *bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			b := tx.Bucket(l.base)
			return b.Put(pageKey(n), with(slices.Clone(b.Get(pageKey(n)))))
		}
	}
	for name, damage := range map[string]func(*bbolt.Tx) error{
		"all":    func(tx *bbolt.Tx) error { return tx.DeleteBucket(l.base) },
		"first":  func(tx *bbolt.Tx) error { return tx.Bucket(l.base).Delete(pageKey(0)) },
		"middle": func(tx *bbolt.Tx) error { return tx.Bucket(l.base).Delete(pageKey(1)) },
		"last":   func(tx *bbolt.Tx) error { return tx.Bucket(l.base).Delete(pageKey(2)) },
		"bit":    change(1, func(page []byte) []byte { page[100] ^= 1; return page }),
		"cut":    change(1, func(page []byte) []byte { return seal(pageKey(1), page[sealSize:100]) }),
		"moved":  change(2, func([]byte) []byte { return seal(pageKey(1), bits[:pageBytes]) }),
	} {
		tx, err := f.db.Begin(true)
		if err != nil {
			t.Fatal(err)
		}
		if err := damage(tx); err != nil {
			t.Fatal(err)
		}
		failed := false
		for index := uint64(0); index < l.count; index += 8 {
			revoked, err := l.revoked(tx, index)
			if !revoked && err == nil {
				t.Fatalf("%s: entry %d is not revoked any more", name, index)
			}
			failed = failed || err != nil
		}
		if !failed {
			t.Errorf("%s: nobody noticed", name)
		}
		if ref.check(tx) == nil {
			t.Errorf("%s: a start would not notice", name)
		}
		tx.Rollback()
	}
}

func TestDamagedPageFoundByALookupIsAnError(t *testing.T) {
	f := newTestFleet(t)
	trust := f.open(trustPath(t))
	apply(t, trust, f.bundle(edition{head: 1, list: 1, status: []statusEdition{{uri: statusURI, size: pageBits, bits: statusBits()[:pageBytes]}}}))
	err := trust.file.update(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketOf(tx, statusBlob)).Put(pageKey(0), make([]byte, sealSize+pageBytes))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := believe(t, trust).Revoked(indexed("other", statusURI, 1)); !errors.Is(err, ErrDamaged) || got != entry.RevocationUnknown {
		t.Errorf("got %v, %v", got, err)
	}
}
