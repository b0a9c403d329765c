// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package scannertest gives a serial scanner without hardware: a pseudo-terminal behind a stable path
// that can be plugged in, scanned with and unplugged.
//
// It is for tests and for the demo. It has no opinion on what is scanned, it does not model line speed
// (a pty is as fast as memory), and it answers nothing.
package scannertest

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// writeMost bounds a write to a line that nobody reads.
const writeMost = 5 * time.Second

// ErrUnplugged: the scanner is not plugged in. Call Plug.
var ErrUnplugged = errors.New("scannertest: unplugged")

// Scanner is a simulated scanner. Its methods may be called by several goroutines.
//
// What it sends before the program under test has settled on the line is dropped there, as with a real
// scanner: wait for that program to report its port as connected.
type Scanner struct {
	path   string
	suffix string

	mu     sync.Mutex
	master *os.File // the scanner's end; nil while unplugged
	line   *os.File // the other end, held to set it up and to release it
}

// New returns an unplugged scanner that will appear at path (a link; its folder must exist) and ends each
// code with suffix: "\r", "\n", "\r\n" or nothing.
func New(path, suffix string) *Scanner {
	return &Scanner{path: path, suffix: suffix}
}

// Path is the stable name of the port, the same after each Plug.
func (s *Scanner) Path() string { return s.path }

// Plug makes the device and its link. It does nothing while plugged in.
func (s *Scanner) Plug() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.master != nil {
		return nil
	}
	master, line, err := pty.Open()
	if err != nil {
		return fmt.Errorf("scannertest: opening a pty: %w", err)
	}
	// A fresh pty is cooked and would echo what is sent before a reader makes it raw.
	if err := makeRaw(line); err != nil {
		return errors.Join(fmt.Errorf("scannertest: making the pty raw: %w", err), master.Close(), line.Close())
	}
	if err := os.Symlink(line.Name(), s.path); err != nil {
		return errors.Join(fmt.Errorf("scannertest: naming the port: %w", err), master.Close(), line.Close())
	}
	pollable, err := nonblocking(master)
	if err != nil {
		return errors.Join(fmt.Errorf("scannertest: opening a pty: %w", err), os.Remove(s.path), line.Close())
	}
	s.master, s.line = pollable, line
	return nil
}

// Unplug removes the link and the device; who has it open sees a hang-up. It does nothing while
// unplugged.
func (s *Scanner) Unplug() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.master == nil {
		return nil
	}
	// The master goes last: what hangs up then is held by the program under test alone.
	err := errors.Join(os.Remove(s.path), s.line.Close(), s.master.Close())
	s.master, s.line = nil, nil
	if err != nil {
		return fmt.Errorf("scannertest: unplugging: %w", err)
	}
	return nil
}

// Scan sends code and the suffix.
func (s *Scanner) Scan(code string) error { return s.Write([]byte(code + s.suffix)) }

// Write sends bytes as they are. It waits while the line is full, up to 5 s.
func (s *Scanner) Write(raw []byte) error {
	s.mu.Lock()
	master := s.master
	s.mu.Unlock()
	if master == nil {
		return ErrUnplugged
	}
	if err := master.SetWriteDeadline(time.Now().Add(writeMost)); err != nil {
		return fmt.Errorf("scannertest: sending: %w", err)
	}
	if _, err := master.Write(raw); err != nil {
		return fmt.Errorf("scannertest: sending: %w", err)
	}
	return nil
}

// Release frees the line of a reader that was killed. A real tty forgets its exclusive mark when its last
// user is gone; a pty keeps it, and refuses the next reader that is not privileged. Call it after kill -9
// of the program under test.
func (s *Scanner) Release() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line == nil {
		return ErrUnplugged
	}
	if err := control(s.line, func(fd int) error { return unix.IoctlSetInt(fd, unix.TIOCNXCL, 0) }); err != nil {
		return fmt.Errorf("scannertest: releasing the line: %w", err)
	}
	return nil
}

// makeRaw turns off all that a line discipline does to bytes, echo above all.
func makeRaw(tty *os.File) error {
	return control(tty, func(fd int) error {
		t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			return err
		}
		t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
		t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
		return unix.IoctlSetTermios(fd, unix.TCSETS, t)
	})
}

// nonblocking returns the same end of the pty in the runtime's poller, where a write has a deadline and is
// ended by Close; pty.Open takes it out. It closes f.
func nonblocking(f *os.File) (*os.File, error) {
	defer f.Close()
	var fd int
	err := control(f, func(old int) (err error) {
		fd, err = unix.FcntlInt(uintptr(old), unix.F_DUPFD_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// control does do on the file's descriptor, without taking the file out of the poller as Fd does.
func control(f *os.File, do func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil {
		return err
	}
	return failed
}
