// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

//go:build virtual

package virtual

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

// patience is for one step of a guest. Software emulation is slow, and slower
// where the machine has other work: to user space it took 2 to 3 s on a quiet
// one with two cores, and up to 11 s on a busy one.
const patience = 90 * time.Second

// Made once for all tests of the package.
var (
	kit    *Kit
	daemon File
	tool   File
)

func TestMain(m *testing.M) {
	flag.Uint64(flagSeed, uint64(time.Now().UnixNano()), "of the random instants")
	if err := prepare(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func prepare(ctx context.Context) (err error) {
	logf := func(format string, args ...any) { fmt.Printf("bench: "+format+"\n", args...) }
	if kit, err = Prepare(ctx, logf); err != nil {
		return err
	}
	if daemon, err = BuildGuest(ctx, "gatehouse/cmd/gatehoused"); err != nil {
		return err
	}
	tool, err = BuildGuest(ctx, "gatehouse/cmd/gatehouse")
	return err
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newBench(t *testing.T, config Config) *Bench {
	t.Helper()
	b, err := kit.NewBench(t.Context(), config)
	must(t, err)
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// start switches the bench on, and off again at the test's end; a failed
// test shows the console.
func start(t *testing.T, b *Bench) *Machine {
	t.Helper()
	m, err := b.Start(t.Context())
	must(t, err)
	t.Cleanup(func() {
		if err := m.Kill(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("console:\n%s", m.Console.Text())
		}
	})
	return m
}

// waitLog waits for the text on the console, after the first from bytes.
func waitLog(t *testing.T, m *Machine, text string, from int) int {
	t.Helper()
	end, err := m.Console.Wait(within(t, patience), text, from)
	must(t, err)
	return end
}

// shell runs a command in the guest that must succeed.
func shell(t *testing.T, m *Machine, command string) {
	t.Helper()
	_, err := m.Shell(within(t, patience), command)
	must(t, err)
}

// send shows a code to the scanner and tells when.
func send(t *testing.T, m *Machine, code string) time.Time {
	t.Helper()
	at := time.Now()
	must(t, m.Scanner.Send(code))
	return at
}

// edge waits for a line's change after a moment.
func edge(t *testing.T, m *Machine, line string, high bool, since time.Time) Edge {
	t.Helper()
	e, err := m.Lines.WaitEdge(within(t, patience), line, high, since)
	must(t, err)
	return e
}

// wantMoved holds the lines that changed since a moment to exactly these.
func wantMoved(t *testing.T, m *Machine, since time.Time, want ...string) {
	t.Helper()
	if moved := m.Lines.Moved(since); !slices.Equal(moved, want) {
		t.Errorf("lines moved: %v, want %v; edges %+v", moved, want, m.Lines.Edges(since))
	}
}

// How far a pulse may be off for the emulation's sake: a busy host stops the
// whole guest now and then, and what comes after is late.
const (
	early = 250 * time.Millisecond
	late  = 700 * time.Millisecond
)

// wantPulse waits for one whole pulse of a line and holds its length to the
// configured one. A reading that came late widens the window by as much.
func wantPulse(t *testing.T, m *Machine, line string, since time.Time, want time.Duration) {
	t.Helper()
	up := edge(t, m, line, true, since)
	down := edge(t, m, line, false, up.At)
	got, blind := down.At.Sub(up.At), up.Within+down.Within
	t.Logf("%s: up %v after the code, high for %v (± %v), wanted %v",
		line, up.At.Sub(since).Round(time.Millisecond), got.Round(time.Millisecond), blind.Round(time.Millisecond), want)
	if got < want-early-blind || got > want+late+blind {
		t.Errorf("%s was high for %v ± %v, want %v", line, got, blind, want)
	}
}
