// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package scanner

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"go.bug.st/serial"
)

const (
	// longestTick bounds one read, and so how long Run takes to see that its context has ended.
	longestTick = 25 * time.Millisecond
	// settleMost bounds the wait for a quiet line after opening.
	settleMost = time.Second
	// lateRead is how long after the one before a read counts as late: its bytes may have waited since then.
	lateRead = time.Second
	// A port that fails is tried again after retryFirst, then after twice as long each time.
	retryFirst = 200 * time.Millisecond
	retryMost  = 2 * time.Second
)

// unstableName matches names that the kernel gives in the order of plugging.
var unstableName = regexp.MustCompile(`^/dev/tty(ACM|USB)[0-9]+$`)

// tick returns the time-out of one read: a whole number of them makes up the gap, so that the time-out
// which completes it is the one that ends a code.
func tick(gap time.Duration) time.Duration {
	n := (gap + longestTick - 1) / longestTick
	return (gap + n - 1) / n
}

// advise warns of a configuration that works badly.
func (s *Scanner) advise() {
	if s.cfg.Baud < slowBaud {
		s.log.Warn("the line is slow: guests wait for it; set the scanner and the kiosk to 115200", "baud", s.cfg.Baud)
	}
	if unstableName.MatchString(s.cfg.Port) {
		s.log.Warn("the port's name changes with the order of plugging; use one in /dev/serial/by-id")
	}
}

// report tells State of a change; err is nil or a *portError.
func (s *Scanner) report(err error) {
	var now *fault
	if p := (*portError)(nil); errors.As(err, &p) {
		now = p.fault
	}
	if s.told && s.reported == now {
		return
	}
	s.told, s.reported = true, now
	s.cfg.State(err)
}

// session opens the port and reads it until ctx ends (nil) or the port fails (a *portError). The port is
// closed when it returns: before anyone looks for the device again, or else a scanner that comes back is
// given another name by the kernel.
//
// Opening, reading and closing are all done by one goroutine. That is why a read has a time-out instead
// of being broken off by Close: the library closes the descriptor first and wakes the reader after it, and
// in between the number can have become another file's.
func (s *Scanner) session(ctx context.Context, deliver func(Scan)) error {
	// No InitialStatusBits: not every device has modem lines, and a pty refuses to set them. The library
	// takes the port exclusively (TIOCEXCL).
	port, err := serial.Open(s.cfg.Port, &serial.Mode{BaudRate: s.cfg.Baud})
	if err != nil {
		return &portError{openFault(err), s.cfg.Port, err}
	}
	defer port.Close()
	buf := make([]byte, MaxFrame)
	if err := s.settle(ctx, port, buf); err != nil {
		return err
	}
	s.connected.Add(1)
	s.report(nil)

	framer := s.framer()
	found := func(f Frame) { s.found(f, deliver) }
	for last := time.Now(); ctx.Err() == nil; {
		n, err := s.read(port, buf)
		now := time.Now()
		at := now
		if now.Sub(last) > lateRead {
			at = last // this program was kept from running
		}
		last = now
		switch {
		case err != nil:
			return err
		case n == 0:
			framer.Idle(at, found)
		default:
			framer.Feed(buf[:n], at, found)
		}
	}
	return nil
}

// settle prepares the port and drops what was sent before the line was ours: it went through a cooked
// tty, and may be the rest of a code. The flush alone does not reach bytes that are still on their way
// through the driver, so reading starts at the first silence.
func (s *Scanner) settle(ctx context.Context, port serial.Port, buf []byte) error {
	if err := port.SetReadTimeout(s.tick); err != nil {
		return &portError{&unusable, s.cfg.Port, err}
	}
	if err := port.ResetInputBuffer(); err != nil {
		return &portError{openFault(err), s.cfg.Port, err}
	}
	dropped := 0
	for until := time.Now().Add(settleMost); ctx.Err() == nil; {
		n, err := s.read(port, buf)
		if err != nil {
			return err
		}
		dropped += n
		if n == 0 || time.Now().After(until) {
			break
		}
	}
	if dropped > 0 {
		s.log.Info("dropped what was sent before the port was open", "bytes", dropped)
	}
	return nil
}

// read reads once. No byte and no error is a time-out.
//
// The library panics on a descriptor of 1024 or more (select), so a panic here is a program with far too
// many open files; it must not take the lanes down.
func (s *Scanner) read(port serial.Port, buf []byte) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			n, err = 0, &portError{&unusable, s.cfg.Port, fmt.Errorf("reading: %v: too many open files?", r)}
		}
	}()
	n, err = port.Read(buf)
	if err != nil {
		// An unplugged device reads as end of file, which the library calls closed, or as EIO or ENXIO.
		return 0, &portError{openFault(err), s.cfg.Port, fmt.Errorf("lost while in use: %w", err)}
	}
	return n, nil
}

// found counts and delivers a frame.
func (s *Scanner) found(f Frame, deliver func(Scan)) {
	fate := Delivered
	switch {
	case f.Oversized:
		fate = TooLong
		s.oversized.Add(1)
		s.log.Warn("dropped a code that is too long", "bytes", MaxFrame)
	case s.repeats.again(f.Code, f.At):
		fate = Repeat
		s.repeated.Add(1)
	default:
		s.scans.Add(1)
		deliver(Scan{Code: f.Code, At: f.At, Symbology: f.Symbology})
	}
	if tap := s.tap.Load(); tap != nil {
		(*tap)(f, fate)
	}
}
