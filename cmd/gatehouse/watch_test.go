// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"gatehouse/device/client"
)

// envMain makes the test's own program the command, or a kiosk.
const envMain = "GATEHOUSE_TEST_MAIN"

// crowded is a kiosk with more of everything than a screen has room for, in wide letters too.
func crowded(n int) (*client.Status, *client.Page) {
	now := time.Date(2026, 5, 4, 12, 0, n, 0, time.UTC)
	s := &client.Status{Venue: "arena", Kiosk: "gate-1", Ready: true, Clock: client.Clock{At: now, State: "synced", SyncedAt: now},
		Data: client.Data{Freshness: "fresh", Signed: now.Add(-time.Hour), FreshUntil: now.Add(time.Hour), HardAfter: now.Add(48 * time.Hour)}}
	p := &client.Page{First: 1, Last: 100}
	s.Data.Down = []client.Outage{{Issuer: "telecom", Since: now.Add(-2 * time.Hour)}}
	s.Data.Emergency = []client.Measure{{Rule: "health and travel", Kind: "travel", Issuers: []string{"telecom"}, MaxAge: "1d", OutageMaxAge: "3d"}}
	for i := range 16 {
		s.Lanes = append(s.Lanes, client.Lane{Name: fmt.Sprintf("a-lane-with-a-long-name-%02d", i), Scans: uint64(i), Scanner: "connected",
			Gate: "in service", Last: "second_pass_needed", LastAt: now})
		s.Conditions = append(s.Conditions, client.Condition{Code: "GH-101", Severity: "error", Name: "scanner", Text: strings.Repeat("门票坏了 \x1b[5m", 40)})
	}
	for i := range 100 {
		p.Events = append(p.Events, client.Event{Number: uint64(100 - i), At: now, Clock: "behind", Kind: "decision", Lane: "in-1",
			Outcome: "wait", Reason: "second_pass_needed", Pass: "0123abcd", PassKind: strings.Repeat("票", 30), Issuer: "arena"})
	}
	return s, p
}

// A technician over SSH has 80 columns and 24 lines, or fewer, and a terminal that is as it was when he leaves.
func TestWatch(t *testing.T) {
	var mu sync.Mutex
	asked := 0
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		s, _ := crowded(asked)
		_ = json.NewEncoder(w).Encode(s)
	})
	mux.HandleFunc("GET /v1/events", func(w http.ResponseWriter, _ *http.Request) {
		_, p := crowded(0)
		_ = json.NewEncoder(w).Encode(p)
	})
	w := startWatch(t, answering(t, mux))
	screen := w.screen
	contains := func(i int, text string) func([]string) bool {
		return func(lines []string) bool { return i < len(lines) && strings.Contains(lines[i], text) }
	}
	screen.see(t, "the heading", contains(0, "arena/gate-1  READY  2026-05-04 12:00:"))
	screen.see(t, "the data's age", contains(1, "data fresh, signed 1h ago; stale in 1h, hard in 2d"))
	screen.see(t, "an issuer that is down", func(lines []string) bool {
		return strings.Contains(strings.Join(lines, "\n"), "down: telecom, since 2026-05-04 10:00:0")
	})
	screen.see(t, "an emergency measure", func(lines []string) bool {
		return strings.Contains(strings.Join(lines, "\n"), "emergency: rule health and travel takes travel passes up to 3d old, not 1d")
	})
	screen.see(t, "lanes left out", func(lines []string) bool {
		return strings.Contains(strings.Join(lines, "\n"), "… and 10 more: gatehouse lanes")
	})
	screen.see(t, "the newest event", func(lines []string) bool {
		return strings.Contains(strings.Join(lines, "\n"), "   100 05-04 12:00:00~ in-1     wait  second_pass_needed 0123abcd 票")
	})
	screen.see(t, "the last line", contains(23, "gatehouse explain --event N tells why"))
	screen.see(t, "a later second", contains(0, "12:00:03"))

	// Another size takes effect, and nothing is drawn outside of it.
	for _, size := range [][2]int{{40, 10}, {200, 60}} {
		screen.resize(size[0], size[1])
		if err := pty.Setsize(w.tty, &pty.Winsize{Rows: uint16(size[1]), Cols: uint16(size[0])}); err != nil {
			t.Fatal(err)
		}
		screen.see(t, fmt.Sprint("the last line of ", size), contains(size[1]-1, "gatehouse explain --event N tells"))
	}

	w.interrupt(t)
	screen.see(t, "the picture, left standing", func(lines []string) bool { return strings.Contains(lines[0], "READY") && screen.row == screen.height })
}

// A real kiosk is watched while guests come, while a lane is closed, and while it is away.
func TestWatchARealKiosk(t *testing.T) {
	dir := t.TempDir()
	if err := provideFleet(dir); err != nil {
		t.Fatal(err)
	}
	guests, err := plug(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = guests.Unplug() }()
	run := filepath.Join(dir, "run")
	stop := startKiosk(t, dir)
	waitFor(t, run, func(s *client.Status) bool {
		return s.Lanes[0].Scanner == "connected" && s.Lanes[0].Gate == "in service"
	})
	k := client.Dial(run)
	bundle, err := os.ReadFile(filepath.Join(dir, "arena.bundle"))
	if err == nil {
		_, err = k.Import(t.Context(), bundle)
	}
	ticket, readErr := os.ReadFile(filepath.Join(dir, "ticket.txt"))
	if err := errors.Join(err, readErr); err != nil {
		t.Fatal(err)
	}
	w := startWatch(t, run)
	anywhere := func(parts ...string) func([]string) bool {
		return func(lines []string) bool {
			text := strings.Join(lines, "\n")
			for _, p := range parts {
				if !strings.Contains(text, p) {
					return false
				}
			}
			return true
		}
	}
	w.screen.see(t, "a kiosk that is well", anywhere("arena/gate-1  READY", "data fresh", "connected, in service", "nothing is wrong"))
	if err := guests.Scan(strings.TrimSpace(string(ticket))); err != nil {
		t.Fatal(err)
	}
	w.screen.see(t, "a guest", anywhere("in-1          1  ok ", "admit ok ", "ticket arena"))
	if _, err := k.CloseLane(t.Context(), "in-1", client.Order{Reason: "wet floor"}); err != nil {
		t.Fatal(err)
	}
	w.screen.see(t, "a closed lane", anywhere("NOT READY", "CLOSED by uid ", "closed: uid "))
	stop()
	w.screen.see(t, "a kiosk that is away", anywhere("NO ANSWER. What is below is of ", "no kiosk answers here", "CLOSED by uid "))
	startKiosk(t, dir)
	w.screen.see(t, "a kiosk that is back", anywhere("arena/gate-1  NOT READY", "CLOSED by uid ", "admit ok "))
	w.interrupt(t)
}

// startKiosk starts a kiosk of a folder that provideFleet filled; the end of the test stops it at the latest.
func startKiosk(t *testing.T, dir string) (stop func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], filepath.Join(dir, "kiosk", "scanning.yaml"))
	cmd.Env = append(os.Environ(), envMain+"=kiosk")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		if err := errors.Join(cmd.Process.Signal(os.Interrupt), cmd.Wait()); err != nil {
			t.Errorf("the kiosk ended: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// waitFor waits until a kiosk's status is as wanted.
func waitFor(t *testing.T, run string, ok func(*client.Status) bool) {
	t.Helper()
	late, poll := time.After(30*time.Second), time.NewTicker(20*time.Millisecond)
	defer poll.Stop()
	for {
		s, err := client.Dial(run).Status(t.Context())
		if err == nil && !s.Clock.At.IsZero() && len(s.Lanes) == 1 && ok(s) {
			return
		}
		select {
		case <-late:
			t.Fatalf("the kiosk is not as wanted: %+v, %v", s, err)
		case <-poll.C:
		}
	}
}

// Where nothing can be drawn, a line tells what changed and what was recorded, and nothing is repeated.
func TestWatchLines(t *testing.T) {
	answers := make(chan client.Status, 4)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) {
		if s, ok := <-answers; ok {
			_ = json.NewEncoder(w).Encode(s)
			return
		}
		w.WriteHeader(http.StatusTeapot)
	})
	mux.HandleFunc("GET /v1/events", func(w http.ResponseWriter, r *http.Request) {
		p := client.Page{First: 1, Last: 7, Next: 8}
		if r.URL.Query().Get("from") == "7" {
			p.Events = []client.Event{{Number: 7, Kind: "trust", Note: "seven"}}
		}
		_ = json.NewEncoder(w).Encode(p)
	})
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	well := client.Status{Venue: "arena", Kiosk: "gate-1", Ready: true, Ledger: client.Ledger{Events: 6}, Data: client.Data{Freshness: "fresh"}, Clock: client.Clock{At: now, State: "synced"}}
	stale := well
	stale.Data.Freshness = "stale"
	answers <- well
	answers <- well
	answers <- stale
	close(answers)
	var out strings.Builder
	cmd := newRoot()
	cmd.SetArgs([]string{"watch", "--run", answering(t, mux)})
	cmd.SetOut(&out)
	if err := cmd.ExecuteContext(t.Context()); !errors.Is(err, client.ErrRefused) {
		t.Errorf("the end: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || lines[0] != "arena/gate-1: ready, data fresh, clock synced" || !strings.HasSuffix(lines[1], "seven") || !strings.Contains(lines[2], "data stale") {
		t.Errorf("got %q", lines)
	}
}

// The picture fits whatever there is to show, and whatever the size.
func TestPictureFits(t *testing.T) {
	status, page := crowded(1)
	for _, v := range []view{
		{status: status, events: page.Events},
		{status: status, events: page.Events, wrong: errors.New(strings.Repeat("the kiosk does not answer ", 9))},
		{status: &client.Status{}},
	} {
		for _, size := range [][2]int{{80, 24}, {40, 10}, {20, 5}, {1, 1}, {300, 100}} {
			lines := v.picture(size[0], size[1])
			if len(lines) > size[1] {
				t.Errorf("%v: %d lines", size, len(lines))
			}
			for _, l := range lines {
				if used := len([]rune(pad(l, size[0]))); cut(l, size[0]) != l || used > size[0] || strings.ContainsAny(l, "\x1b\n") {
					t.Errorf("%v: %q", size, l)
				}
			}
		}
	}
}
