// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"gatehouse/fleet"
)

// Staging keeps the blocks of blobs that are on their way, a file for each blob. Nothing in it is believed: which blocks
// are there is found out by hashing them, so that neither a power cut nor anybody who writes there can make one count that
// is not what was signed. It is safe for concurrent use.
type Staging struct {
	dir string

	mu   sync.Mutex
	have map[fleet.Digest][]bool // of the blobs that were looked at, by block
}

// ErrStaging: a block or blob is not what was signed.
var ErrStaging = errors.New("cache: not the blob that was signed")

// NewStaging keeps blobs in a folder, which it makes when it is needed.
func NewStaging(dir string) *Staging { return &Staging{dir: dir, have: map[fleet.Digest][]bool{}} }

func (s *Staging) path(d fleet.Digest) string {
	return filepath.Join(s.dir, strings.TrimPrefix(d.String(), "sha256:"))
}

// Lacks are the numbers of the blocks that are not here yet, at most so many.
func (s *Staging) Lacks(b fleet.MissingBlob, most int) (lacks []uint32, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(b); err != nil {
		return nil, err
	}
	for i, have := range s.have[b.Base.Digest] {
		if !have && len(lacks) < most {
			lacks = append(lacks, uint32(i))
		}
	}
	return lacks, nil
}

// open finds out which blocks of a blob are here. The answer is kept for as long as the blob is.
func (s *Staging) open(b fleet.MissingBlob) error {
	if s.have[b.Base.Digest] != nil {
		return nil
	}
	have := make([]bool, len(b.Base.Blocks))
	f, err := os.Open(s.path(b.Base.Digest))
	if err == nil {
		block := make([]byte, fleet.BlockSize)
		for i := range have {
			n, err := io.ReadFull(f, block)
			have[i] = n > 0 && fleet.DigestOf(block[:n]) == b.Base.Blocks[i]
			if err != nil {
				break
			}
		}
		err = f.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cache: %w", err)
	}
	s.have[b.Base.Digest] = have
	return nil
}

// Put keeps a block. It is not synced: one that a power cut takes is asked for again.
func (s *Staging) Put(b fleet.MissingBlob, index uint32, block []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(b); err != nil {
		return err
	}
	if uint64(index) >= uint64(len(b.Base.Blocks)) || fleet.DigestOf(block) != b.Base.Blocks[index] {
		return fmt.Errorf("%w: block %d of %s", ErrStaging, index, b.Base.Digest)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	f, err := os.OpenFile(s.path(b.Base.Digest), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	_, err = f.WriteAt(block, int64(index)*fleet.BlockSize)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	s.have[b.Base.Digest][index] = true
	return nil
}

// Take returns the whole blob, ErrStaging where a block is not there or was changed since.
func (s *Staging) Take(b fleet.MissingBlob) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	blob, err := os.ReadFile(s.path(b.Base.Digest))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cache: %w", err)
	}
	if fleet.DigestOf(blob) != b.Base.Digest {
		delete(s.have, b.Base.Digest) // its blocks are looked at again
		return nil, fmt.Errorf("%w: %s", ErrStaging, b.Base.Digest)
	}
	return blob, nil
}

// Keep removes all blobs but those that are still waited for.
func (s *Staging) Keep(waiting []fleet.MissingBlob) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.have, func(of fleet.Digest, _ []bool) bool {
		return !slices.ContainsFunc(waiting, func(b fleet.MissingBlob) bool { return b.Base.Digest == of })
	})
	files, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	wanted := map[string]bool{}
	for _, b := range waiting {
		wanted[filepath.Base(s.path(b.Base.Digest))] = true
	}
	for _, f := range files {
		if !wanted[f.Name()] {
			err = errors.Join(err, os.Remove(filepath.Join(s.dir, f.Name())))
		}
	}
	return err
}
