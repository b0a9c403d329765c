// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

//go:build virtual

package virtual

import (
	"bytes"
	"os"
	"slices"
	"testing"
	"time"
)

// wired is a kiosk's files whose lane has one more contact: the board has one line that can be moved from outside.
func wired(t *testing.T, f venueFleet, contact string) map[string]File {
	t.Helper()
	files := cardOf(t, f)
	files["/bin/gatehouse"] = tool
	config := files["/etc/gatehouse/gatehouse.yaml"]
	config.Data = append(config.Data, contact...)
	files["/etc/gatehouse/gatehouse.yaml"] = config
	return files
}

// wantStill holds a line to its level since a moment.
func wantStill(t *testing.T, m *Machine, line string, since time.Time) {
	t.Helper()
	if slices.Contains(m.Lines.Moved(since), line) {
		t.Errorf("%s moved: %+v", line, m.Lines.Edges(since))
	}
}

// People leave whatever the software thinks: without a single document, and with a disk that takes nothing more.
func TestExitWithoutARootAndOnAFullDisk(t *testing.T) {
	t.Parallel()
	f := newFleet(t, signedPulse)
	files := wired(t, f, "      exit: {line: sensor0}\n    exit_pulse: 2s\n")
	delete(files, "/etc/gatehouse/"+venue+".bundle")
	m := start(t, newBench(t, Config{Lines: kioskLines, Files: files, Start: begin + "exec gatehoused"}))
	end := waitLog(t, m, gateRight, 0)

	leaves := func() {
		t.Helper()
		at := time.Now()
		must(t, m.PulseSensor())
		wantPulse(t, m, "relay0", at, 2*time.Second)
	}
	t.Log("no document was ever here")
	leaves()
	end = plug(t, m, end)
	at := send(t, m, f.issue(t))
	waitLog(t, m, "outcome=refer reason=out_of_order", end)
	edge(t, m, "red0", false, edge(t, m, "red0", true, at).At)
	wantMoved(t, m, at, "red0")

	t.Log("the disk is full")
	shell(t, m, "dd if=/dev/zero of=/data/full bs=64k 2>/dev/null; dd if=/dev/zero of=/data/full2 bs=512 2>/dev/null; sync; true")
	for range 3 {
		leaves()
	}
	shell(t, m, "rm /data/full /data/full2; sync")
	leaves()
	shell(t, m, "gatehouse status | grep -q 'in service'")
}

// A fire holds the lane released for as long as it lasts, from the first moment and over the daemon's death; nobody is
// admitted meanwhile.
func TestFireHoldsTheLaneReleased(t *testing.T) {
	t.Parallel()
	f := newFleet(t, signedPulse)
	// A contact that is closed while all is well, and a wire that is cut: the alarm is on until the line rises.
	files := wired(t, f, "      fire: {line: sensor0, active_low: true}\n    on_fire: released\n")
	files["/usr/bin/gatehoused"] = daemon
	m := start(t, newBench(t, Config{Lines: kioskLines, Files: files, Start: begin + "exec gatehoused"}))
	must(t, m.Lines.WaitLevel(within(t, patience), "relay0", true))
	end := plug(t, m, waitLog(t, m, gateRight, 0))
	at := send(t, m, f.issue(t))
	waitLog(t, m, "outcome=deny reason=lane_closed", end)
	wantStill(t, m, "relay0", at)

	at = time.Now()
	shell(t, m, "killall -9 gatehoused; while pidof gatehoused; do usleep 10000; done; gatehoused -rest")
	must(t, m.Lines.WaitLevel(within(t, patience), "relay0", true))
	wantStill(t, m, "relay0", at)
	shell(t, m, "gatehoused >/dev/console 2>&1 &")
	end = waitLog(t, m, gateRight, end)
	end = waitLog(t, m, scannerRight, end)

	// The contact says for a moment that all is well: too short to believe it.
	must(t, m.PulseSensor())
	send(t, m, f.issue(t))
	waitLog(t, m, "outcome=deny reason=lane_closed", end)
	wantStill(t, m, "relay0", at)
}

// secondLane rests released: people can pass when nobody is in charge.
const secondLane = `  - name: in-2
    inert: released
    scanner: {port: /dev/gatehouse-none}
    gpio: {chip: gpiochip0, relay: {line: spare4}}
`

// promised is how long a line is active at most, whatever hangs.
const promised = 8 * time.Second

// However the daemon ends in the middle of a pulse, each line is at its inert level within the promised time, by the unit's
// own watchdog and ExecStopPost: this board keeps a level whose program is gone. Then the kiosk works on.
func TestEveryLineComesToRestWhenTheDaemonDiesOrHangs(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 7*time.Second)
	files := wired(t, f, secondLane)
	files["/usr/bin/gatehoused"] = daemon
	unit, err := os.ReadFile("../../systemd/gatehoused.service")
	must(t, err)
	if !bytes.Contains(unit, []byte("\nWatchdogSec=5s\n")) {
		t.Fatal("the unit's watchdog is not the one that this test is about")
	}
	files["/etc/gatehoused.service"] = File{Data: unit}
	pid1, err := BuildGuest(t.Context(), "gatehouse/test/virtual/pid1")
	must(t, err)
	files["/bin/pid1"] = pid1
	m := start(t, newBench(t, Config{Lines: kioskLines, Files: files, Start: begin + "exec pid1 /etc/gatehoused.service"}))
	end := waitLog(t, m, "kiosk started", 0)
	end = plug(t, m, end)

	for _, c := range []struct{ how, kill string }{
		{"kill -9", "killall -9 gatehoused"},
		{"SIGSTOP", "killall -STOP gatehoused"},
	} {
		for try := 1; ; try++ {
			must(t, m.Lines.WaitLevel(within(t, patience), "spare4", false)) // both lanes are in service
			must(t, m.Lines.WaitLevel(within(t, patience), "relay0", false))
			at := send(t, m, f.issue(t))
			up := edge(t, m, "relay0", true, at)
			shell(t, m, c.kill)
			down := edge(t, m, "relay0", false, up.At)
			edge(t, m, "spare4", true, up.At) // the other lane lets people pass
			took := down.At.Sub(up.At)
			t.Logf("%s: at rest after %v", c.how, took.Round(time.Millisecond))
			end = waitLog(t, m, "pid1: ExecStopPost: <nil>", end)
			end = waitLog(t, m, "kiosk started", end)
			end = waitLog(t, m, scannerRight, end)
			if took <= promised {
				break
			}
			if try == 3 { // a busy host stops the whole guest now and then
				t.Fatalf("%s: the relay was active for %v", c.how, took)
			}
		}
	}
	must(t, m.Lines.WaitLevel(within(t, patience), "spare4", false))
	edge(t, m, "relay0", true, send(t, m, f.issue(t)))
}
