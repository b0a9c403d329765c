// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// unchanged holds what is in a folder to what it was.
func unchanged(t *testing.T, dir string) (check func()) {
	t.Helper()
	read := func() map[string][]byte {
		all := map[string][]byte{}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			b, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			all[e.Name()] = b
		}
		return all
	}
	before := read()
	return func() {
		t.Helper()
		after := read()
		if len(before) != len(after) {
			t.Errorf("%d files became %d", len(before), len(after))
		}
		for name, text := range before {
			if !bytes.Equal(text, after[name]) {
				t.Errorf("%s was changed", name)
			}
		}
	}
}

// clearFreelists clears the pages that either meta page calls its freelist.
func clearFreelists(file []byte) []byte {
	for meta := range 2 {
		page := binary.LittleEndian.Uint64(file[meta*pageSize+metaOffset+32:])
		clear(file[page*pageSize : (page+1)*pageSize])
	}
	return file
}

func TestInspectLedgerTellsAndChangesNothing(t *testing.T) {
	path := filledLedger(t, 20)
	for name, tc := range map[string]struct {
		spoil func([]byte) []byte
		kept  Kept
		want  error
	}{
		"whole":       {func(b []byte) []byte { return b }, Kept{}, nil},
		"another one": {func(b []byte) []byte { return b }, Kept{ID: "another"}, ErrChain},
		"cut":         {func(b []byte) []byte { return b[:2*pageSize+100] }, Kept{}, ErrDamaged},
		"empty":       {func([]byte) []byte { return nil }, Kept{}, ErrDamaged},
		"garbage":     {func(b []byte) []byte { return bytes.Repeat([]byte("x"), len(b)) }, Kept{}, ErrDamaged},
		"no freelist": {clearFreelists, Kept{}, ErrDamaged},
	} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		spoiled := filepath.Join(t.TempDir(), "ledger.db")
		if err := os.WriteFile(spoiled, tc.spoil(text), 0o600); err != nil {
			t.Fatal(err)
		}
		check := unchanged(t, filepath.Dir(spoiled))
		last, err := InspectLedger(t.Context(), spoiled, tc.kept)
		if !errors.Is(err, tc.want) || err == nil && last != 20 {
			t.Errorf("%s: %d events, %v", name, last, err)
		}
		check()
	}
	if _, err := InspectLedger(t.Context(), filepath.Join(t.TempDir(), "none"), Kept{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
	l := openLedger(t, path)
	if _, err := InspectLedger(t.Context(), path, Kept{}); !errors.Is(err, ErrInUse) {
		t.Errorf("beside its owner: %v", err)
	}
	reserve(t, l, passHash(100), 1)
}

func TestInspectTrustTellsAndChangesNothing(t *testing.T) {
	f := newTestFleet(t)
	path := trustPath(t)
	trust := f.open(path)
	if err := trust.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := InspectTrust(path, f.options()); !errors.Is(err, ErrNoBelief) {
		t.Errorf("before the first bundle: %v", err)
	}
	trust = f.open(path)
	apply(t, trust, f.bundle(edition{head: 1, list: 1, base: ids("lost")}))
	if _, err := InspectTrust(path, f.options()); !errors.Is(err, ErrInUse) {
		t.Errorf("beside its owner: %v", err)
	}
	if err := trust.Close(); err != nil {
		t.Fatal(err)
	}
	check := unchanged(t, filepath.Dir(path))
	terms, err := InspectTrust(path, f.options())
	if err != nil || terms.Venue != "arena" {
		t.Errorf("%+v, %v", terms, err)
	}
	foreign := f.options()
	foreign.Pin[0]++
	if _, err := InspectTrust(path, foreign); !errors.Is(err, ErrDamaged) {
		t.Errorf("under another root: %v", err)
	}
	check()
}
