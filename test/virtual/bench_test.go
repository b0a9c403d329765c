// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

//go:build virtual

package virtual

import (
	"testing"
	"time"
)

// TestBench proves what the kiosk's tests take for granted of the bench
// itself: the guest's clock and shell, its sensor, and that a line which a
// program drives is seen from outside, during its life and after.
func TestBench(t *testing.T) {
	m := start(t, newBench(t, Config{
		Lines: kioskLines,
		Clock: time.Date(2031, 5, 6, 7, 8, 0, 0, time.UTC),
		Start: "echo the start script runs",
	}))
	end := waitLog(t, m, "2031-05-06T07:08:", waitLog(t, m, "bench: up after", 0))
	t.Logf("user space after %v", time.Since(m.Booted).Round(time.Millisecond))
	waitLog(t, m, "the start script runs", end)
	wantUntouched(t, m)

	if out, err := m.Shell(within(t, patience), "echo a; echo b; exit 3"); err == nil || out != "a\nb\n" {
		t.Errorf("a failed command gave %q, %v", out, err)
	}
	at := time.Now()
	must(t, m.PulseSensor())
	edge(t, m, "sensor0", false, edge(t, m, "sensor0", true, at).At)
	wantMoved(t, m, at, "sensor0")
}
