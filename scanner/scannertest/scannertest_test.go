// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package scannertest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func plugged(t *testing.T) *Scanner {
	t.Helper()
	s := New(filepath.Join(t.TempDir(), "scanner"), "\r\n")
	if err := s.Plug(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Unplug(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestWhatIsScannedIsReadUnchangedAndNotEchoed(t *testing.T) {
	s := plugged(t)
	reader, err := os.OpenFile(s.Path(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := s.Scan("A %\x03\x7f"); err != nil {
		t.Fatal(err)
	}
	const want = "A %\x03\x7f\r\n"
	var got []byte
	for len(got) < len(want) {
		buf := make([]byte, 64)
		n, err := reader.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, buf[:n]...)
	}
	if string(got) != want {
		t.Errorf("read %q, want %q", got, want)
	}
	if err := s.master.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if n, err := s.master.Read(make([]byte, 64)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the scanner's end read %d bytes, %v: an echo", n, err)
	}
}

func TestUnplugRemovesThePortAndHangsUp(t *testing.T) {
	s := plugged(t)
	reader, err := os.OpenFile(s.Path(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for range 2 { // the second does nothing
		if err := s.Unplug(); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := reader.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("an unplugged line reads %d bytes, %v", n, err)
	}
	if _, err := os.Lstat(s.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the link is still there: %v", err)
	}
	for name, err := range map[string]error{"Scan": s.Scan("x"), "Write": s.Write(nil), "Release": s.Release()} {
		if !errors.Is(err, ErrUnplugged) {
			t.Errorf("%s: %v, want ErrUnplugged", name, err)
		}
	}
	for range 2 {
		if err := s.Plug(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(s.Path()); err != nil {
		t.Errorf("plugged in again: %v", err)
	}
}

func TestUnplugEndsAWriteThatNobodyReads(t *testing.T) {
	s := plugged(t)
	full := make(chan error, 1)
	go func() { full <- s.Write(make([]byte, 1<<20)) }()
	for waiting, limit := 0, time.Now().Add(2*time.Second); waiting < 4095; runtime.Gosched() { // the line discipline's buffer
		err := control(s.line, func(fd int) (err error) { waiting, err = unix.IoctlGetInt(fd, unix.TIOCINQ); return err })
		if err != nil || time.Now().After(limit) {
			t.Fatalf("the line holds %d bytes and does not fill: %v", waiting, err)
		}
	}
	if err := s.Unplug(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-full:
		if err == nil {
			t.Error("a megabyte went into a line that nobody read")
		}
	case <-time.After(2 * time.Second):
		t.Fatal("the write did not end")
	}
}

func TestPlugReportsAnUnusablePath(t *testing.T) {
	s := New(filepath.Join(t.TempDir(), "missing", "scanner"), "")
	if err := s.Plug(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Plug: %v, want ErrNotExist", err)
	}
	if err := s.Unplug(); err != nil {
		t.Errorf("Unplug after a failed Plug: %v", err)
	}
}
