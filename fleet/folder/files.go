// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	private  fs.FileMode = 0o600
	readable fs.FileMode = 0o644
	maxFile              = 64 << 20
)

// WriteFile puts data in place as a whole or not at all: a temporary file, synced, renamed, and the folder synced, so
// that a power cut leaves the former file or the new one.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("folder: write %s: %w", path, err), os.Remove(f.Name()))
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("folder: sync %s: %w", dir, err)
	}
	return nil
}

// writeNew is WriteFile for what must not be there yet.
func writeNew(path string, data []byte, mode fs.FileMode) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%w: %s", ErrExists, path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("folder: %w", err)
	}
	return WriteFile(path, data, mode)
}

// readFile reads a whole file of bounded size.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	defer f.Close()
	return readAll(f, path)
}

func readAll(f *os.File, path string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("folder: %s is larger than %d bytes", path, maxFile)
	}
	return data, nil
}

// readPrivate reads a secret, and refuses one that others on this machine can read. The opened file is asked, not its
// name, so that nothing can be put in its place in between.
func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s has mode %04o; run: chmod 0600 %s (and replace the key if others could read it)", ErrExposed, path, mode, path)
	}
	return readAll(f, path)
}

// A folder that is served is locked for moments again and again, and whoever comes then waits. Who holds it for longer is
// told.
const (
	lockMost = 10 * time.Second
	lockPoll = 20 * time.Millisecond
)

// lock keeps other processes from changing the folder until unlock is called: two bundles made at once would give one
// version to two documents.
func (f *Folder) lock() (unlock func(), err error) { return f.lockWithin(lockMost) }

func (f *Folder) lockWithin(most time.Duration) (unlock func(), err error) {
	l, err := os.OpenFile(f.path(".lock"), os.O_CREATE|os.O_RDWR, private)
	if err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	// Waited for by asking: a flock(2) that blocks cannot be given up.
	for began := time.Now(); ; time.Sleep(lockPoll) {
		if err = unix.Flock(int(l.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil || time.Since(began) >= most {
			break
		}
	}
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("folder: %s is in use by another gatehouse-fleet; wait for it and try again: %w", f.dir, err)
	}
	return func() {
		// A child that this process is just starting holds a copy of the descriptor until it has become its program:
		// closing ours alone would leave the folder locked for that long.
		_ = unix.Flock(int(l.Fd()), unix.LOCK_UN)
		l.Close()
	}, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// readDir lists a folder, which may not be there.
func readDir(path string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("folder: %w", err)
	}
	return entries, nil
}
