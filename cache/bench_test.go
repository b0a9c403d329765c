// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"encoding/binary"
	"errors"
	"path/filepath"
	"strconv"
	"testing"

	"go.etcd.io/bbolt"

	"gatehouse/entry"
	"gatehouse/fleet"
)

// BenchmarkReserve is one admission made durable, beside BenchmarkRawPut, which puts the same bytes into two buckets of
// a bbolt file with one commit.
func BenchmarkReserve(b *testing.B) {
	for _, mode := range []string{"synced", "nosync"} {
		b.Run(mode, func(b *testing.B) {
			l, err := OpenLedger(ledgerPath(b), LedgerOptions{NoSync: mode == "nosync"})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			n := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				n++
				use := entry.Use{Pass: passHash(n), Limit: 1, Final: true}
				if err := l.Reserve(b.Context(), admission("in-1"), use); err != nil {
					b.Fatal(err)
				}
			}
			if l.Commits() != n {
				b.Fatalf("%d commits for %d admissions", l.Commits(), n)
			}
		})
	}
}

func BenchmarkRawPut(b *testing.B) {
	body, err := fleet.EncodeEvent(admission("in-1"))
	if err != nil {
		b.Fatal(err)
	}
	use, err := deterministicCBOR.Marshal(&useRecord{Expires: never, Uses: []useEntry{{Seq: 1, At: morning.UnixMicro(), Lane: "in-1", State: stateCommitted}}})
	if err != nil {
		b.Fatal(err)
	}
	for _, mode := range []string{"synced", "nosync"} {
		b.Run(mode, func(b *testing.B) {
			db, err := bbolt.Open(filepath.Join(b.TempDir(), "raw.db"), 0o600, &bbolt.Options{
				PageSize: pageSize, FreelistType: bbolt.FreelistMapType, InitialMmapSize: initialMap(), NoSync: mode == "nosync",
			})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			err = db.Update(func(tx *bbolt.Tx) error {
				_, err1 := tx.CreateBucket(eventBucket)
				_, err2 := tx.CreateBucket(useBucket)
				return errors.Join(err1, err2)
			})
			if err != nil {
				b.Fatal(err)
			}
			n := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				n++
				err := db.Update(func(tx *bbolt.Tx) error {
					pass, key := passHash(n), binary.BigEndian.AppendUint64(nil, n)
					return errors.Join(
						tx.Bucket(eventBucket).Put(key, seal(key, body)),
						tx.Bucket(useBucket).Put(pass[:], seal(pass[:], use)))
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkApplyMillion(b *testing.B) {
	f := newTestFleet(b)
	list := make([][fleet.RevocationSize]byte, 1_000_000)
	for i := range list {
		list[i] = fleet.RevocationID(strconv.Itoa(i))
	}
	bundle := f.bundle(edition{head: 1, list: 1, base: list})
	for b.Loop() {
		apply(b, f.open(trustPath(b)), bundle)
	}
}

// BenchmarkOpenTrust is a start with no and with a million revocations.
func BenchmarkOpenTrust(b *testing.B) {
	for _, n := range []int{0, 1_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			f := newTestFleet(b)
			list := make([][fleet.RevocationSize]byte, n)
			for i := range list {
				list[i] = fleet.RevocationID(strconv.Itoa(i))
			}
			path := trustPath(b)
			trust := f.open(path)
			apply(b, trust, f.bundle(edition{head: 1, list: 1, base: list}))
			trust.Close()
			for b.Loop() {
				trust, err := OpenTrust(path, f.options())
				if err != nil || trust.SetAside() != nil {
					b.Fatal(err)
				}
				trust.Close()
			}
		})
	}
}
