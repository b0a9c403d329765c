// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gatehouse/fleet"
)

// awaited is a blob of five blocks, the last a short one.
func awaited() (fleet.MissingBlob, []byte, func(i uint32) []byte) {
	blob := make([]byte, 4*fleet.BlockSize+8)
	for i := range blob {
		blob[i] = byte(i>>13 ^ i)
	}
	b := fleet.MissingBlob{Base: *fleet.BaseOf(blob, uint64(len(blob)/8)), Size: uint64(len(blob))}
	return b, blob, func(i uint32) []byte {
		return blob[int(i)*fleet.BlockSize : min(int(i+1)*fleet.BlockSize, len(blob))]
	}
}

func TestBlocksOutliveTheProcessAndOnlyGoodOnesCount(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "blobs")
	b, blob, block := awaited()
	lacks := func(s *Staging) []uint32 {
		t.Helper()
		l, err := s.Lacks(b, 9)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	s := NewStaging(dir)
	if got := lacks(s); !slices.Equal(got, []uint32{0, 1, 2, 3, 4}) {
		t.Fatalf("at first it lacks %v", got)
	}
	if err := s.Put(b, 1, block(2)); !errors.Is(err, ErrStaging) {
		t.Errorf("a block in another's place: %v", err)
	}
	if err := s.Put(b, 5, block(2)); !errors.Is(err, ErrStaging) {
		t.Errorf("a block behind the last: %v", err)
	}
	for _, i := range []uint32{3, 4, 0} {
		if err := s.Put(b, i, block(i)); err != nil {
			t.Fatal(err)
		}
	}
	s = NewStaging(dir) // the process ended
	if got := lacks(s); !slices.Equal(got, []uint32{1, 2}) {
		t.Fatalf("after a restart it lacks %v", got)
	}
	if _, err := s.Take(b); !errors.Is(err, ErrStaging) {
		t.Errorf("taken with holes: %v", err)
	}
	if err := errors.Join(s.Put(b, 1, block(1)), s.Put(b, 2, block(2))); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Take(b); err != nil || !bytes.Equal(got, blob) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}

	// Somebody, or the card, changes a byte.
	path := s.path(b.Base.Digest)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[3*fleet.BlockSize] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Take(b); !errors.Is(err, ErrStaging) {
		t.Errorf("taken with a byte changed: %v", err)
	}
	if got := lacks(s); !slices.Equal(got, []uint32{3}) {
		t.Errorf("then it lacks %v", got)
	}
}

func TestStagingKeepsWhatIsWaitedForOnly(t *testing.T) {
	s := NewStaging(filepath.Join(t.TempDir(), "blobs"))
	if err := s.Keep(nil); err != nil {
		t.Fatalf("before there is a folder: %v", err)
	}
	b, _, block := awaited()
	if err := s.Put(b, 0, block(0)); err != nil {
		t.Fatal(err)
	}
	if err := s.Keep([]fleet.MissingBlob{b}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Lacks(b, 9); err != nil || len(got) != 4 {
		t.Fatalf("it lacks %v, %v", got, err)
	}
	if err := s.Keep(nil); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Lacks(b, 9); err != nil || len(got) != 5 {
		t.Errorf("after nothing was waited for it lacks %v, %v", got, err)
	}
}
