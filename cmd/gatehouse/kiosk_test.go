// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"gatehouse/device"
	"gatehouse/device/client"
	"gatehouse/fleet"
	"gatehouse/fleet/folder"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
	"gatehouse/gate/gpio"
)

// kiosk is a real kiosk for the scripts, all but its board: its local config is the one argument.
func kiosk() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := func() error {
		cfg, err := device.LoadConfig(os.Args[1])
		if err != nil {
			return err
		}
		board := gatetest.New(gatetest.Config{})
		hw := device.Hardware{
			Lines: func(l device.LaneConfig) (gate.Lines, error) { return board.Lines(l.Name), nil },
			Clock: device.SystemClock(),
			Chips: func() ([]gpio.Chip, error) {
				return []gpio.Chip{{Name: "gpiochip0", Label: "simulated", Path: "/dev/gpiochip0", Lines: []gpio.NamedLine{{Number: 4, Name: "simulated"}, {Number: 7, Name: "spare", Consumer: "fan"}}}}, nil
			},
		}
		hw.Clock.Synced = func() bool { return true } // whatever keeps this machine's time
		return device.Run(ctx, cfg, hw, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// powerless is gatehouse for a user to whom the modes of files apply, even where the tests run as root.
func powerless() {
	runtime.LockOSThread()
	// Without the right to change the set there is nothing to take out of it.
	_ = unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_DAC_OVERRIDE, 0, 0, 0)
	path, err := exec.LookPath("gatehouse")
	if err == nil {
		err = unix.Exec(path, append([]string{"gatehouse"}, os.Args[1:]...), os.Environ())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(2)
}

// babbler answers every question on both sockets in the folder that is its argument, and never in JSON.
func babbler() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := os.Mkdir(os.Args[1], 0o755)
	for _, name := range []string{client.StatusSocket, client.ControlSocket} {
		l, listenErr := net.Listen("unix", filepath.Join(os.Args[1], name))
		if err = errors.Join(err, listenErr); err != nil {
			break
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "<html>GH1:") })}
		defer server.Close()
		go func() { _ = server.Serve(l) }()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	<-ctx.Done()
}

// waitFile waits until there is a file:
//
//	waitfile FILE
func waitFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitfile FILE")
	}
	late, poll := time.After(30*time.Second), time.NewTicker(20*time.Millisecond)
	defer poll.Stop()
	for {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		select {
		case <-late:
			ts.Fatalf("%s never came", args[0])
		case <-poll.C:
		}
	}
}

// provideFleet makes the fleet of one venue, its kiosk's local config (kiosk/gatehouse.yaml), two bundles of which the
// first is older, and one of another fleet.
func provideFleet(dir string) error {
	made, err := newFleet(filepath.Join(dir, "fleet"))
	if err != nil {
		return err
	}
	if err := provideTickets(made, dir); err != nil {
		return err
	}
	for _, name := range []string{"older.bundle", "arena.bundle"} {
		if err := writeBundle(made, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	other, err := newFleet(filepath.Join(dir, "other"))
	if err != nil {
		return err
	}
	if err := writeBundle(other, filepath.Join(dir, "other.bundle")); err != nil {
		return err
	}
	home, err := made.AddKiosk(fleet.Place{Venue: "arena", Kiosk: "gate-1"})
	if err != nil {
		return err
	}
	pin, err := made.Pin()
	if err != nil {
		return err
	}
	config := fmt.Sprintf(`venue: arena
kiosk: gate-1
root: %s
state: state
run: ../run
venue_key: venue.key
lanes:
  - name: in-1
    scanner: {port: /dev/gatehouse-none}
    gpio: {relay: {line: simulated}}
`, pin)
	if err := os.WriteFile(filepath.Join(home, "gatehouse.yaml"), []byte(config), 0o600); err != nil {
		return err
	}
	return os.Rename(home, filepath.Join(dir, "kiosk"))
}

func newFleet(dir string) (*folder.Folder, error) {
	made, err := folder.Init(dir, time.Now(), "arena")
	if err != nil {
		return nil, err
	}
	return made, made.AddIssuer("arena", folder.IssuerOptions{})
}

func writeBundle(f *folder.Folder, path string) error {
	b, err := f.Bundle("arena", time.Now())
	if err != nil {
		return err
	}
	text, err := b.Encode()
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// waitKiosk waits until a kiosk answers in a folder:
//
//	waitkiosk FOLDER
func waitKiosk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitkiosk FOLDER")
	}
	waitLane(ts, client.Dial(ts.MkAbs(args[0])), "a kiosk", func(l client.Lane) bool { return l.Gate == "in service" })
}
