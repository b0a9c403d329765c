// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gatehouse/entry"
)

// fullLedger names, for a child of this test binary, the ledger for which the disk has no room for a while.
const fullLedger = "GATEHOUSE_FULL_LEDGER"

// fillAndRecover reserves until a limit of the file's size, which is what a full disk looks like from within, does not
// let it; then it finds that nothing is forgotten and nothing half done, and that the ledger goes on by itself once
// there is room.
func fillAndRecover(path string) error {
	signal.Ignore(syscall.SIGXFSZ) // the write fails with EFBIG instead
	l, err := OpenLedger(path, LedgerOptions{At: morning, NoSync: true})
	if err != nil {
		return err
	}
	take := func(n uint64) error {
		return l.Reserve(context.Background(), admission("in-1"), entry.Use{Pass: passHash(n), Limit: 1, Final: true})
	}
	for n := range uint64(50) {
		if err := take(n); err != nil {
			return err
		}
	}
	size, err := limitFileSize(path)
	if err != nil {
		return err
	}
	taken := uint64(50)
	for ; err == nil; taken++ {
		err = take(taken)
	}
	if taken--; !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "free some space") {
		return fmt.Errorf("with %d uses: %w", taken, err)
	}
	if err := take(3); !errors.Is(err, entry.ErrUsed) {
		return fmt.Errorf("a used pass on a full disk: %w", err)
	}
	if past, err := l.Uses(passHash(taken)); err != nil || len(past) != 0 {
		return fmt.Errorf("the use that found no room: %v, %w", past, err)
	}
	if err := take(taken); !errors.Is(err, ErrFull) {
		return fmt.Errorf("again: %w", err)
	}
	if err := setFileSize(size); err != nil {
		return err
	}
	if err := take(taken); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	chain, err := l.CheckChain(context.Background())
	if err != nil || chain.Last != taken+1 {
		return fmt.Errorf("%+v, want event %d: %w", chain, taken+1, err)
	}
	fmt.Println("recovered")
	return l.Close()
}

// limitFileSize lets no file grow beyond what the one at path has now, and returns the former limit.
func limitFileSize(path string) (former uint64, err error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return 0, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return limit.Cur, setFileSize(uint64(min(info.Size(), 64*pageSize)))
}

func setFileSize(most uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	limit.Cur = most
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
}

func TestFullDiskIsToldAndRecoveredFrom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), fullLedger+"="+path)
	out, err := child.CombinedOutput()
	if errors.Is(err, syscall.ENOEXEC) {
		t.Skip("under an emulator without binfmt_misc a test cannot start itself")
	}
	if err != nil || !strings.Contains(string(out), "recovered") {
		t.Fatalf("%v\n%s", err, out)
	}
	l := openLedger(t, path)
	if _, err := l.CheckChain(t.Context()); err != nil {
		t.Error(err)
	}
	admissions(t, l)
}

// A card that the kernel made read-only says so, and nothing is admitted on it.
func TestReadOnlyFileSystemIsToldAtTheStart(t *testing.T) {
	err := explain("ledger.db", kindLedger, &os.PathError{Op: "open", Path: "ledger.db", Err: syscall.EROFS})
	if !errors.Is(err, syscall.EROFS) || errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "findmnt") {
		t.Errorf("got %v", err)
	}
}
