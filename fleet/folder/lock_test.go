// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A process that is being started holds copies of all descriptors for a moment: the folder must be free all the same.
func TestUnlockFreesTheFolderForCopiesOfTheDescriptor(t *testing.T) {
	f, err := Init(filepath.Join(t.TempDir(), "fleet"), time.Now(), "arena")
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := f.lock()
	if err != nil {
		t.Fatal(err)
	}
	copied := copyOf(t, f.path(".lock"))
	defer syscall.Close(copied)
	if _, err := f.lockWithin(0); err == nil {
		t.Fatal("locked twice")
	}
	unlock()
	again, err := f.lock()
	if err != nil {
		t.Fatalf("after unlock, with a copy of the descriptor left: %v", err)
	}
	again()
}

// Whoever comes while the folder is served for a moment waits for that moment.
func TestALockIsWaitedFor(t *testing.T) {
	f, err := Init(filepath.Join(t.TempDir(), "fleet"), time.Now(), "arena")
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := f.lock()
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(3*lockPoll, unlock)
	again, err := f.lock()
	if err != nil {
		t.Fatal(err)
	}
	again()
}

// copyOf duplicates this process's descriptor of a file, as a fork does.
func copyOf(t *testing.T, path string) int {
	t.Helper()
	var want unix.Stat_t
	if err := unix.Stat(path, &want); err != nil {
		t.Fatal(err)
	}
	for fd := range 256 {
		var is unix.Stat_t
		if unix.Fstat(fd, &is) == nil && is.Ino == want.Ino && is.Dev == want.Dev {
			copied, err := syscall.Dup(fd)
			if err != nil {
				t.Fatal(err)
			}
			return copied
		}
	}
	t.Fatal("the lock is not open")
	return -1
}
