// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gatehouse/device"
	"gatehouse/device/client"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
	"gatehouse/test/mosquitto"
)

// The chapter of docs/operations.md about the network is run as it stands, over Debian's Mosquitto, with a kiosk that is
// real but for its board.
func TestNetworkManual(t *testing.T) {
	mosquitto.Need(t)
	_, text := operations(t)
	port := mosquitto.FreePort(t)
	s := &session{network: true}
	s.run(t, strings.ReplaceAll(text, "8883", strconv.Itoa(port)), 20, map[string]func(*testscript.TestScript, bool, []string){
		"until": untilPrinted,
		"broker": func(ts *testscript.TestScript, _ bool, args []string) {
			mosquitto.Run(t, filepath.Dir(ts.MkAbs(args[0])), port)
		},
	})
}

// untilMost is how long what is expected may take on a slow machine.
const untilMost = 90 * time.Second

// untilPrinted runs a command until it prints what is expected: until STDIN PATTERN… -- COMMAND ARGUMENT….
func untilPrinted(ts *testscript.TestScript, _ bool, args []string) {
	at := slices.Index(args, "--")
	if at < 2 || at+1 >= len(args) {
		ts.Fatalf("usage: until STDIN PATTERN… -- COMMAND ARGUMENT…")
	}
	var patterns []*regexp.Regexp
	for _, p := range args[1:at] {
		re, err := regexp.Compile(p)
		ts.Check(err)
		patterns = append(patterns, re)
	}
	stdin := ""
	if args[0] != "" {
		stdin = ts.ReadFile(args[0])
	}
	late, poll := time.After(untilMost), time.NewTicker(100*time.Millisecond)
	defer poll.Stop()
	for {
		cmd := exec.Command(args[at+1], args[at+2:]...)
		cmd.Dir, cmd.Stdin = ts.MkAbs("."), strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err == nil && !slices.ContainsFunc(patterns, func(re *regexp.Regexp) bool { return !re.Match(out) }) {
			ts.Logf("%s", bytes.TrimSpace(out))
			return
		}
		select {
		case <-late:
			ts.Fatalf("%q never printed %q, but in the end, with %v:\n%s", args[at+1:], args[1:at], err, out)
		case <-poll.C:
		}
	}
}

// runKiosk is gatehoused but for its board and for who keeps its clock.
func runKiosk() {
	path := flag.String("config", "", "")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	cfg, err := device.LoadConfig(*path)
	if err == nil {
		board := gatetest.New(gatetest.Config{})
		hw := device.Hardware{Lines: func(l device.LaneConfig) (gate.Lines, error) { return board.Lines(l.Name), nil }, Clock: device.SystemClock()}
		hw.Clock.Synced = func() bool { return true } // whatever keeps this machine's time
		err = device.Run(ctx, cfg, hw, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	}
	exitWith(err)
}

// explainPass is gatehouse explain, and prints its last line.
func explainPass() {
	var run string
	code, err := bufio.NewReader(os.Stdin).ReadString('\n') // a code may have spaces
	if at := slices.Index(os.Args, "--run"); err == nil && at > 0 && at+1 < len(os.Args) {
		run = os.Args[at+1]
	}
	if err == nil {
		var e *client.Explanation
		if e, err = client.Dial(run).Explain(context.Background(), client.Shown{Codes: []string{strings.TrimSuffix(code, "\n")}}); err == nil {
			fmt.Printf("%s: %s. %s\n", e.Answers[0].Outcome, e.Answers[0].Reason, e.Answers[0].Sentence)
		}
	}
	exitWith(err)
}

func exitWith(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
