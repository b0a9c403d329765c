// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"gatehouse/device/client"
)

func newWatch() *cobra.Command {
	var run string
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Watch this kiosk live: lanes, faults and decisions",
		Long: `Watch shows the lanes, what is wrong, the age of the data, the clock and the newest events, and draws them anew every
second, in any terminal from 40×10 on, over SSH too. It ends with Ctrl-C and leaves the last picture standing; it changes
no mode of the terminal, so that there is nothing to restore whatever ends it.

On a terminal that cannot move its cursor (TERM=dumb), or into a file, it prints a line for each event, and one when
something changes about the kiosk.`,
		Example: `  gatehouse watch
  ssh -t kiosk gatehouse watch
  gatehouse watch | tee morning.log`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			kiosk := client.Dial(run)
			if screen, ok := screenOf(cmd.OutOrStdout()); ok {
				return watchScreen(cmd.Context(), kiosk, screen)
			}
			return watchLines(cmd.Context(), kiosk, cmd.OutOrStdout())
		},
	}
	addRun(cmd, &run)
	return cmd
}

// watchPeriod is how often the kiosk is asked.
const watchPeriod = time.Second

// watchScreen draws until ctx ends. A kiosk that stops meanwhile is shown as that.
func watchScreen(ctx context.Context, kiosk *client.Client, s *screen) error {
	v, err := look(ctx, kiosk)
	if err != nil {
		return err
	}
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	tick := time.NewTicker(watchPeriod)
	defer tick.Stop()
	if err := s.begin(); err != nil {
		return err
	}
	for {
		width, height := s.size()
		if err := s.draw(v.picture(width, height)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return s.end()
		case <-resized:
			s.forget()
		case <-tick.C:
			if seen, err := look(ctx, kiosk); err == nil {
				v = seen
			} else if ctx.Err() == nil {
				v.wrong = err
			}
		}
	}
}

// watchLines prints a line for each event, and one when something changes about the kiosk.
func watchLines(ctx context.Context, kiosk *client.Client, w io.Writer) error {
	tick := time.NewTicker(watchPeriod)
	defer tick.Stop()
	e := &events{kiosk: kiosk, out: w}
	var next uint64
	for last := ""; ; {
		v, err := look(ctx, kiosk)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if is := strings.Join(v.changes(), "\n"); is != last {
			if _, err := fmt.Fprintln(w, is); err != nil {
				return err
			}
			last = is
		}
		if next == 0 && !v.status.Clock.At.IsZero() {
			next = v.status.Ledger.Events + 1
		}
		if next != 0 {
			if next, err = e.more(ctx, next); err != nil && ctx.Err() == nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// screen is a terminal that can move its cursor.
type screen struct {
	file  *os.File
	lines []string // as they stand there; nil: nobody knows
}

// screenOf tells whether w is such a terminal.
func screenOf(w io.Writer) (*screen, bool) {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" || os.Getenv("TERM") == "" {
		return nil, false
	}
	_, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	return &screen{file: f}, err == nil
}

// size is how many columns and lines it has; that of a serial console, which does not say, is the smallest usual one.
func (s *screen) size() (width, height int) {
	ws, err := unix.IoctlGetWinsize(int(s.file.Fd()), unix.TIOCGWINSZ)
	if err != nil || ws.Col == 0 || ws.Row == 0 {
		return screenWidth, 24
	}
	return int(ws.Col), int(ws.Row)
}

// begin scrolls away what stood on the screen.
func (s *screen) begin() error {
	_, height := s.size()
	_, err := io.WriteString(s.file, strings.Repeat("\n", height))
	return err
}

// forget has the next picture drawn whole.
func (s *screen) forget() { s.lines = nil }

// draw writes the lines that differ from those that stand there, and leaves the cursor at the end of the last.
func (s *screen) draw(lines []string) error {
	var out strings.Builder
	if s.lines == nil || len(lines) < len(s.lines) {
		out.WriteString("\x1b[2J")
		s.lines = nil
	}
	for i, line := range lines {
		if i < len(s.lines) && s.lines[i] == line && i != len(lines)-1 {
			continue
		}
		fmt.Fprintf(&out, "\x1b[%d;1H\x1b[2K%s", i+1, line)
	}
	s.lines = slices.Clone(lines)
	_, err := io.WriteString(s.file, out.String())
	return err
}

// end leaves the picture and puts what comes next below it.
func (s *screen) end() error {
	_, err := io.WriteString(s.file, "\r\n")
	return err
}
