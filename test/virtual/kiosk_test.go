// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

//go:build virtual

package virtual

import (
	"strings"
	"testing"
	"time"
)

const (
	lane = "in-1"
	// signedPulse goes before the 300 ms of the local config.
	signedPulse = 1200 * time.Millisecond
	// port is the name that udev would give the scanner: it stays over
	// replugging, where ttyUSB0 may come back as ttyUSB1.
	port = "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_1-if00-port0"
)

// wiring is the part of the local config that is the bench's own.
const wiring = `lanes:
  - name: ` + lane + `
    inert: secured
    pulse: 300ms
    scanner: {port: ` + port + `, baud: 115200}
    gpio:
      chip: gpiochip0
      relay: {line: relay0}
      green: {line: green0}
      red: {line: red0}
`

// The sensor is [SensorLine]. The kiosk is not told of the spare lines.
var kioskLines = [LineCount]string{
	"relay0", "green0", "red0", "sensor0", "spare4", "spare5", "spare6", "spare7",
}

// What the kiosk writes on the console of the lane's parts.
const (
	scannerWrong = `msg=condition condition="lane ` + lane + ` scanner"`
	scannerRight = `msg="condition over" condition="lane ` + lane + ` scanner"`
	gateWrong    = `msg=condition condition="lane ` + lane + ` gate"`
	gateRight    = `msg="condition over" condition="lane ` + lane + ` gate"`
)

// cardOf is the guest's files of a kiosk with the real daemon.
func cardOf(t *testing.T, f venueFleet) map[string]File {
	t.Helper()
	files := f.card(t)
	files["/bin/gatehoused"] = daemon
	files["/etc/mdev.conf"] = File{Data: []byte("ttyUSB[0-9]+ 0:0 600 =" + strings.TrimPrefix(port, "/dev/") + "\n")}
	return files
}

// begin is how every daemon of the bench is started: what it must remember is on the disk.
const begin = "mkdir -p /data/state /var/lib; ln -sf /data/state /var/lib/gatehouse\n"

func kioskBench(t *testing.T, f venueFleet) *Bench {
	t.Helper()
	return newBench(t, Config{Lines: kioskLines, Files: cardOf(t, f), Start: begin + "exec gatehoused"})
}

// startKiosk boots it and plugs the scanner in once the gate is in service. It
// gives where the console's text goes on.
func startKiosk(t *testing.T, b *Bench) (*Machine, int) {
	t.Helper()
	m := start(t, b)
	waitLog(t, m, "kiosk started", 0)
	waitLog(t, m, gateRight, 0)
	t.Logf("in service %v after power-on", time.Since(m.Booted).Round(time.Millisecond))
	end := plug(t, m, 0)
	wantMoved(t, m, m.Booted) // no line twitches from power-on until the first code
	return m, end
}

// plug plugs the scanner in and waits until the daemon reads it.
func plug(t *testing.T, m *Machine, from int) int {
	t.Helper()
	at := time.Now()
	must(t, m.Scanner.Plug())
	end := waitLog(t, m, scannerRight, from)
	t.Logf("the daemon reads the scanner %v after the plug", time.Since(at).Round(time.Millisecond))
	return end
}

// wantAdmitted shows a code, and holds the lines to one pulse of the relay and
// the green lamp and to nothing else.
func wantAdmitted(t *testing.T, m *Machine, code string, from int) int {
	t.Helper()
	at := send(t, m, code)
	wantPulse(t, m, "relay0", at, signedPulse)
	wantPulse(t, m, "green0", at, signedPulse)
	end := waitLog(t, m, "outcome=admit reason=ok", from)
	wantMoved(t, m, at, "green0", "relay0")
	return end
}

// wantRefused shows a code, and holds the lines to the red lamp.
func wantRefused(t *testing.T, m *Machine, code, reason string, from int) int {
	t.Helper()
	at := send(t, m, code)
	end := waitLog(t, m, "outcome=deny reason="+reason, from)
	edge(t, m, "red0", false, edge(t, m, "red0", true, at).At)
	wantMoved(t, m, at, "red0")
	return end
}

func TestKioskAdmitsAndRefuses(t *testing.T) {
	f := newFleet(t, signedPulse)
	first, second := f.issue(t), f.issue(t)
	m, end := startKiosk(t, kioskBench(t, f))
	waitLog(t, m, "no serial port: "+port, 0) // it was missed before it was plugged in

	end = wantAdmitted(t, m, first, end)
	end = wantRefused(t, m, forge(t, second), "bad_signature", end)

	must(t, m.Scanner.Unplug())
	end = waitLog(t, m, scannerWrong, end)
	end = plug(t, m, end)
	end = wantAdmitted(t, m, second, end)
	end = wantRefused(t, m, first, "already_used", end)

	must(t, m.PowerOff(within(t, patience)))
	waitLog(t, m, "kiosk stopped", end)
	if text := m.Console.Text(); strings.Contains(text, "GH1:") || strings.Contains(text, first[8:24]) {
		t.Error("a pass's text is in the log")
	}
}

func TestKioskRemembersOverAPowerCut(t *testing.T) {
	f := newFleet(t, signedPulse)
	first, second := f.issue(t), f.issue(t)
	b := kioskBench(t, f)
	m, _ := startKiosk(t, b)
	// The plug is pulled as soon as the way is open: what opened it is on the disk by then.
	edge(t, m, "relay0", true, send(t, m, first))
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
	f := newFleet(t, 7*time.Second)
	first, second := f.issue(t), f.issue(t)
	m, end := startKiosk(t, kioskBench(t, f))
	at := send(t, m, first)
	edge(t, m, "relay0", true, at)
	edge(t, m, "green0", true, at)
	// The daemon's death is the command's end, so the relay cannot fall between the two by the pulse's own end.
	shell(t, m, "killall -9 gatehoused; while pidof gatehoused; do usleep 10000; done")
	if fell := m.Lines.Edges(at)[2:]; len(fell) > 0 {
		t.Fatalf("the pulse ended before the daemon was killed: %+v", fell)
	}

	restarted := time.Now()
	shell(t, m, "gatehoused >/dev/console 2>&1 &")
	e := edge(t, m, "relay0", false, restarted)
	t.Logf("inert %v after the daemon's start", e.At.Sub(restarted).Round(time.Millisecond))
	edge(t, m, "green0", false, restarted)
	// The scanner and the gate come into service each in their own time, and a code is answered once both have.
	end = max(waitLog(t, m, scannerRight, end), waitLog(t, m, gateRight, end))
	if edges := m.Lines.Edges(restarted); len(edges) != 2 {
		t.Errorf("the start moved more than the lines of the open way: %+v", edges)
	}
	if levels := m.Lines.Levels(); levels.High != 0 || !levels.Driven(m.Lines.Number("relay0")) {
		t.Errorf("at rest after the restart: %+v", levels)
	}
	wantRefused(t, m, first, "already_used", end)
	edge(t, m, "relay0", true, send(t, m, second))
}
