// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

//go:build virtual

package virtual

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestKioskOf1970 boots a board whose clock has no battery, twice. It is provisioned and admits by the floor, says how
// little it knows of the time, and the second boot is not earlier than the first.
func TestKioskOf1970(t *testing.T) {
	t.Parallel()
	f := newFleet(t, cutPulse)
	files := cardOf(t, f)
	files["/bin/gatehouse"] = tool
	b := newBench(t, Config{Lines: kioskLines, Files: files, Start: begin + "exec gatehoused", Clock: time.Unix(0, 0)})

	m, end := startKiosk(t, b)
	first := knownTime(t, m)
	if age := time.Since(first); age < 0 || age > time.Hour {
		t.Errorf("the kiosk takes it to be %v at least, %v ago: the documents were signed just now", first, age)
	}
	out, err := m.Shell(within(t, patience), "date +%Y; gatehouse status")
	must(t, err)
	if !strings.HasPrefix(out, "1970\n") || !strings.Contains(out, "data: stale") || !strings.Contains(out, "GH-502") {
		t.Errorf("a kiosk of 1970 is said to be:\n%s", out)
	}
	ticket := f.issue(t)
	at := send(t, m, ticket)
	end = waitLog(t, m, "outcome=admit reason=ok", end)
	edge(t, m, "relay0", false, edge(t, m, "relay0", true, at).At)
	must(t, m.Lines.WaitLevel(within(t, patience), "green0", false)) // the last line of an admission
	wantRefused(t, m, f.expired(t), "expired", end)
	must(t, m.Kill())

	m, end = startKiosk(t, b)
	if second := knownTime(t, m); second.Before(first) {
		t.Errorf("after a restart it is %v at least, and %v was known", second, first)
	}
	wantRefused(t, m, ticket, "already_used", end)
}

var clockBehind = regexp.MustCompile(`(?m)^clock: (\S+ \S+), behind$`)

// knownTime is the time that a kiosk, whose clock is behind, says it is.
func knownTime(t *testing.T, m *Machine) time.Time {
	t.Helper()
	out, err := m.Shell(within(t, patience), "gatehouse status")
	must(t, err)
	said := clockBehind.FindStringSubmatch(out)
	if said == nil {
		t.Fatalf("the kiosk does not say what time it is:\n%s", out)
	}
	at, err := time.Parse(time.DateTime, said[1])
	must(t, err)
	return at
}

// TestKioskAfterLosses starts a kiosk again and again after parts of what it keeps were lost. It says what is lost, and
// admits nobody whom it cannot know to be right.
func TestKioskAfterLosses(t *testing.T) {
	t.Parallel()
	s := newShaky(t)
	used := s.new()
	s.answer(used, "outcome=admit", "reason=ok")
	lose := func(command string) {
		t.Helper()
		t.Log(command)
		s.stop("KILL")
		shell(t, s.m, "cd /data/state; "+command)
		s.serve()
	}

	lose("rm floor.a floor.b") // the ledger itself still knows
	s.answer(used, "outcome=deny", "reason=already_used")
	s.admits()

	lose("truncate -s 100 floor.a; truncate -s 100 floor.b")
	s.status("GH-602")
	s.answer(used, "outcome=deny", "reason=already_used")
	s.admits()

	lose("truncate -s 9000 trust.db") // the config's bundle is taken again
	s.status("GH-402")
	shell(t, s.m, "ls /data/state/trust.db.corrupt-1")
	s.answer(used, "outcome=deny", "reason=already_used")
	s.admits()

	lose("truncate -s 9000 ledger.db")
	s.status("GH-303")
	shell(t, s.m, "ls /data/state/ledger.db.corrupt-1")
	s.answer(used, "outcome=refer", "reason=out_of_order")
	s.answer(s.new(), "outcome=refer", "reason=out_of_order")
	shell(t, s.m, "gatehouse ledger accept-loss")
	s.admits()

	lose("rm trust.db ledger.db")
	s.status("GH-303")
	s.answer(s.new(), "outcome=refer", "reason=out_of_order")
	if strings.Contains(s.m.Console.Text(), "panicked") {
		t.Error("a lane panicked")
	}
}
