// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"gatehouse/device/client"
)

// envMain makes the test's own program the command.
const envMain = "GATEHOUSE_TEST_MAIN"

// terminal is what a person sees: it understands what watch writes, and nothing else.
type terminal struct {
	mu            sync.Mutex
	width, height int
	rows          map[int][]rune
	row, col      int
	faults        []string
	settling      bool          // it has another size, and what was written for the former may still come
	changed       chan struct{} // holds one
}

func newTerminal(width, height int) *terminal {
	return &terminal{width: width, height: height, rows: map[int][]rune{}, row: height, col: 1, changed: make(chan struct{}, 1)}
}

func (s *terminal) resize(width, height int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.width, s.height, s.rows, s.settling = width, height, map[int][]rune{}, true
}

// read takes what the program writes until it ends.
func (s *terminal) read(r io.Reader) {
	in := bufio.NewReader(r)
	for {
		c, _, err := in.ReadRune()
		if err != nil {
			return
		}
		s.mu.Lock()
		switch c {
		case '\x1b':
			s.control(in)
		case '\r':
			s.col = 1
		case '\n':
			s.row = min(s.row+1, s.height) // or it scrolls
		default:
			s.put(c)
		}
		s.mu.Unlock()
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
}

func (s *terminal) control(in *bufio.Reader) {
	var seq strings.Builder
	for {
		c, err := in.ReadByte()
		if err != nil {
			return
		}
		seq.WriteByte(c)
		if c >= '@' && c != '[' {
			break
		}
	}
	var row, col int
	switch n, _ := fmt.Sscanf(seq.String(), "[%d;%dH", &row, &col); {
	case n == 2:
		if s.row, s.col = row, col; row > s.height {
			s.fault("line %d of %d", row, s.height)
		}
	case seq.String() == "[2K":
		delete(s.rows, s.row)
	case seq.String() == "[2J":
		s.rows, s.settling = map[int][]rune{}, false
	default: // a mode that would have to be restored, a hidden cursor among them
		s.fault("sequence %q", seq.String())
	}
}

func (s *terminal) fault(format string, args ...any) {
	if !s.settling {
		s.faults = append(s.faults, fmt.Sprintf(format, args...))
	}
}

func (s *terminal) put(c rune) {
	if s.col+columns(c)-1 > s.width {
		s.fault("column %d of %d in line %d: %q", s.col, s.width, s.row, string(s.rows[s.row]))
	}
	s.rows[s.row] = append(s.rows[s.row], c)
	s.col += columns(c)
}

// see waits until the picture satisfies.
func (s *terminal) see(t *testing.T, what string, ok func(lines []string) bool) {
	t.Helper()
	late := time.NewTimer(30 * time.Second)
	defer late.Stop()
	for {
		s.mu.Lock()
		var lines []string
		for i := range s.height {
			lines = append(lines, string(s.rows[i+1]))
		}
		faults := s.faults
		s.mu.Unlock()
		if len(faults) > 0 {
			t.Fatalf("%s: %q", what, faults)
		}
		if ok(lines) {
			return
		}
		select {
		case <-s.changed:
		case <-late.C:
			t.Fatalf("waited for %s:\n%s", what, strings.Join(lines, "\n"))
		}
	}
}

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
	cmd := exec.Command(os.Args[0], "watch", "--run", answering(t, mux))
	cmd.Env = append(os.Environ(), envMain+"=1", "TERM=vt100", "TZ=UTC")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	screen, read := newTerminal(80, 24), make(chan struct{})
	go func() { defer close(read); screen.read(tty) }()

	contains := func(i int, text string) func([]string) bool {
		return func(lines []string) bool { return i < len(lines) && strings.Contains(lines[i], text) }
	}
	screen.see(t, "the heading", contains(0, "arena/gate-1  READY  2026-05-04 12:00:"))
	screen.see(t, "the data's age", contains(1, "data fresh, signed 1h0m ago; stale in 1h0m, hard in 2d0h"))
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
		if err := pty.Setsize(tty, &pty.Winsize{Rows: uint16(size[1]), Cols: uint16(size[0])}); err != nil {
			t.Fatal(err)
		}
		screen.see(t, fmt.Sprint("the last line of ", size), contains(size[1]-1, "gatehouse explain --event N tells"))
	}

	if _, err := tty.Write([]byte("\x03")); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended by Ctrl-C: %v", err)
	}
	<-read
	screen.see(t, "the picture, left standing", func(lines []string) bool { return strings.Contains(lines[0], "READY") && screen.row == screen.height })
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
	well := client.Status{Venue: "arena", Kiosk: "gate-1", Ready: true, Ledger: client.Ledger{Events: 6}, Data: client.Data{Freshness: "fresh"}, Clock: client.Clock{State: "synced"}}
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
