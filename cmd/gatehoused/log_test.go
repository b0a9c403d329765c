// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/credential"
	"gatehouse/device"
	"gatehouse/device/client"
	"gatehouse/fleet"
	"gatehouse/fleet/folder"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
	"gatehouse/scanner/scannertest"
)

// stuckWriter takes what it is given when it is let.
type stuckWriter struct {
	let  chan struct{}
	text strings.Builder
}

func (w *stuckWriter) Write(p []byte) (int, error) {
	<-w.let
	return w.text.Write(p)
}

func TestLogDropsAndTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &stuckWriter{let: make(chan struct{})}
		w := newLogWriter(out, 30)
		for i := range 10 { // ten bytes each; the first is under way, three wait
			fmt.Fprintf(w, "line no %d\n", i)
			synctest.Wait()
		}
		close(out.let)
		synctest.Wait()
		fmt.Fprint(w, "after\n")
		w.end()
		got := out.text.String()
		if !strings.HasPrefix(got, "line no 0\nline no 1\nline no 2\nline no 3\ntime=") ||
			!strings.Contains(got, `level=WARN msg="log lines dropped" count=6`) || !strings.HasSuffix(got, "after\n") {
			t.Errorf("the reader got:\n%s", got)
		}
	})
}

// What was logged is written before the end, unless the reader is stopped: that holds the end up for a second.
func TestLogEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &stuckWriter{let: make(chan struct{})}
		w := newLogWriter(out, mostLog)
		fmt.Fprint(w, "one\n")
		began := time.Now()
		w.end()
		if took := time.Since(began); took != lastLine {
			t.Errorf("a stopped reader was waited for %v", took)
		}
		close(out.let)
		<-w.done
		if out.text.String() != "one\n" {
			t.Errorf("got %q", out.text.String())
		}
		if n, err := fmt.Fprint(w, "late\n"); n != 5 || err != nil {
			t.Errorf("after the end: %d, %v", n, err)
		}
	})
}

// blockedPipe is a pipe that nobody reads, full to the brim, and how much is in it.
func blockedPipe(t *testing.T) (r, w *os.File, full int64) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	block := make([]byte, 4096)
	for err == nil {
		var n int
		if err := w.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		n, err = w.Write(block)
		full += int64(n)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	if err := w.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	return r, w, full
}

// A stopped reader of the log (a terminal with Ctrl-S, a journal that hangs) takes no lane with it.
func TestLogThatNobodyReadsStopsNoLane(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, w, full := blockedPipe(t)
	k := newKiosk(t)
	stop := k.start(ctx, t, w)
	const scans = 5
	for range scans {
		k.admit(ctx, t)
	}
	began := time.Now()
	if code := stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	t.Logf("stopped %v after it was told to", time.Since(began))
	if err := r.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, r, full); err != nil { // what filled the pipe
		t.Fatal(err)
	}
	lines := bufio.NewScanner(r) // the goroutine goes on writing what waited
	for admitted := 0; admitted < scans && lines.Scan(); {
		if strings.Contains(lines.Text(), "outcome=admit") {
			admitted++
		}
	}
	if err := lines.Err(); err != nil {
		t.Errorf("the admissions did not come out of the log: %v", err)
	}
}

// A reader that is gone is no reason to end either.
func TestLogWhoseReaderIsGone(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, w, _ := blockedPipe(t)
	r.Close()
	k := newKiosk(t)
	stop := k.start(ctx, t, w)
	k.admit(ctx, t)
	if code := stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// kiosk is gatehoused with a scanner on a pty and a simulated board.
type kiosk struct {
	fleet   *folder.Folder
	dir     string
	board   *gatetest.Board
	scanner *scannertest.Scanner
}

func newKiosk(t *testing.T) *kiosk {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	k := &kiosk{board: gatetest.New(gatetest.Config{}), scanner: scannertest.New(filepath.Join(dir, "scanner"), "\r")}
	t.Cleanup(func() { _ = k.scanner.Unplug(); _ = k.board.Close() })
	var err error
	k.fleet, err = folder.Init(filepath.Join(dir, "fleet"), time.Now(), "arena")
	must(err)
	must(k.fleet.AddIssuer("arena", folder.IssuerOptions{}))
	k.dir, err = k.fleet.AddKiosk(fleet.Place{Venue: "arena", Kiosk: "gate-1"})
	must(err)
	bundle, err := k.fleet.Bundle("arena", time.Now())
	must(err)
	text, err := bundle.Encode()
	must(err)
	must(os.WriteFile(filepath.Join(k.dir, "arena.bundle"), text, 0o600))
	pin, err := k.fleet.Pin()
	must(err)
	must(os.WriteFile(filepath.Join(k.dir, "gatehouse.yaml"), fmt.Appendf(nil, `venue: arena
kiosk: gate-1
root: %s
state: state
run: run
venue_key: venue.key
bundle: arena.bundle
lanes:
  - name: in-1
    pulse: 100ms
    scanner: {port: %s}
    gpio: {relay: {line: simulated}}
`, pin, k.scanner.Path()), 0o600))
	must(k.scanner.Plug())
	return k
}

// start runs the daemon and waits until its lane is in service; what it returns stops the daemon and gives its exit code.
func (k *kiosk) start(ctx context.Context, t *testing.T, stderr io.Writer) (stop func() int) {
	t.Helper()
	hw := device.Hardware{
		Lines: func(l device.LaneConfig) (gate.Lines, error) { return k.board.Lines(l.Name), nil },
		Clock: device.SystemClock(),
	}
	running, end := context.WithCancel(ctx)
	code := make(chan int, 1)
	go func() {
		code <- run(running, []string{"-config", filepath.Join(k.dir, "gatehouse.yaml")}, io.Discard, stderr, hw)
	}()
	stopped := false
	stop = func() int {
		stopped = true
		end()
		select {
		case c := <-code:
			return c
		case <-time.After(20 * time.Second):
			t.Error("the daemon does not end")
			return -1
		}
	}
	t.Cleanup(func() {
		if !stopped {
			stop()
		}
	})
	kiosk := client.Dial(filepath.Join(k.dir, "run"))
	for poll := time.NewTicker(10 * time.Millisecond); ; {
		s, err := kiosk.Status(ctx)
		if err == nil && s.Ready && s.Lanes[0].Scanner == "connected" {
			poll.Stop()
			return stop
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the lane does not come into service: %v %+v", err, s)
		case c := <-code:
			t.Fatalf("the daemon ended with %d", c)
		case <-poll.C:
		}
	}
}

// admit shows a new pass and waits for the pulse of the relay.
func (k *kiosk) admit(ctx context.Context, t *testing.T) {
	t.Helper()
	pass, err := k.fleet.Issue("arena", credential.Claims{Kind: "ticket", Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	mark := k.board.Mark()
	if err := k.scanner.Scan(pass.Code); err != nil {
		t.Fatal(err)
	}
	for _, up := range []bool{true, false} {
		if _, err := k.board.WaitEdge(ctx, mark, "in-1", gate.Relay, up); err != nil {
			t.Fatal(err)
		}
	}
}
