// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"gatehouse/device/client"
	"gatehouse/scanner/scannertest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gatehoused": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:       "testdata/script",
		Cmds:      map[string]func(*testscript.TestScript, bool, []string){"waitcondition": waitCondition, "plug": plug},
		Condition: condition,
	})
}

// condition tells what machine the scripts run on: gpio where it has a GPIO chip, ondisk where their files outlive the
// power.
func condition(name string) (bool, error) {
	switch name {
	case "gpio":
		chips, err := filepath.Glob("/dev/gpiochip*")
		return len(chips) > 0, err
	case "ondisk":
		var fs unix.Statfs_t
		err := unix.Statfs(os.TempDir(), &fs)
		return fs.Type != unix.TMPFS_MAGIC && fs.Type != unix.RAMFS_MAGIC, err
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// plug plugs a scanner in, on a pty, for the rest of the script:
//
//	plug PATH
func plug(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: plug PATH")
	}
	s := scannertest.New(ts.MkAbs(args[0]), "\r")
	ts.Check(s.Plug())
	ts.Defer(func() { _ = s.Unplug() })
}

// waitCondition waits until the kiosk whose sockets are in a folder reports a condition with a text:
//
//	waitcondition FOLDER NAME TEXT
func waitCondition(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: waitcondition FOLDER NAME TEXT")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	kiosk := client.Dial(ts.MkAbs(args[0]))
	for poll := time.NewTicker(20 * time.Millisecond); ; {
		status, err := kiosk.Status(ctx)
		if err == nil {
			for _, c := range status.Conditions {
				if c.Name == args[1] && strings.Contains(c.Text, args[2]) {
					poll.Stop()
					return
				}
			}
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("no condition %q with %q: %v %+v", args[1], args[2], err, status)
		case <-poll.C:
		}
	}
}
