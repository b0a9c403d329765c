// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

//go:build virtual

package virtual

import (
	"strings"
	"testing"
	"time"
)

// sensorWiring follows [wiring]. The times are longer than a real lane's: the guest is slow.
const sensorWiring = `      passage: {line: sensor0}
    turnstile_wait: 6s
    passage_timeout: 8s
`

// A guest who walks through has used the pass, one who does not may come again: the contact is a real line of the chip,
// moved from outside.
func TestPassageCommitsAndNoPassageGivesBack(t *testing.T) {
	f := newFleet(t, signedPulse)
	files := cardOf(t, f)
	config := files["/etc/gatehouse/gatehouse.yaml"]
	config.Data = append(config.Data, sensorWiring...)
	files["/etc/gatehouse/gatehouse.yaml"] = config
	m, end := startKiosk(t, newBench(t, Config{Lines: kioskLines, Files: files, Start: begin + "exec gatehoused"}))

	// admitted shows a code and returns when the relay has risen for it.
	admitted := func(code string) {
		t.Helper()
		at := send(t, m, code)
		edge(t, m, "relay0", true, at)
		end = waitLog(t, m, "outcome=admit reason=ok", end)
	}
	walks := func() {
		t.Helper()
		must(t, m.PulseSensor())
		end = waitLog(t, m, "passage=passed", end)
		must(t, m.Lines.WaitLevel(within(t, patience), "green0", false)) // the last line of an admission
	}
	used := f.issue(t)
	admitted(used)
	walks()
	turned := f.issue(t)
	for tries := 1; ; tries++ {
		admitted(turned)
		from := waitLog(t, m, "msg=passage", end)
		end = waitLog(t, m, " event=", from)
		if strings.Contains(m.Console.Text()[from:end], "passage=not_passed") {
			break
		}
		if tries == 5 {
			t.Fatal("no admission ended without a passage")
		}
		turned = f.issue(t) // the guest stood still for so long that it missed readings, and says so: unknown
	}
	admitted(turned)
	walks()
	end = wantRefused(t, m, used, "already_used", end)
	shell(t, m, "sleep 4") // the scanner has just told of this code, and a code held in front is answered once
	end = wantRefused(t, m, turned, "already_used", end)

	at := time.Now()
	must(t, m.PulseSensor())
	waitLog(t, m, "passage=unadmitted_passage", end)
	wantMoved(t, m, at, "sensor0")
}
