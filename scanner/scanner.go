// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package scanner turns the bytes of a serial code scanner into scans.
//
// [Open] checks a configuration, [Scanner.Run] owns the port: it opens it, reads it, and looks for it
// again for ever when it is missing or was unplugged. A [Framer] cuts the bytes into bounded codes; one
// file holds one protocol of the line. A code that is held in front is delivered once.
//
// The package does not know what a code means: it never decodes, judges, keeps or logs one, and hands it to nobody but the
// lane and who taps the line. It writes nothing to the line, and it has no clock but the monotonic one.
package scanner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"
)

// Defaults of [Config], used where a field is zero.
const (
	DefaultBaud     = 115200
	DefaultIdleGap  = 100 * time.Millisecond
	DefaultSameCode = 3 * time.Second
)

// Bounds of [Config].
const (
	minBaud    = 300
	maxBaud    = 4_000_000
	minIdleGap = 10 * time.Millisecond
	maxIdleGap = 2 * time.Second

	// slowBaud is the lowest speed that is not warned of: below it the line itself is what a guest
	// waits for (a code of 400 characters takes 70 ms at 57600 baud, 417 ms at 9600).
	slowBaud = 57600
)

var (
	// ErrConfig: a field of Config is unusable. The text says which; correct the kiosk's configuration.
	ErrConfig = errors.New("scanner: unusable configuration")
	// ErrRunning: Run was called while it runs. A program's mistake.
	ErrRunning = errors.New("scanner: already running")
)

// Scan is one code that was shown to the scanner.
type Scan struct {
	// Code is the text as it was read, without terminator, AIM identifier and ECI prefix. It is 1 to
	// MaxFrame bytes long, holds neither CR nor LF, and may hold any other byte.
	Code string
	// At is when the last byte of the code was read, with a monotonic reading. Where this program was kept from
	// reading for more than a second (stopped, starved) it is when it read before: the code may be that old.
	At time.Time
	// Symbology is the AIM symbology identifier (ISO/IEC 15424) such as "]Q1", "" where none was sent.
	Symbology string
}

// Config describes one scanner. Only Port must be given.
type Config struct {
	// Port is the absolute path of the serial device, by a name that survives replugging: a link in
	// /dev/serial/by-id or one made by a udev rule, rather than /dev/ttyACM0.
	Port string
	// Baud is the speed of the line: 300 to 4000000, default 115200. Eight bits, no parity, one stop bit.
	Baud int
	// IdleGap of silence ends a code where the scanner sends no CR or LF: 10 ms to 2 s, default 100 ms.
	IdleGap time.Duration
	// SameCode is how long a code must be out of sight to be delivered again: default 3 s. Negative
	// delivers every reading.
	SameCode time.Duration
	// State, if set, hears each change of the port's state: nil when it is connected, else an error that
	// is one of ErrNoPort, ErrPermission, ErrNotSerial, ErrBusy, ErrUnusable and says what to do. It is
	// called by Run's goroutine, after the port was closed where it reports a loss, and must not block.
	State func(error)
	// Log takes warnings; they never hold a code. Nil discards them.
	Log *slog.Logger
}

// Scanner is one serial scanner. Make it with Open.
type Scanner struct {
	cfg      Config
	log      *slog.Logger
	tick     time.Duration // time-out of one read
	framer   func() Framer // a fresh one for each connection
	repeats  *repeats
	running  atomic.Bool
	reported *fault // what State heard last; nil: nothing, or connected if told
	told     bool

	tap atomic.Pointer[func(Frame, Fate)]

	scans, repeated, oversized, connected atomic.Uint64
}

// Open checks cfg and prepares a scanner. It does not touch the port, which may be absent now and come
// later: Run opens it. The error is an ErrConfig.
func Open(cfg Config) (*Scanner, error) {
	if cfg.Baud == 0 {
		cfg.Baud = DefaultBaud
	}
	if cfg.IdleGap == 0 {
		cfg.IdleGap = DefaultIdleGap
	}
	if cfg.SameCode == 0 {
		cfg.SameCode = DefaultSameCode
	}
	switch {
	case cfg.Port == "":
		return nil, fmt.Errorf("%w: no port: name the device that `ls /dev/serial/by-id` shows", ErrConfig)
	case !filepath.IsAbs(cfg.Port):
		return nil, fmt.Errorf("%w: port %q: give the whole path, such as /dev/serial/by-id/…", ErrConfig, cfg.Port)
	case cfg.Baud < minBaud || cfg.Baud > maxBaud:
		return nil, fmt.Errorf("%w: baud %d: give %d to %d, as the scanner is set", ErrConfig, cfg.Baud, minBaud, maxBaud)
	case cfg.IdleGap < minIdleGap || cfg.IdleGap > maxIdleGap:
		return nil, fmt.Errorf("%w: idle gap %v: give %v to %v", ErrConfig, cfg.IdleGap, minIdleGap, maxIdleGap)
	}
	if cfg.State == nil {
		cfg.State = func(error) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Scanner{
		cfg:     cfg,
		log:     cfg.Log.With("port", cfg.Port),
		tick:    tick(cfg.IdleGap),
		framer:  func() Framer { return NewText(cfg.IdleGap) },
		repeats: newRepeats(cfg.SameCode),
	}, nil
}

// Forget makes every code new again, so that one which is still held in front is delivered once more.
// Call it when the answer to a code may have changed: belief changed, a use was annulled, a scan was
// dropped undecided. It may be called at any time, also from deliver.
func (s *Scanner) Forget() { s.repeats.forget("") }

// ForgetOthers makes every code but this one new again: its answer may have changed what the others are answered.
func (s *Scanner) ForgetOthers(code string) { s.repeats.forget(code) }

// Fate is what became of a frame.
type Fate string

// The fates of a frame.
const (
	Delivered Fate = "delivered"
	Repeat    Fate = "repeat"   // the same code again
	TooLong   Fate = "too_long" // longer than MaxFrame
)

// Tap has tap hear of each frame from now on, after it was delivered or dropped, in place of who did before; nil ends it. It
// is for the diagnosis of a line. tap is called by Run's goroutine and must not block. A call that is under way when it is
// replaced may still come.
func (s *Scanner) Tap(tap func(Frame, Fate)) {
	if tap == nil {
		s.tap.Store(nil)
		return
	}
	s.tap.Store(&tap)
}

// Counts are totals since Open, for diagnosis.
type Counts struct {
	Scans     uint64 // delivered
	Repeated  uint64 // not delivered: the same code again
	Oversized uint64 // not delivered: longer than MaxFrame
	Connected uint64 // times the port was opened
}

// Counts may be called at any time.
func (s *Scanner) Counts() Counts {
	return Counts{s.scans.Load(), s.repeated.Load(), s.oversized.Load(), s.connected.Load()}
}

// Run reads the scanner until ctx ends and then returns nil, with the port closed; it starts no goroutine
// of its own. A missing, refused or lost port is reported to State and looked for again for ever.
//
// deliver is called by Run's goroutine for each scan, in order, as soon as its last byte is read. While
// it runs the line is not read, so it must not block: it hands the scan to the lane (a mailbox of one) and
// returns. A panic in it passes through Run, after the port is closed.
func (s *Scanner) Run(ctx context.Context, deliver func(Scan)) error {
	if !s.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	defer s.running.Store(false)
	s.advise()
	wait := retryFirst
	for {
		began := time.Now()
		err := s.session(ctx, deliver)
		if ctx.Err() != nil {
			return nil
		}
		s.report(err)
		if time.Since(began) > retryMost {
			wait = retryFirst // it worked for a while: not a device that fails again and again
		}
		retry := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			retry.Stop()
			return nil
		case <-retry.C:
		}
		wait = min(2*wait, retryMost)
	}
}
