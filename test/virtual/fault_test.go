// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

//go:build virtual

package virtual

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// wantSaid waits for a line of the console that has all these texts.
func wantSaid(t *testing.T, m *Machine, from int, texts ...string) int {
	t.Helper()
	begin := waitLog(t, m, texts[0], from)
	end := waitLog(t, m, "\n", begin)
	line := m.Console.Text()[begin:end]
	for _, text := range texts[1:] {
		if !strings.Contains(line, text) {
			t.Errorf("the kiosk says %q without %q", texts[0]+line, text)
		}
	}
	return end
}

// wantUntouched holds that no line ever moved or was taken as an output.
func wantUntouched(t *testing.T, m *Machine) {
	t.Helper()
	wantMoved(t, m, m.Booted)
	if levels := m.Lines.Levels(); levels.Outputs != 0 {
		t.Errorf("lines are driven: %+v", levels)
	}
}

// Debian's kernel gives the lines of this board no names. A kiosk that then
// took the first line it finds would move somebody else's.
func TestKioskWithoutNamedLines(t *testing.T) {
	f := newFleet(t, signedPulse)
	m := start(t, newBench(t, Config{Files: cardOf(t, f), Start: begin + "exec gatehoused"}))
	end := wantSaid(t, m, 0, gateWrong, "no such line", "relay0", "have no names", "gpio-line-names")
	plug(t, m, end)
	must(t, m.Scanner.Send(f.issue(t)))
	must(t, m.PowerOff(within(t, patience)))
	waitLog(t, m, "kiosk stopped", end)
	wantUntouched(t, m)
}

// Whatever is wrong with the board is said with what to do, nothing moves
// meanwhile, and what is mended is taken up without a restart.
func TestKioskSaysWhatIsWrong(t *testing.T) {
	f := newFleet(t, signedPulse)
	files := cardOf(t, f)
	files["/etc/passwd"] = File{Data: []byte("root:x:0:0::/:/bin/sh\ngatehouse:x:990:990::/:/bin/sh\n")}
	m := start(t, newBench(t, Config{Lines: kioskLines, Files: files, Start: begin}))

	const other = "/etc/gatehouse/other.yaml"
	shell(t, m, "sed s/relay0/relay9/ /etc/gatehouse/gatehouse.yaml >"+other)
	shell(t, m, "gatehoused -config "+other+" >/dev/console 2>&1 &")
	wantSaid(t, m, 0, gateWrong, "no such line", "relay9", "relay0, green0, red0, sensor0")
	wantSaid(t, m, 0, scannerWrong, "no serial port", port, "plug the scanner in")
	shell(t, m, "killall gatehoused; while pidof gatehoused; do usleep 10000; done")
	end := waitLog(t, m, "kiosk stopped", 0)
	wantUntouched(t, m)

	// A service's user who is in no group that owns the devices.
	shell(t, m, "chown -R gatehouse /data/state /etc/gatehouse /run/gatehouse; chmod 600 /dev/gpiochip0")
	must(t, m.Scanner.Plug())
	shell(t, m, "until [ -c "+port+" ]; do usleep 20000; done")
	shell(t, m, "start-stop-daemon -S -c gatehouse -x /bin/gatehoused >/dev/console 2>&1 &")
	wantSaid(t, m, end, gateWrong, "no permission", "/dev/gpiochip0", "udev rule")
	wantSaid(t, m, end, scannerWrong, "may not open the port", port, "udev rule")
	wantUntouched(t, m)

	shell(t, m, "chown gatehouse /dev/gpiochip0 "+port)
	waitLog(t, m, gateRight, end)
	end = waitLog(t, m, scannerRight, end)
	wantMoved(t, m, m.Booted)
	end = wantAdmitted(t, m, f.issue(t), end)

	// A second daemon gets neither the stores nor the lines, and spoils nothing of the first's.
	if out, err := m.Shell(within(t, patience), "gatehoused"); err == nil || !strings.Contains(out, "kiosk cannot run") {
		t.Errorf("a second daemon said %q, %v", out, err)
	}
	wantAdmitted(t, m, f.issue(t), end)
}

// Noise on the line is refused or dropped, and spoils no pass that comes after it.
func TestKioskReadsOnAfterGarbage(t *testing.T) {
	f := newFleet(t, signedPulse)
	m, end := startKiosk(t, kioskBench(t, f))
	end = wantRefused(t, m, "\x00\xff\xfe\x1b[2J", "unrecognised", end)
	end = wantRefused(t, m, "GH1:"+strings.Repeat("Ω", 40), "malformed", end)
	end = wantAdmitted(t, m, f.issue(t), end)

	// A frame without an end is ended by the silence after it.
	at := time.Now()
	must(t, m.Scanner.SendRaw("GH1:6BF"))
	end = waitLog(t, m, "reason=malformed", end)
	edge(t, m, "red0", false, at)
	end = wantAdmitted(t, m, f.issue(t), end)

	// One that is longer than any code is dropped. Where the emulation is slow
	// the silence cuts it too, and its pieces are refused: red may be lit.
	at = time.Now()
	must(t, m.Scanner.SendRaw(strings.Repeat("\xa5\x00GH1:HC1:", 1000)+"\r"))
	end = waitLog(t, m, "dropped a code that is too long", end)
	must(t, m.Lines.WaitLevel(within(t, patience), "red0", false))
	if moved := m.Lines.Moved(at); slices.Contains(moved, "relay0") || slices.Contains(moved, "green0") {
		t.Errorf("noise moved %v", moved)
	}
	at = send(t, m, f.issue(t))
	wantPulse(t, m, "relay0", at, signedPulse)
	waitLog(t, m, "outcome=admit reason=ok", end)
}
