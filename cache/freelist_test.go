// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"gatehouse/entry"
)

// bbolt guards its list of free pages by no checksum: a damaged one names pages that are in use, and the next writes go
// over them. The records there are then missing, and must not be taken for never written.
func TestDamagedFreelistNeverMakesAUsedPassUnused(t *testing.T) {
	const passes = 400
	whole, err := os.ReadFile(filledLedger(t, passes))
	if err != nil {
		t.Fatal(err)
	}
	list := freelistPage(whole)
	if list == 0 {
		t.Fatal("no list of free pages was found")
	}
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 2))
		content := append([]byte(nil), whole...)
		page := content[list*pageSize : (list+1)*pageSize]
		count := int(binary.LittleEndian.Uint16(page[10:]))
		if seed%3 == 0 { // the count of it
			binary.LittleEndian.PutUint16(page[10:], uint16(count+1+r.IntN(4)))
		}
		at := 16 + 8*r.IntN(count+1)
		binary.LittleEndian.PutUint64(page[at:], uint64(2+r.IntN(60)))
		path := filepath.Join(t.TempDir(), "ledger.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		overwriteAndLookUp(t, path, passes)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
		os.Remove(path)
	}
}

func overwriteAndLookUp(t *testing.T, path string, passes uint64) {
	t.Helper()
	l, err := OpenLedger(path, LedgerOptions{NoSync: true})
	if err != nil {
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("open: %v", err)
		}
		return
	}
	defer l.Close()
	for n := range uint64(60) {
		err := l.Reserve(t.Context(), admission("in-1"), entry.Use{Pass: passHash(passes + n), Limit: 1, Final: true})
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("reserve: %v", err)
		}
	}
	stillUsed(t, l, passes)
}

// freelistPage is the page of the list in the newer meta page, 0 for none.
func freelistPage(file []byte) (page uint64) {
	var newest uint64
	for n := range 2 {
		meta := file[n*pageSize+metaOffset:]
		if tx := binary.LittleEndian.Uint64(meta[48:]); tx >= newest {
			newest, page = tx, binary.LittleEndian.Uint64(meta[32:])
		}
	}
	return page
}
