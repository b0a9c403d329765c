// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"gatehouse/entry"
	"gatehouse/fleet"
)

// The files in testdata were made by earlier versions:
//
//	ledger-first-landing  schema 1, events with links; trust-first-landing beside it
//	ledger-unchained      schema 1 of a few days before, events without links
//
// Either ledger has a start, passes 1 to 5 used up, 6 settled as passed, 7 annulled, 8 open.
func fixture(t *testing.T, name, path string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".db.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return content
}

var firstLedgers = []string{"ledger-first-landing", "ledger-unchained"}

func TestLedgersOfTheFirstLandingOpen(t *testing.T) {
	for _, name := range firstLedgers {
		t.Run(name, func(t *testing.T) {
			path := ledgerPath(t)
			before := fixture(t, name, path)
			l := openLedger(t, path)
			checkFixture(t, l)
			if l.Recovered() != 1 {
				t.Errorf("%d reservations were open, want 1", l.Recovered())
			}
			if chain, err := l.CheckChain(t.Context()); err != nil || chain.First != 1 || chain.Last != 10 {
				t.Errorf("chain %+v, %v", chain, err)
			}
			if kept, err := os.ReadFile(path + ".schema-1"); err != nil || !bytes.Equal(kept, before) {
				t.Errorf("the copy of the former file: %v", err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			os.Remove(path + ".schema-1")
			checkFixture(t, openLedger(t, path)) // of the present schema now
			if left, _ := filepath.Glob(path + ".*"); len(left) != 0 {
				t.Errorf("the second start left %v", left)
			}
		})
	}
}

func checkFixture(t *testing.T, l *Ledger) {
	t.Helper()
	for n, want := range map[uint64]entry.UseState{1: entry.UseCommitted, 5: entry.UseCommitted, 6: entry.UseCommitted, 7: entry.UseAnnulled, 8: entry.UseUncertain} {
		if got := states(t, l, passHash(n)); !slices.Equal(got, []entry.UseState{want}) {
			t.Errorf("pass %d: %v, want %v", n, got, want)
		}
	}
	if err := l.Reserve(t.Context(), admission("in-1"), entry.Use{Pass: passHash(3), Limit: 1, Final: true}); !errors.Is(err, entry.ErrUsed) {
		t.Errorf("a used pass: %v", err)
	}
	events := allEvents(t, l)
	if len(events) < 10 || events[0].Note != "fixture" || events[0].Kind != entry.EventStart || events[9].Of != 9 {
		t.Errorf("events: %+v", events)
	}
	var size uint64
	l.file.view(func(tx *bbolt.Tx) error {
		tail, err := readTail(tx)
		if err != nil {
			t.Error(err)
		}
		size = tail.bytes
		return tx.Bucket(eventBucket).ForEach(func(key, sealed []byte) error { size -= kept(key, sealed); return nil })
	})
	if size != 0 {
		t.Errorf("%d bytes of events are counted that are not there", int64(size))
	}
}

func TestTrustOfTheFirstLandingOpens(t *testing.T) {
	path := trustPath(t)
	fixture(t, "trust-first-landing", path)
	var pin fleet.Digest
	if err := pin.UnmarshalText([]byte("sha256:a909e7c2052227a23afc3fe7006ffc33e16a8b6a2cb178c9dce021de8fa24420")); err != nil {
		t.Fatal(err)
	}
	trust, err := OpenTrust(path, TrustOptions{Pin: pin, Place: testPlace})
	if err != nil {
		t.Fatal(err)
	}
	defer trust.Close()
	if err := trust.SetAside(); err != nil {
		t.Fatalf("it was set aside: %v", err)
	}
	expect(t, believe(t, trust), entry.Revoked, "lost", "stolen")
	expect(t, believe(t, trust), entry.NotRevoked, "mine")
	err = trust.file.view(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
			if strings.HasPrefix(string(name), "over") || string(name) == "revocations" {
				t.Errorf("bucket %q of the former layout is left", name)
			}
			return nil
		})
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path + ".schema-1"); err != nil {
		t.Errorf("no copy of the former file: %v", err)
	}
}

// A migration that is cut off leaves the file as it was, and the next start does it again.
func TestInterruptedMigrationStartsOver(t *testing.T) {
	cut := errors.New("cut off")
	path := ledgerPath(t)
	fixture(t, firstLedgers[1], path)
	f, err := mapFile(path, kindLedger, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.copyFor(1); err != nil {
		t.Fatal(err)
	}
	err = f.update(func(tx *bbolt.Tx) error {
		if err := countEvents(f, tx); err != nil {
			return err
		}
		return cut // instead of the commit
	})
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, cut) {
		t.Fatal(err)
	}
	os.WriteFile(path+".copy", []byte("half a copy"), 0o600)
	os.WriteFile(path+".schema-1", []byte("half a copy of a careless version"), 0o600)
	l := openLedger(t, path)
	checkFixture(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	// And the copy is one that opens.
	if err := os.Rename(path+".schema-1", path); err != nil {
		t.Fatal(err)
	}
	checkFixture(t, openLedger(t, path))
	dropped, err := DropCopies(path)
	if left, _ := filepath.Glob(path + ".*"); err != nil || len(dropped) != 1 || len(left) != 0 {
		t.Errorf("dropped %v, left %v, %v", dropped, left, err)
	}
}

// On a disk with room for one copy, what an interrupted migration left must not keep the next start from a whole one.
func TestMigrationMakesRoomBeforeItCopies(t *testing.T) {
	path := ledgerPath(t)
	fixture(t, firstLedgers[0], path)
	f, err := mapFile(path, kindLedger, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(path+".schema-1", nil, 0o600), os.WriteFile(path+".copy", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	errRoom := errors.New("no room")
	left := func(string) (uint64, error) {
		for _, former := range []string{".schema-1", ".copy"} {
			if _, err := os.Stat(path + former); err == nil {
				return 0, fmt.Errorf("%w: %s is in the way", errRoom, former)
			}
		}
		return 1 << 40, nil
	}
	if err := errors.Join(f.copyInto(1, left), f.close()); err != nil {
		t.Error(err)
	}
}

func TestMigrationOfADamagedLedgerIsRefused(t *testing.T) {
	path := ledgerPath(t)
	fixture(t, firstLedgers[0], path)
	tamper(t, path, func(tx *bbolt.Tx) error {
		return tx.Bucket(eventBucket).Put(eventKey(4), []byte("nothing sealed"))
	})
	if _, err := OpenLedger(path, LedgerOptions{}); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
	if f, err := mapFile(path, kindLedger, 0, false); err != nil {
		t.Error(err)
	} else if v, err := f.readSchema(); errors.Join(err, f.close()) != nil || v != 1 {
		t.Errorf("it was left in schema %d, %v", v, err)
	}
}

// A chain that somebody broke is not mended by a migration.
func TestMigrationKeepsABrokenChainBroken(t *testing.T) {
	path := ledgerPath(t)
	fixture(t, firstLedgers[0], path)
	tamper(t, path, func(tx *bbolt.Tx) error {
		b := tx.Bucket(eventBucket)
		value, err := unseal(eventKey(4), b.Get(eventKey(4)))
		if err != nil {
			return err
		}
		value = slices.Clone(value)
		value[len(value)-1] ^= 1
		return b.Put(eventKey(4), seal(eventKey(4), value))
	})
	if _, err := openLedger(t, path).CheckChain(t.Context()); !errors.Is(err, ErrChain) {
		t.Errorf("got %v", err)
	}
}

func TestSchemaZeroIsDamage(t *testing.T) {
	path := filledLedger(t, 1)
	tamper(t, path, func(tx *bbolt.Tx) error {
		return tx.Bucket(metaBucket).Put(metaSchema, seal(metaSchema, binary.BigEndian.AppendUint32(nil, 0)))
	})
	refused(t, path, ErrDamaged)
}
