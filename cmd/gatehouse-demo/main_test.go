// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gatehouse/entry"
)

func TestMain(m *testing.M) {
	if os.Getenv(envConfig) != "" { // this binary, started as the kiosk
		main()
		return
	}
	testscript.Main(m, map[string]func(){"gatehouse-demo": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script"})
}

// Whoever ends the morning early leaves nothing behind.
func TestCtrlC(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("gatehouse-demo")
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() }).Stop()
	for lines := bufio.NewScanner(out); lines.Scan() && !strings.Contains(lines.Text(), "yesterday's ticket"); {
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, out)
	if err := cmd.Wait(); err == nil || !strings.Contains(said.String(), errEnded.Error()) {
		t.Errorf("ended with %v and said %q", err, said.String())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// The demo is a check: whatever differs from its script is a fault.
func TestTallyFindsFaults(t *testing.T) {
	scan := act{what: "a ticket", want: entry.ReasonOK}
	good := answer{scans: 1, reason: entry.ReasonOK, opened: true, took: time.Millisecond}
	edit := func(f func(*answer)) answer { a := good; f(&a); return a }
	forged := act{what: "a forged head", says: "not signed"}
	for _, c := range []struct {
		name   string
		act    act
		answer answer
		fault  string
	}{
		{"right", scan, good, ""},
		{"another reason", scan, edit(func(a *answer) { a.reason, a.opened = entry.ReasonExpired, false }), "answered expired, wanted ok"},
		{"not opened", scan, edit(func(a *answer) { a.opened = false }), "the gate opened: false"},
		{"opened for a refusal", act{what: "an old ticket", want: entry.ReasonExpired},
			edit(func(a *answer) { a.reason = entry.ReasonExpired }), "the gate opened: true"},
		{"answered twice", scan, edit(func(a *answer) { a.scans = 2 }), "answered 2 times"},
		{"refused as it should be", forged, answer{refused: true, text: "fleet: not signed by enough"}, ""},
		{"refused for another reason", forged, answer{refused: true, text: "fleet: malformed"}, `refused with "fleet: malformed"`},
		{"a forgery taken", forged, answer{text: "1 documents new"}, "done with"},
		{"an import refused", act{what: "an import"}, answer{refused: true, text: "older"}, "refused with"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tally tally
			tally.note(io.Discard, c.act, c.answer)
			got := strings.Join(tally.faults, "; ")
			if (got == "") != (c.fault == "") || !strings.Contains(got, c.fault) {
				t.Errorf("faults %q, wanted %q", got, c.fault)
			}
		})
	}
}
