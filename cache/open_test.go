// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"gatehouse/entry"
)

// asRoot skips what the superuser may do anyway.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		t.Skip("the superuser may read and write any file")
	}
}

// filledLedger returns the path of a closed ledger with n used passes.
func filledLedger(t *testing.T, n uint64) string {
	t.Helper()
	path := ledgerPath(t)
	l, err := OpenLedger(path, LedgerOptions{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := l.Reserve(t.Context(), admission("in-1"), entry.Use{Pass: passHash(i), Limit: 1, Final: true}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// refused checks the error of a ledger that must stay shut and as it is.
func refused(t *testing.T, path string, want error) {
	t.Helper()
	before, _ := os.ReadFile(path)
	l, err := OpenLedger(path, LedgerOptions{})
	if err == nil {
		l.Close()
		t.Fatal("it was opened")
	}
	if !errors.Is(err, want) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %q, want %q with the path", err, want)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("the file was changed")
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) != 0 {
		t.Errorf("beside it lie %v", left)
	}
}

func TestCreatedFileIsPrivateAndNothingLiesBesideIt(t *testing.T) {
	path := ledgerPath(t)
	os.WriteFile(path+".new", []byte("left by a power cut"), 0o600)
	openLedger(t, path)
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := os.Stat(path + ".new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the draft is still there: %v", err)
	}
}

func TestFileInUseSaysWhomToAsk(t *testing.T) {
	path := ledgerPath(t)
	openLedger(t, path)
	_, err := OpenLedger(path, LedgerOptions{})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "gatehouse status") {
		t.Errorf("got %v", err)
	}
}

func TestFileThatMayNotBeWritten(t *testing.T) {
	path := filledLedger(t, 1)
	os.Chmod(path, 0o400)
	asRoot(t)
	refused(t, path, fs.ErrPermission)
}

func TestDirectoryMissingSaysHowToMakeIt(t *testing.T) {
	_, err := OpenLedger(filepath.Join(t.TempDir(), "no", "ledger.db"), LedgerOptions{})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "install -d") {
		t.Errorf("got %v", err)
	}
}

func TestDirectoryInItsPlace(t *testing.T) {
	if l, err := OpenLedger(t.TempDir(), LedgerOptions{}); err == nil {
		l.Close()
		t.Error("a directory was opened as a ledger")
	}
}

func TestDamagedLedgerIsRefusedAndLeftAsItIs(t *testing.T) {
	whole, err := os.ReadFile(filledLedger(t, 300))
	if err != nil {
		t.Fatal(err)
	}
	garbage := make([]byte, 64<<10)
	for i := range garbage {
		garbage[i] = byte(i * 7)
	}
	cases := map[string][]byte{
		"empty":        {},
		"garbage":      garbage,
		"zeroes":       make([]byte, len(whole)),
		"a few bytes":  whole[:100],
		"two pages":    whole[:2*pageSize],
		"three pages":  whole[:3*pageSize],
		"twelve pages": whole[:12*pageSize],
	}
	for name, content := range cases {
		t.Run(name, func(t *testing.T) {
			path := ledgerPath(t)
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, path, ErrDamaged)
			// The lock of the failed attempt is gone: the second answer is the same, not "in use".
			refused(t, path, ErrDamaged)
		})
	}
}

func TestTrustFileIsNoLedger(t *testing.T) {
	path := ledgerPath(t)
	f, err := openFile(path, kindTrust, false)
	if err != nil {
		t.Fatal(err)
	}
	f.close()
	refused(t, path, ErrDamaged)
}

func TestForeignDatabaseIsNoLedger(t *testing.T) {
	path := ledgerPath(t)
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	refused(t, path, ErrDamaged)
}

func TestNewerSchemaIsRefused(t *testing.T) {
	path := filledLedger(t, 1)
	setSchema(t, path, 1000)
	refused(t, path, ErrNewerSchema)
}

// setSchema makes a file look as if another version had written it.
func setSchema(t *testing.T, path string, schema uint32) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(metaBucket).Put(metaSchema, seal(metaSchema, binary.BigEndian.AppendUint32(nil, schema)))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// damages are what a failing card does to a file.
var damages = map[string]func(page []byte, r *rand.Rand){
	"bit":  func(page []byte, r *rand.Rand) { page[r.IntN(len(page))] ^= 1 << r.IntN(8) },
	"byte": func(page []byte, r *rand.Rand) { page[r.IntN(len(page))] ^= byte(1 + r.IntN(255)) },
	"zero": func(page []byte, r *rand.Rand) { clear(page) },
	"ones": func(page []byte, r *rand.Rand) {
		for i := range page {
			page[i] = 0xFF
		}
	},
	"noise": func(page []byte, r *rand.Rand) {
		for i := range page {
			page[i] = byte(r.Uint32())
		}
	},
}

// eachDamage calls try with copies of a file that are damaged in one place each.
func eachDamage(t *testing.T, path string, rounds int, try func(t *testing.T, path string)) {
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pages := usedPages(t, path)
	whole = whole[:pages*pageSize] // bbolt grows a file ahead of what is in it
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(rounds) {
				r := rand.New(rand.NewPCG(seed, 1))
				copied := append([]byte(nil), whole...)
				at := r.IntN(pages) * pageSize
				damage(copied[at:at+pageSize], r)
				path := filepath.Join(t.TempDir(), filepath.Base(path))
				if err := os.WriteFile(path, copied, 0o600); err != nil {
					t.Fatal(err)
				}
				try(t, path)
				if t.Failed() {
					t.Fatalf("seed %d, page %d", seed, at/pageSize)
				}
				os.Remove(path)
			}
		})
	}
}

func usedPages(t *testing.T, path string) (pages int) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.View(func(tx *bbolt.Tx) error { pages = int(tx.Size() / pageSize); return nil })
	return pages
}

// Whatever happens to one page, a used pass is never taken for an unused one: it is used, or nothing can be said. That
// holds after more was written and pruned as well, and nothing of it panics.
func TestDamagedPageNeverMakesAUsedPassUnused(t *testing.T) {
	const passes = 400
	eachDamage(t, filledLedger(t, passes), 60, func(t *testing.T, path string) {
		l, err := OpenLedger(path, LedgerOptions{NoSync: true})
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("open: %v", err)
			}
			return
		}
		defer l.Close()
		stillUsed(t, l, passes)
		err = l.Reserve(t.Context(), admission("in-1"), entry.Use{Pass: passHash(7), Limit: 1})
		if !errors.Is(err, entry.ErrUsed) && !errors.Is(err, ErrDamaged) {
			t.Errorf("reserve: %v", err)
		}
		if _, err := l.CheckChain(t.Context()); err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrChain) {
			t.Errorf("the chain: %v", err)
		}
		for n := range uint64(20) { // onto pages that a damaged list of free ones may name
			err := l.Reserve(t.Context(), admission("in-1"), entry.Use{Pass: passHash(passes + n), Limit: 1, Final: true})
			if err != nil && !errors.Is(err, ErrDamaged) {
				t.Errorf("reserve another: %v", err)
			}
		}
		if _, err := l.Prune(t.Context(), Retention{Bytes: 1 << 14, From: passes, Expired: morning}); err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrChain) {
			t.Errorf("prune: %v", err)
		}
		stillUsed(t, l, passes)
	})
}

func stillUsed(t *testing.T, l *Ledger, passes uint64) {
	t.Helper()
	for i := range passes {
		past, err := l.Uses(passHash(i))
		if err == nil && len(past) != 1 {
			t.Errorf("pass %d became unused", i)
		}
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("pass %d: %v", i, err)
		}
	}
}

func TestSetAsideKeepsAFew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trust.db")
	for range maxAside + 2 {
		os.WriteFile(path, []byte("damaged"), 0o600)
		if _, err := setAside(path); err != nil {
			t.Fatal(err)
		}
	}
	if left, _ := filepath.Glob(path + "*"); len(left) != maxAside || left[0] != path+".corrupt-1" {
		t.Errorf("left are %v", left)
	}
}
