// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/fleet/folder"
	"gatehouse/scanner/scannertest"
)

// plugScanner gives a script's kiosk a scanner, which stays until the script ends. kiosk/scanning.yaml has it.
func plugScanner(env *testscript.Env) error {
	s, err := plug(env.WorkDir)
	if err != nil {
		return err
	}
	env.Values["scanner"] = s
	env.Defer(func() { _ = s.Unplug() })
	return nil
}

func plug(dir string) (*scannertest.Scanner, error) {
	s := scannertest.New(filepath.Join(dir, "scanner"), "\r")
	text, err := os.ReadFile(filepath.Join(dir, "kiosk", "gatehouse.yaml"))
	if err != nil {
		return nil, err
	}
	text = []byte(strings.Replace(string(text), "/dev/gatehouse-none", s.Path()+", same_code: -1s", 1))
	if err := os.WriteFile(filepath.Join(dir, "kiosk", "scanning.yaml"), text, 0o600); err != nil {
		return nil, err
	}
	return s, s.Plug()
}

// provideTickets writes tickets of the fleet's own issuer (ticket.txt, again.txt), a revoked one (withdrawn.txt) with
// its id (withdrawn-id.txt), and one that has expired (expired.txt).
func provideTickets(made *folder.Folder, dir string) error {
	for _, p := range []struct {
		name  string
		valid time.Duration
	}{{"ticket", time.Hour}, {"again", time.Hour}, {"withdrawn", time.Hour}, {"expired", -time.Minute}} {
		c := credential.Claims{Kind: "ticket", ID: make([]byte, 16), Expires: time.Now().Add(p.valid)}
		_, _ = rand.Read(c.ID) // never fails
		issued, err := made.Issue("arena", c)
		if err != nil {
			return err
		}
		if p.name == "withdrawn" {
			if _, err := made.Revoke("arena", issued.ID); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, "withdrawn-id.txt"), []byte(issued.ID+"\n"), 0o600); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(dir, p.name+".txt"), []byte(issued.Code+"\n"), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// scan shows what a file has to the kiosk in a folder and waits for its answer:
//
//	scan FOLDER FILE
func scan(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: scan FOLDER FILE")
	}
	kiosk := client.Dial(ts.MkAbs(args[0]))
	before := waitLane(ts, kiosk, "the scanner", func(l client.Lane) bool { return l.Scanner == "connected" })
	ts.Check(ts.Value("scanner").(*scannertest.Scanner).Scan(strings.TrimSpace(ts.ReadFile(args[1]))))
	waitLane(ts, kiosk, "an answer", func(l client.Lane) bool { return l.Scans > before.Scans })
}

// waitTap waits until somebody looks at the frames of the lane of a kiosk in a folder:
//
//	waittap FOLDER
func waitTap(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waittap FOLDER")
	}
	waitLane(ts, client.Dial(ts.MkAbs(args[0])), "a tap", func(l client.Lane) bool { return l.Tapped })
}

// waitLane waits until the kiosk's stores are open and its one lane is as wanted.
func waitLane(ts *testscript.TestScript, kiosk *client.Client, what string, ok func(client.Lane) bool) client.Lane {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		status, err := kiosk.Status(ctx)
		if err == nil && !status.Clock.At.IsZero() && len(status.Lanes) == 1 && ok(status.Lanes[0]) {
			return status.Lanes[0]
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("waited for %s: %v", what, fmt.Sprint(status, err))
		case <-poll.C:
		}
	}
}
