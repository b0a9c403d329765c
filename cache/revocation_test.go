// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"gatehouse/fleet"
)

func openSets(tb testing.TB) *file {
	tb.Helper()
	f, err := openFile(filepath.Join(tb.TempDir(), "trust.db"), kindTrust, true)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { f.close() })
	return f
}

// pack sorts ids and drops what is there twice.
func pack(ids []uint64) []byte {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	var b []byte
	for _, id := range slices.Compact(ids) {
		b = binary.BigEndian.AppendUint64(b, id)
	}
	return b
}

type delta struct{ added, removed []uint64 }

func putBlob(tb testing.TB, f *file, r blobRef) {
	tb.Helper()
	if err := newTrust(f, TrustOptions{}).buildBlob(tb.Context(), r); err != nil {
		tb.Fatal(err)
	}
}

func writeSet(tb testing.TB, f *file, base []uint64, deltas ...delta) *hashSet {
	tb.Helper()
	ids := pack(base)
	ref := blobRef{setBlob, fleet.DigestOf(ids), ids}
	putBlob(tb, f, ref)
	var list fleet.RevocationList
	for _, d := range deltas {
		list.Deltas = append(list.Deltas, fleet.Delta{Add: pack(d.added), Remove: pack(d.removed)})
	}
	return &hashSet{base: ref.name(), overlay: list.Overlay()}
}

func revoked(f *file, set *hashSet, id uint64) (found bool, err error) {
	var key [idSize]byte
	binary.BigEndian.PutUint64(key[:], id)
	err = f.view(func(tx *bbolt.Tx) (err error) {
		found, err = set.revoked(tx, &key)
		return err
	})
	return found, err
}

func TestHashSetAgainstAMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := openSets(t)
		defer f.close()
		// Few different indexes and suffixes, so that neighbours, ends and repeats all come up.
		id := rapid.Custom(func(rt *rapid.T) uint64 {
			index := rapid.SampledFrom([]uint64{0, 1, 2, 0x00FF, 0x0100, 0xFFFE, 0xFFFF}).Draw(rt, "index")
			return index<<48 | rapid.SampledFrom([]uint64{0, 1, 2, 1<<48 - 2, 1<<48 - 1}).Draw(rt, "suffix")
		})
		ids := rapid.SliceOfN(id, 0, 30)
		base := ids.Draw(rt, "base")
		want := map[uint64]bool{}
		for _, id := range base {
			want[id] = true
		}
		var deltas []delta
		for range rapid.IntRange(0, 3).Draw(rt, "deltas") {
			d := delta{removed: ids.Draw(rt, "removed")}
			for _, id := range ids.Draw(rt, "added") {
				if !slices.Contains(d.removed, id) {
					d.added = append(d.added, id)
				}
			}
			for _, id := range d.removed {
				delete(want, id)
			}
			for _, id := range d.added {
				want[id] = true
			}
			deltas = append(deltas, d)
		}
		set := writeSet(t, f, base, deltas...)
		for range 50 {
			ask := id.Draw(rt, "ask")
			if got, err := revoked(f, set, ask); err != nil || got != want[ask] {
				rt.Fatalf("%016x: %v, %v; want %v", ask, got, err, want[ask])
			}
		}
	})
}

func TestMissingPartsOfASetAreErrors(t *testing.T) {
	f := openSets(t)
	set := writeSet(t, f, []uint64{1, 5 << 48, 9 << 48}, delta{added: []uint64{7}})
	for name, damage := range map[string]func(*bbolt.Tx) error{
		"base":  func(tx *bbolt.Tx) error { return tx.DeleteBucket(set.base) },
		"block": func(tx *bbolt.Tx) error { return tx.Bucket(set.base).Delete([]byte{0, 5}) },
		"last":  func(tx *bbolt.Tx) error { return tx.Bucket(set.base).Delete([]byte{0, 9}) },
		"flip": func(tx *bbolt.Tx) error {
			b := tx.Bucket(set.base)
			v := slices.Clone(b.Get([]byte{0, 5}))
			v[len(v)-1] ^= 1
			return b.Put([]byte{0, 5}, v)
		},
	} {
		tx, err := f.db.Begin(true)
		if err != nil {
			t.Fatal(err)
		}
		if err := damage(tx); err != nil {
			t.Fatal(err)
		}
		failed := false
		for _, id := range []uint64{5 << 48, 9 << 48} {
			var key [idSize]byte
			binary.BigEndian.PutUint64(key[:], id)
			found, err := set.revoked(tx, &key)
			if !found && err == nil {
				t.Errorf("%s: %016x is not revoked any more", name, id)
			}
			failed = failed || err != nil
		}
		if !failed {
			t.Errorf("%s: nobody noticed", name)
		}
		tx.Rollback()
	}
}

// Whatever happens to one page, a revoked id is never found unrevoked, nor another one revoked.
func TestDamagedPageNeverUnrevokes(t *testing.T) {
	f := openSets(t)
	r := rand.New(rand.NewPCG(1, 2))
	base := make([]uint64, 3000)
	for i := range base {
		base[i] = r.Uint64()
	}
	added := []uint64{11, 12, 13}
	set := writeSet(t, f, base, delta{added: added})
	path := f.path
	f.close()
	eachDamage(t, path, 40, func(t *testing.T, path string) {
		f, err := openFile(path, kindTrust, true)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("open: %v", err)
			}
			return
		}
		defer f.close()
		for _, id := range append(added, base[:600]...) {
			if found, err := revoked(f, set, id); err == nil && !found {
				t.Errorf("%016x is not revoked any more", id)
			}
			if found, err := revoked(f, set, id^1<<20); err == nil && found {
				t.Errorf("%016x became revoked", id^1<<20)
			}
		}
	})
}

func BenchmarkRevoked(b *testing.B) {
	const million = 1_000_000
	r := rand.New(rand.NewPCG(1, 2))
	ids := make([]uint64, million)
	for i := range ids {
		ids[i] = r.Uint64()
	}
	for _, deltas := range []int{0, 1, 1024} {
		f := openSets(b)
		list := make([]delta, deltas)
		for i := range list {
			list[i].added = []uint64{r.Uint64()}
		}
		set := writeSet(b, f, ids, list...)
		for _, what := range []string{"absent", "present"} {
			b.Run(fmt.Sprintf("1M/deltas=%d/%s", deltas, what), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					id := r.Uint64()
					if what == "present" {
						id = ids[i%million]
					}
					if found, err := revoked(f, set, id); err != nil || found != (what == "present") {
						b.Fatal(found, err)
					}
				}
			})
		}
		f.close()
	}
	b.Run("view", func(b *testing.B) {
		f := openSets(b)
		b.ReportAllocs()
		for b.Loop() {
			f.view(func(*bbolt.Tx) error { return nil })
		}
	})
}

func BenchmarkWriteBase(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	ids := make([]uint64, 1_000_000)
	for i := range ids {
		ids[i] = r.Uint64()
	}
	packed := pack(ids)
	for b.Loop() {
		f, err := openFile(filepath.Join(b.TempDir(), "trust.db"), kindTrust, false)
		if err != nil {
			b.Fatal(err)
		}
		putBlob(b, f, blobRef{setBlob, fleet.DigestOf(packed), packed})
		f.close()
	}
}
