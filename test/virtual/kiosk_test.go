// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

//go:build virtual

package virtual

import (
	"testing"
	"time"
)

// What the local config of the bench's kiosk says.
const (
	kioskPulse = 800 * time.Millisecond
	lane       = "main"
)

var kioskLines = [LineCount]string{
	"relay0", "green0", "red0", "sensor0", "spare4", "spare5", "spare6", "spare7",
}

// What the kiosk writes on the console of its scanner's coming and going.
const (
	scannerGone = `msg=condition condition="lane ` + lane + ` scanner"`
	scannerBack = `msg="condition over" condition="lane ` + lane + ` scanner"`
)

// wiring is what the local config says of the bench, which no fleet can know.
func wiring(pulse time.Duration) map[string]any {
	return map[string]any{
		"state": "/data/state",
		"run":   "/tmp/run",
		"lanes": []any{map[string]any{
			"name":    lane,
			"inert":   "secured",
			"pulse":   pulse.String(),
			"scanner": map[string]any{"port": "/dev/ttyUSB0", "baud": 115200},
			"gpio": map[string]any{
				"chip":  "gpiochip0",
				"relay": map[string]any{"name": "relay0"},
				"green": map[string]any{"name": "green0"},
				"red":   map[string]any{"name": "red0"},
			},
		}},
	}
}

// kioskBench is a kiosk with the real daemon and its bundle.
func kioskBench(t *testing.T, f *venueFleet, pulse time.Duration) *Bench {
	t.Helper()
	daemon, err := BuildGuest(t.Context(), "gatehouse/cmd/gatehoused")
	must(t, err)
	files := f.kioskFiles(t, wiring(pulse))
	files["/bin/gatehoused"] = daemon
	return newBench(t, Config{Lines: kioskLines, Files: files, Start: "gatehoused"})
}

// startKiosk boots it and plugs the scanner in once the daemon misses it. It
// gives where the console's text goes on.
func startKiosk(t *testing.T, b *Bench) (*Machine, int) {
	t.Helper()
	m := start(t, b)
	waitLog(t, m, "kiosk started", 0)
	t.Logf("gatehoused started %v after power-on", time.Since(m.Booted).Round(time.Millisecond))
	end := plug(t, m, 0)
	wantMoved(t, m, m.Booted) // no line twitches from power-on until the first code
	return m, end
}

// plug plugs the scanner in and waits until the daemon reads it.
func plug(t *testing.T, m *Machine, from int) int {
	t.Helper()
	at := time.Now()
	must(t, m.Scanner.Plug())
	end := waitLog(t, m, scannerBack, from)
	t.Logf("the daemon reads the scanner %v after the plug", time.Since(at).Round(time.Millisecond))
	return end
}

// wantAdmitted shows a code, and holds the lines to one pulse of the relay and
// the green lamp and to nothing else.
func wantAdmitted(t *testing.T, m *Machine, code string, from int) int {
	t.Helper()
	at := send(t, m, code)
	wantPulse(t, m, "relay0", at, kioskPulse, emulated)
	edge(t, m, "green0", false, at)
	end := waitLog(t, m, "reason=ok", from)
	wantMoved(t, m, at, "green0", "relay0")
	return end
}

// wantRefused shows a code, and holds the lines to the red lamp.
func wantRefused(t *testing.T, m *Machine, code, reason string, from int) int {
	t.Helper()
	at := send(t, m, code)
	end := waitLog(t, m, "reason="+reason, from)
	edge(t, m, "red0", true, at)
	edge(t, m, "red0", false, at)
	wantMoved(t, m, at, "red0")
	return end
}

func TestKioskAdmitsAndRefuses(t *testing.T) {
	f := newFleet(t)
	first, second := f.issue(t), f.issue(t)
	m, end := startKiosk(t, kioskBench(t, f, kioskPulse))

	end = wantAdmitted(t, m, first, end)
	end = wantRefused(t, m, forge(t, first), "bad_signature", end)

	must(t, m.Scanner.Unplug())
	end = waitLog(t, m, scannerGone, end)
	end = plug(t, m, end)
	end = wantAdmitted(t, m, second, end)
	wantRefused(t, m, forge(t, second), "bad_signature", end)
}

func TestKioskRemembersOverAPowerCut(t *testing.T) {
	f := newFleet(t)
	first, second := f.issue(t), f.issue(t)
	b := kioskBench(t, f, kioskPulse)
	m, _ := startKiosk(t, b)
	// The plug is pulled as soon as the way is open: what opened it is on the disk by then.
	at := send(t, m, first)
	edge(t, m, "relay0", true, at)
	must(t, m.Kill())

	m, end := startKiosk(t, b)
	end = wantRefused(t, m, first, "already_used", end)
	wantAdmitted(t, m, second, end)
	must(t, m.PowerOff(within(t, patience)))

	m, end = startKiosk(t, b)
	wantRefused(t, m, second, "already_used", end)
}

// A board keeps driving a line whose program is gone, so a killed daemon
// leaves the way open until the next one drives it inert.
func TestKioskStartsInert(t *testing.T) {
	f := newFleet(t)
	code := f.issue(t)
	m, _ := startKiosk(t, kioskBench(t, f, 5*time.Second))
	at := send(t, m, code)
	edge(t, m, "relay0", true, at)
	_, err := m.Shell(within(t, patience), "killall -9 gatehoused; while pidof gatehoused; do usleep 10000; done")
	must(t, err)
	if !m.Lines.Levels().Line(m.Lines.Number("relay0")) {
		t.Fatal("the relay fell before its daemon was killed")
	}
	restarted := time.Now()
	_, err = m.Shell(within(t, patience), "gatehoused >/dev/console 2>&1 &")
	must(t, err)
	edge(t, m, "relay0", false, restarted)
}
