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
	scan := show("a ticket", entry.ReasonOK, words("code"))
	good := answer{reason: entry.ReasonOK, opened: true, took: time.Millisecond, recorded: true, passage: entry.Passed}
	for _, c := range []struct {
		name   string
		scene  func(*scene)
		answer func(*answer)
		fault  string
	}{
		{"right", nil, nil, ""},
		{"another reason", nil, func(a *answer) { a.reason, a.opened = entry.ReasonExpired, false }, "answered expired, wanted ok"},
		{"not opened", nil, func(a *answer) { a.opened = false }, "the gate opened: false"},
		{"opened for a refusal", func(s *scene) { s.want = entry.ReasonExpired }, func(a *answer) { a.reason = entry.ReasonExpired }, "the gate opened: true"},
		{"something happened before", nil, func(a *answer) { a.surplus = 2 }, "told of 2 things"},
		{"an outage that is none", nil, func(a *answer) { a.outage = true }, "by outage grace: true"},
		{"no outage", func(s *scene) { s.outage = true }, nil, "by outage grace: false"},
		{"stale", nil, func(a *answer) { a.stale = true }, "on stale data: true"},
		{"fresh", func(s *scene) { s.stale = true }, nil, "on stale data: false"},
		{"not recorded", nil, func(a *answer) { a.recorded = false }, "recorded: false"},
		{"recorded on a full disk", func(s *scene) { s.lost = true }, nil, "recorded: true"},
		{"nobody walked", nil, func(a *answer) { a.passage = entry.NotPassed }, "the passage ended as not_passed"},
		{"somebody walked", func(s *scene) { s.stays = true }, nil, "the passage ended as passed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sc, a := scan, good
			if c.scene != nil {
				c.scene(&sc)
			}
			if c.answer != nil {
				c.answer(&a)
			}
			var tally tally
			tally.out = io.Discard
			tally.noteScan(time.Now(), sc, a)
			expectFault(t, tally.faults, c.fault)
		})
	}
}

// A sensor that this machine did not read in time is no fault of the kiosk's: it gives nothing back then.
func TestUnreadSensorIsNoFault(t *testing.T) {
	tally := tally{out: io.Discard}
	a := answer{reason: entry.ReasonOK, opened: true, recorded: true, passage: entry.PassageUnknown}
	tally.noteScan(time.Now(), stays("nobody goes in", words("code")), a)
	if !tally.unseen || len(tally.faults) > 0 {
		t.Errorf("unseen %v, faults %q", tally.unseen, tally.faults)
	}
	tally.noteScan(time.Now(), show("somebody goes in", entry.ReasonOK, words("code")), a)
	if expectFault(t, tally.faults, "the passage ended as unknown"); tally.unseen {
		t.Error("somebody who walked is to be seen")
	}
}

func expectFault(t *testing.T, faults []string, want string) {
	t.Helper()
	got := strings.Join(faults, "; ")
	if (got == "") != (want == "") || !strings.Contains(got, want) {
		t.Errorf("faults %q, wanted %q", got, want)
	}
}

func TestTallyFindsFaultsOfWhatIsDone(t *testing.T) {
	forged := scene{what: "a forged head", says: "not signed", refused: true}
	for _, c := range []struct {
		name    string
		scene   scene
		text    string
		refused bool
		fault   string
	}{
		{"refused as it should be", forged, "fleet: not signed by enough", true, ""},
		{"refused for another reason", forged, "fleet: malformed", true, `refused with "fleet: malformed"`},
		{"a forgery taken", forged, "1 documents new", false, "done with"},
		{"an import refused", scene{what: "an import"}, "older", true, "refused with"},
		{"another band", scene{what: "asked", says: "stale"}, "fresh until 08:40", false, `wanted "stale"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			tally := tally{out: io.Discard}
			tally.noteDone(time.Now(), c.scene, c.text, c.refused)
			expectFault(t, tally.faults, c.fault)
		})
	}
}

// Whoever has another code to show has not left yet, and is counted once.
func TestPeopleAreCountedOnce(t *testing.T) {
	tally := tally{out: io.Discard}
	now := time.Now()
	for _, a := range []answer{
		{reason: entry.ReasonSecondPassNeeded, recorded: true},
		{reason: entry.ReasonOK, opened: true, recorded: true},
		{reason: entry.ReasonExpired, recorded: true},
	} {
		tally.count(now, a)
	}
	if got := *tally.act(); len(tally.people) != 2 || got != (part{scans: 3, admitted: 1, refused: 1, waited: 1}) || tally.events != 4 {
		t.Errorf("%d people, %+v, %d events", len(tally.people), got, tally.events)
	}
}
