// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/entry"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
	"gatehouse/gate/gpio"
	"gatehouse/scanner/scannertest"
)

// bench is a whole kiosk on this machine: a scanner on a pty, a simulated board, real stores and a real fleet.
type bench struct {
	tb      testing.TB
	venue   *venue
	cfg     Config
	board   *gatetest.Board
	scanner *scannertest.Scanner
	client  *client.Client
	log     *logBuffer
	lines   func(LaneConfig) (gate.Lines, error)
	input   func(LaneConfig, gate.Contact) (gate.Input, error)
	clock   Clock

	stop context.CancelFunc
	done chan error
}

const testPulse = 150 * time.Millisecond

func newBench(tb testing.TB) *bench {
	tb.Helper()
	dir := tb.TempDir()
	b := &bench{tb: tb, venue: newVenue(tb), board: gatetest.New(gatetest.Config{}), log: new(logBuffer), clock: SystemClock()}
	b.clock.Synced = func() bool { return true }
	b.scanner = scannertest.New(filepath.Join(dir, "scanner"), "\r")
	b.lines = func(l LaneConfig) (gate.Lines, error) { return b.board.Lines(l.Name), nil }
	b.input = func(l LaneConfig, c gate.Contact) (gate.Input, error) { return b.board.Input(l.Name, c), nil }
	b.cfg = Config{
		Venue: "arena", Kiosk: "gate-1", Root: b.venue.root(), State: filepath.Join(dir, "state"), Run: filepath.Join(dir, "run"),
		Lanes: []LaneConfig{{Name: "in-1", Pulse: entry.Duration(testPulse), Scanner: ScannerConfig{Port: b.scanner.Path(), SameCode: -1},
			GPIO: gpio.Config{Relay: gpio.Line{Name: "relay0"}}}},
		venueKey: bytes.Repeat([]byte{7}, 32),
	}
	b.client = client.Dial(b.cfg.Run)
	tb.Cleanup(func() {
		b.halt()
		_ = b.scanner.Unplug()
		_ = b.board.Close()
	})
	return b
}

// ctx bounds everything that a test waits for.
func (b *bench) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	b.tb.Cleanup(cancel)
	return ctx
}

// start runs the kiosk with its scanner plugged in and waits until both are well.
func (b *bench) start() {
	b.tb.Helper()
	if err := b.scanner.Plug(); err != nil {
		b.tb.Fatal(err)
	}
	b.run()
	b.waitStatus("a lane in service with its scanner", func(s *client.Status) bool {
		return s.Lanes[0].Gate == inService && s.Lanes[0].Scanner == "connected"
	})
}

// run starts the kiosk and waits for nothing.
func (b *bench) run() {
	ctx, stop := context.WithCancel(context.Background())
	b.stop, b.done = stop, make(chan error, 1)
	done := b.done
	go func() {
		done <- Run(ctx, b.cfg, Hardware{Lines: b.lines, Input: b.input, Clock: b.clock}, slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	}()
}

// halt stops the kiosk and returns what Run returned.
func (b *bench) halt() error {
	if b.stop == nil {
		return nil
	}
	b.stop()
	b.stop = nil
	select {
	case err := <-b.done:
		return err
	case <-time.After(20 * time.Second):
		b.tb.Error("the kiosk does not stop")
		return nil
	}
}

// waitStatus asks the local API until an answer satisfies.
func (b *bench) waitStatus(what string, ok func(*client.Status) bool) *client.Status {
	b.tb.Helper()
	ctx := b.ctx()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		s, err := b.client.Status(ctx)
		if err == nil && len(s.Lanes) > 0 && ok(s) {
			return s
		}
		select {
		case <-ctx.Done():
			b.tb.Fatalf("waited for %s: %v %+v\n%s", what, err, s, b.log)
		case err := <-b.done:
			b.tb.Fatalf("the kiosk ended: %v\n%s", err, b.log)
		case <-poll.C:
		}
	}
}

// wait waits until something holds.
func (b *bench) wait(what string, ok func() bool) {
	b.tb.Helper()
	ctx := b.ctx()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			b.tb.Fatalf("waited for %s\n%s", what, b.log)
		case <-poll.C:
		}
	}
}

// importBundle hands the venue's present bundle to the kiosk.
func (b *bench) importBundle() {
	b.tb.Helper()
	if _, err := b.client.Import(b.ctx(), b.venue.bundle()); err != nil {
		b.tb.Fatal(err)
	}
}

// show scans a code and waits for its answer: the reason, and whether the relay moved.
func (b *bench) show(code string) (reason entry.Reason, opened bool) {
	b.tb.Helper()
	before := b.waitStatus("an answer", func(*client.Status) bool { return true }).Lanes[0].Scans
	mark := b.board.Mark()
	if err := b.scanner.Scan(code); err != nil {
		b.tb.Fatal(err)
	}
	s := b.waitStatus("the scan to be counted", func(s *client.Status) bool { return s.Lanes[0].Scans > before })
	for _, e := range b.board.Edges()[mark:] {
		opened = opened || e.Output == gate.Relay && e.Active
	}
	return entry.Reason(s.Lanes[0].Last), opened
}

// expect shows a code and holds the answer to a reason, and the relay to the reason's outcome.
func (b *bench) expect(want entry.Reason, code string) {
	b.tb.Helper()
	got, opened := b.show(code)
	if got != want || opened != (want.Outcome() == entry.Admit) {
		b.tb.Fatalf("got %s (opened: %v), want %s\n%s", got, opened, want, b.log)
	}
}

// pass signs a ticket of the venue's own issuer that is valid for an hour.
func (b *bench) pass(c credential.Claims) string {
	b.tb.Helper()
	if c.ID == nil {
		c.ID = make([]byte, 16)
		_, _ = rand.Read(c.ID) // never fails
	}
	if c.Kind == "" {
		c.Kind = "ticket"
	}
	if c.Expires.IsZero() {
		c.Expires = b.clock.Wall().Add(time.Hour)
	}
	code, err := credential.Sign(c, b.venue.issuer)
	if err != nil {
		b.tb.Fatal(err)
	}
	return code
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// wait waits until a text is in the log.
func (l *logBuffer) wait(b *bench, text string) {
	b.tb.Helper()
	b.wait(text+" in the log", func() bool { return strings.Contains(l.String(), text) })
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// quiet is a logger for what a test makes itself.
func (b *bench) quiet() *slog.Logger { return slog.New(slog.NewTextHandler(b.log, nil)) }
