// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

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

// watching is gatehouse watch in a terminal of 80×24.
type watching struct {
	tty    *os.File
	screen *terminal
	cmd    *exec.Cmd
	read   chan struct{}
}

func startWatch(t *testing.T, run string) *watching {
	t.Helper()
	w := &watching{screen: newTerminal(80, 24), cmd: exec.Command(os.Args[0], "watch", "--run", run), read: make(chan struct{})}
	w.cmd.Env = append(os.Environ(), envMain+"=gatehouse", "TERM=vt100", "TZ=UTC")
	var err error
	if w.tty, err = pty.StartWithSize(w.cmd, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = w.cmd.Process.Kill()
		_ = w.tty.Close()
	})
	go func() { defer close(w.read); w.screen.read(w.tty) }()
	return w
}

// interrupt presses Ctrl-C, which ends it well.
func (w *watching) interrupt(t *testing.T) {
	t.Helper()
	if _, err := w.tty.Write([]byte("\x03")); err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Wait(); err != nil {
		t.Errorf("ended by Ctrl-C: %v", err)
	}
	<-w.read
}
