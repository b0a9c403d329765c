// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

//go:build virtual

package virtual

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// emulated is how far a pulse may be off for the emulation's sake.
const emulated = 250 * time.Millisecond

func standinBench(t *testing.T) *Bench {
	t.Helper()
	program, err := BuildGuest(t.Context(), "gatehouse/test/virtual/guest/standin")
	must(t, err)
	return newBench(t, Config{
		Lines: [LineCount]string{"relay0", "green0", "red0", "sensor0", "spare4", "spare5", "spare6", "spare7"},
		Files: map[string]File{"/bin/standin": program},
		Start: "standin",
		Clock: time.Date(2031, 5, 6, 7, 8, 0, 0, time.UTC),
	})
}

// TestPath proves the bench itself: scanner to relay as seen from outside,
// unplug and replug, the sensor, the clock, the shell.
func TestPath(t *testing.T) {
	m := start(t, standinBench(t))
	waitLog(t, m, "bench: up after", 0)
	end := waitLog(t, m, "2031-05-06T07:08:", 0)
	t.Logf("user space after %v", time.Since(m.Booted))
	end = waitLog(t, m, "standin: ready", end)
	wantMoved(t, m, m.Booted)

	plugged := time.Now()
	must(t, m.Scanner.Plug())
	end = waitLog(t, m, "standin: scanner open", end)
	t.Logf("port open %v after the plug", time.Since(plugged))
	for _, code := range []string{"one", strings.Repeat("long enough for two buffers ", 25)} {
		at := send(t, m, code)
		wantPulse(t, m, "relay0", at, 500*time.Millisecond, emulated)
		end = waitLog(t, m, fmt.Sprintf("standin: answered %d bytes", len(code)), end)
		must(t, m.Lines.WaitLevel(within(t, patience), "green0", false))
		wantMoved(t, m, at, "green0", "relay0")
	}

	must(t, m.Scanner.Unplug())
	end = waitLog(t, m, "standin: scanner:", end)
	plugged = time.Now()
	must(t, m.Scanner.Plug())
	waitLog(t, m, "standin: scanner open", end)
	t.Logf("port open %v after the replug", time.Since(plugged))
	at := send(t, m, "two")
	wantPulse(t, m, "relay0", at, 500*time.Millisecond, emulated)

	at = time.Now()
	must(t, m.PulseSensor())
	edge(t, m, "sensor0", true, at)
	edge(t, m, "sensor0", false, at)
	if out, err := m.Shell(within(t, patience), "tail -n1 /data/uses"); err != nil || out != "two\n" {
		t.Errorf("the shell gave %q, %v", out, err)
	}
	if out, err := m.Shell(within(t, patience), "echo a; echo b; exit 3"); err == nil || out != "a\nb\n" {
		t.Errorf("a failed command gave %q, %v", out, err)
	}
	// A board keeps driving the lines of a program that is gone, here as on a
	// Raspberry Pi: an inert level that is seen from outside was driven.
	at = send(t, m, "hold")
	edge(t, m, "relay0", true, at)
	_, err := m.Shell(within(t, patience), "killall -9 standin; while pidof standin; do usleep 10000; done")
	must(t, err)
	must(t, m.Lines.WaitLevel(within(t, patience), "relay0", true))
	if levels := m.Lines.Levels(); !levels.Driven(m.Lines.Number("relay0")) {
		t.Errorf("after the program's end: %+v", levels)
	}
}

// TestDisk proves that the disk lasts over a power cut and a shutdown.
func TestDisk(t *testing.T) {
	b := standinBench(t)
	for boot := range 3 {
		m := start(t, b)
		must(t, m.Scanner.Plug())
		waitLog(t, m, "standin: scanner open", 0)
		t.Logf("port open %v after power-on", time.Since(m.Booted))
		at := send(t, m, "one")
		if boot == 0 {
			edge(t, m, "relay0", true, at)
			must(t, m.Kill())
			continue
		}
		wantPulse(t, m, "red0", at, 500*time.Millisecond, emulated)
		wantMoved(t, m, at, "red0")
		down := time.Now()
		must(t, m.PowerOff(within(t, patience)))
		t.Logf("power off took %v", time.Since(down))
	}
}
