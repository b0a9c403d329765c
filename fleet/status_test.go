// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet_test

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"pgregory.net/rapid"

	"gatehouse/fleet"
)

const statusURI = "https://arena.example/1"

func TestStatusList(t *testing.T) {
	m := newModel(t)
	bits := []byte{0b1001_0001, 0b0000_0001}
	base := &fleet.Base{Digest: fleet.DigestOf(bits), Count: 9}
	flips := []uint32{299, 7, 0, 128, 128}
	m.put(fleet.RevocationsOf("arena"), "all", 2, fleet.RevocationList{Lists: []fleet.StatusList{
		{URI: "a", Size: 1},
		{URI: statusURI, Size: 300, Base: base, Flips: fleet.JoinFlips(flips)},
	}})
	b := m.bundle(1)
	m.refused(m.known(), b, fleet.ErrIncomplete)
	b.Blobs = [][]byte{bits}
	u, k := m.open(m.known(), b)
	lists := u.Revocations()[0].Lists
	if len(lists) != 2 || lists[0].URI != "a" || lists[0].Blob != nil || lists[0].Flipped != nil {
		t.Fatalf("lists %+v", lists)
	}
	if l := lists[1]; !bytes.Equal(l.Blob, bits) || !reflect.DeepEqual(l.Base, base) || l.Size != 300 || !slices.Equal(l.Flipped, []uint32{0, 7, 128, 299}) {
		t.Errorf("list %+v", l)
	}
	k.Blobs = []fleet.Digest{base.Digest}
	if u, _ = m.open(k, nil); u.Revocations()[0].Lists[1].Blob != nil || u.Revocations()[0].Lists[1].Base == nil {
		t.Errorf("from the store: %+v", u.Revocations()[0])
	}
}

func TestStatusListsRefused(t *testing.T) {
	bits := []byte{0xff, 0x01}
	base := func(count uint64) *fleet.Base { return &fleet.Base{Digest: fleet.DigestOf(bits), Count: count} }
	good := fleet.StatusList{URI: "a", Size: 9, Base: base(9), Flips: []byte{8}}
	many := make([]fleet.StatusList, 65)
	for i := range many {
		many[i] = fleet.StatusList{URI: fmt.Sprintf("%02d", i), Size: 1}
	}
	change := func(with func(*fleet.StatusList)) []fleet.StatusList {
		l := good
		with(&l)
		return []fleet.StatusList{l}
	}
	for name, lists := range map[string][]fleet.StatusList{
		"no URI":               change(func(l *fleet.StatusList) { l.URI = "" }),
		"a long URI":           change(func(l *fleet.StatusList) { l.URI = string(bytes.Repeat([]byte("a"), 257)) }),
		"no entries":           change(func(l *fleet.StatusList) { l.Size = 0 }),
		"too many entries":     change(func(l *fleet.StatusList) { l.Size = fleet.MaxStatusEntries + 1 }),
		"an empty base":        change(func(l *fleet.StatusList) { l.Base = base(0) }),
		"a base beyond it":     change(func(l *fleet.StatusList) { l.Size = 8 }),
		"a base miscounted":    change(func(l *fleet.StatusList) { l.Base, l.Size = base(17), 17 }),
		"bits behind the last": change(func(l *fleet.StatusList) { l.Base = &fleet.Base{Digest: fleet.DigestOf([]byte{0, 2}), Count: 9} }),
		"a flip beyond it":     change(func(l *fleet.StatusList) { l.Flips = []byte{9} }),
		"a second flip beyond": change(func(l *fleet.StatusList) { l.Flips = []byte{8, 0} }),
		"a flip cut short":     change(func(l *fleet.StatusList) { l.Flips = []byte{0x81} }),
		"a flip written long":  change(func(l *fleet.StatusList) { l.Flips = []byte{0x81, 0} }),
		"a flip too large":     change(func(l *fleet.StatusList) { l.Flips = bytes.Repeat([]byte{0xff}, 11) }),
		"a flip that wraps": change(func(l *fleet.StatusList) {
			l.Flips = []byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}
		}),
		"too much within": change(func(l *fleet.StatusList) { l.Size, l.Flips = 1<<20, make([]byte, 8193) }),
		"one URI twice":   {good, good},
		"out of order":    {{URI: "b", Size: 1}, good},
		"too many":        many,
	} {
		t.Run(name, func(t *testing.T) {
			m := newModel(t)
			_, k := m.open(m.known(), m.bundle(1))
			m.put(fleet.RevocationsOf("arena"), "all", 2, fleet.RevocationList{Lists: lists})
			b := m.bundle(2)
			b.Blobs = [][]byte{bits, {0, 2}}
			m.refused(k, b, fleet.ErrMalformed)
		})
	}
	m := newModel(t)
	m.put(fleet.RevocationsOf("arena"), "all", 2, fleet.RevocationList{Lists: []fleet.StatusList{good}})
	b := m.bundle(1)
	b.Blobs = [][]byte{bits}
	m.open(m.known(), b) // the one that all of these were made from
}

// Ids and flips share one bound.
func TestDeltasAndFlipsShareTheirBound(t *testing.T) {
	m := newModel(t)
	ids := longIDs()[:4096]
	m.put(fleet.RevocationsOf("arena"), "all", 2, fleet.RevocationList{
		Deltas: []fleet.Delta{{Add: ids}}, Lists: []fleet.StatusList{{URI: "a", Size: 1 << 20, Flips: make([]byte, 4096)}},
	})
	_, k := m.open(m.known(), m.bundle(1))
	m.put(fleet.RevocationsOf("arena"), "all", 3, fleet.RevocationList{
		Deltas: []fleet.Delta{{Add: ids}}, Lists: []fleet.StatusList{{URI: "a", Size: 1 << 20, Flips: make([]byte, 4097)}},
	})
	m.refused(k, m.bundle(2), fleet.ErrMalformed)
}

// The overlay says what the deltas say one after the other.
func TestOverlayAgainstTheDeltasInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ids := rapid.SliceOfN(rapid.Byte(), 0, 6)
		var l fleet.RevocationList
		want := map[byte]bool{}
		for range rapid.IntRange(0, 6).Draw(rt, "deltas") {
			add, remove := ids.Draw(rt, "add"), ids.Draw(rt, "remove")
			for _, id := range remove {
				want[id%8] = false
			}
			for _, id := range add {
				want[id%8] = true
			}
			l.Deltas = append(l.Deltas, fleet.Delta{Add: joinSmall(add), Remove: joinSmall(remove)})
		}
		var add, remove []byte
		for id, revoked := range want {
			if revoked {
				add = append(add, id)
			} else {
				remove = append(remove, id)
			}
		}
		if o := l.Overlay(); !bytes.Equal(o.Add, joinSmall(add)) || !bytes.Equal(o.Remove, joinSmall(remove)) {
			rt.Fatalf("%v\nfolds to %v", l.Deltas, o)
		}
	})
}

func joinSmall(ids []byte) []byte {
	var list [][fleet.RevocationSize]byte
	for _, id := range ids {
		list = append(list, [fleet.RevocationSize]byte{id % 8})
	}
	return fleet.JoinRevocations(list)
}

// FuzzRevocations signs what comes as a manifest: what is taken is within its bounds, and what was written is read again.
func FuzzRevocations(f *testing.F) {
	m := newModel(f)
	_, known := m.open(m.known(), m.bundle(1))
	bits := []byte{0x11, 0x01}
	seeds := map[string]any{
		"none": fleet.RevocationList{},
		"both": fleet.RevocationList{
			Deltas: []fleet.Delta{{Add: []byte("aaaaaaaabbbbbbbb")}, {Remove: []byte("bbbbbbbb")}},
			Lists:  []fleet.StatusList{{URI: statusURI, Size: 1 << 20, Base: &fleet.Base{Digest: fleet.DigestOf(bits), Count: 9}, Flips: fleet.JoinFlips([]uint32{0, 500, 1<<20 - 1})}},
		},
	}
	for _, name := range slices.Sorted(maps.Keys(seeds)) {
		body, err := cbor.Marshal(seeds[name])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := fleet.Sign(fleet.RevocationsOf("arena"), fleet.ScopeAll, 2, morning, cbor.RawMessage(body), m.keys["revocations"]...)
		if err != nil {
			return
		}
		var entries []fleet.Entry
		for _, e := range m.entries() {
			if e.Kind != fleet.RevocationsOf("arena") {
				entries = append(entries, e)
			}
		}
		m := *m
		m.tb = t
		b := docs(d, m.head(2, morning, append(entries, fleet.EntryOf(d))))
		b.Blobs = [][]byte{bits}
		u, err := fleet.Open(known, b, time.Time{})
		if err != nil {
			return
		}
		r := u.Revocations()[0]
		if len(r.Overlay.Add)+len(r.Overlay.Remove) > 8192 {
			t.Fatalf("an overlay of %d and %d bytes", len(r.Overlay.Add), len(r.Overlay.Remove))
		}
		l, err := fleet.ReadRevocations(d)
		if err != nil || len(l.Lists) != len(r.Lists) {
			t.Fatal(err)
		}
		for i, s := range r.Lists {
			if !slices.IsSorted(s.Flipped) || len(s.Flipped) > 8192 || len(s.Flipped) > 0 && uint64(s.Flipped[len(s.Flipped)-1]) >= s.Size {
				t.Fatalf("flips %v of %d", s.Flipped, s.Size)
			}
			if !bytes.Equal(fleet.JoinFlips(s.Flipped), l.Lists[i].Flips) {
				t.Fatalf("a second way to write %v", s.Flipped)
			}
		}
	})
}
