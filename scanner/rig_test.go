// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package scanner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/scanner/scannertest"
)

// patience bounds what a test waits for; nothing that is right takes nearly as long.
const patience = 20 * time.Second

// rig is a running scanner with a simulated one plugged to it.
type rig struct {
	tb     testing.TB
	device *scannertest.Scanner
	reader *Scanner
	scans  chan Scan
	states chan error
	log    logBuffer
	stop   context.CancelFunc
	ended  chan error
}

// newRig prepares a rig that is neither plugged in nor started. The idle gap is short, so that settling
// on a port is quick.
func newRig(tb testing.TB, suffix string) *rig {
	tb.Helper()
	r := &rig{
		tb:     tb,
		device: scannertest.New(filepath.Join(tb.TempDir(), "scanner"), suffix),
		scans:  make(chan Scan, 2000),
		states: make(chan error, 100),
	}
	tb.Cleanup(func() {
		if err := r.device.Unplug(); err != nil {
			tb.Error(err)
		}
	})
	return r
}

func (r *rig) config() Config {
	return Config{
		Port:    r.device.Path(),
		IdleGap: 20 * time.Millisecond,
		State:   func(err error) { r.states <- err },
		Log:     slog.New(slog.NewTextHandler(&r.log, nil)),
	}
}

// run starts a scanner of that configuration; the test's end stops it and waits for it. thread, if any,
// is called first on a thread of its own.
func (r *rig) run(cfg Config, thread ...func() error) {
	r.tb.Helper()
	reader, err := Open(cfg)
	if err != nil {
		r.tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r.reader, r.stop, r.ended = reader, stop, make(chan error, 1)
	go func() {
		for _, prepare := range thread {
			if err := prepare(); err != nil {
				r.ended <- err
				return
			}
		}
		r.ended <- reader.Run(ctx, func(s Scan) { r.scans <- s })
	}()
	ended := r.ended
	r.tb.Cleanup(func() {
		stop()
		select {
		case err := <-ended:
			if err != nil {
				r.tb.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			r.tb.Error("Run did not end")
		}
		ended <- nil // for a test that waits itself and a second clean-up
	})
}

// started returns a rig that is connected.
func started(tb testing.TB, suffix string) *rig {
	tb.Helper()
	r := newRig(tb, suffix)
	r.plug()
	r.run(r.config())
	r.state(nil)
	return r
}

func (r *rig) plug() {
	r.tb.Helper()
	if err := r.device.Plug(); err != nil {
		r.tb.Fatal(err)
	}
}

func (r *rig) unplug() {
	r.tb.Helper()
	if err := r.device.Unplug(); err != nil {
		r.tb.Fatal(err)
	}
}

func (r *rig) scan(codes ...string) {
	r.tb.Helper()
	for _, code := range codes {
		if err := r.device.Scan(code); err != nil {
			r.tb.Fatal(err)
		}
	}
}

func (r *rig) write(raw string) {
	r.tb.Helper()
	if err := r.device.Write([]byte(raw)); err != nil {
		r.tb.Fatal(err)
	}
}

// state waits for the next state and returns it; it must be want, as errors.Is sees it.
func (r *rig) state(want error) error {
	r.tb.Helper()
	select {
	case got := <-r.states:
		if !errors.Is(got, want) {
			r.tb.Fatalf("state: %v, want %v", got, want)
		}
		return got
	case err := <-r.ended:
		r.tb.Fatalf("Run ended: %v", err)
	case <-time.After(patience):
		r.tb.Fatalf("no state, want %v", want)
	}
	return nil
}

// expect waits for these codes, in this order and nothing between.
func (r *rig) expect(codes ...string) {
	r.tb.Helper()
	for _, want := range codes {
		select {
		case got := <-r.scans:
			if got.Code != want {
				r.tb.Fatalf("read %.60q, want %.60q", got.Code, want)
			}
		case state := <-r.states:
			r.tb.Fatalf("state %v, want the code %.60q", state, want)
		case <-time.After(patience):
			r.tb.Fatalf("nothing read, want %.60q; counts %+v", want, r.reader.Counts())
		}
	}
}

// openOn returns the descriptors of this process that refer to a device, also to a removed one.
func openOn(device string) []string {
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		return []string{err.Error()}
	}
	var found []string
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && strings.TrimSuffix(to, " (deleted)") == device {
			found = append(found, fmt.Sprintf("%s -> %s", link, to))
		}
	}
	return found
}

// tty returns the device behind the rig's port.
func (r *rig) tty() string {
	r.tb.Helper()
	tty, err := os.Readlink(r.device.Path())
	if err != nil {
		r.tb.Fatal(err)
	}
	return tty
}

// unprivileged binds the goroutine to a thread, which ends with it, and drops the thread's capabilities:
// root too is then bound by file modes and exclusive ports, as the kiosk's service is.
func unprivileged() error {
	runtime.LockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&header, &none[0])
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
