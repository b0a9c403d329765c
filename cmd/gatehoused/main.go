// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Some of the signing certificates in the world have a negative serial number, which crypto/x509 refuses by default.
//go:debug x509negativeserial=1

// Command gatehoused is the daemon of a kiosk: it runs the lanes that its local config names until it is told to stop,
// and leaves them inert.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"gatehouse/device"
)

// Exit codes, as sysexits.h names them, so that a unit can tell a bad config from a fault.
const (
	exitFault  = 1
	exitUsage  = 64
	exitConfig = 78
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	signal.Ignore(syscall.SIGPIPE) // who read the log may be gone: no reason to leave a relay where it is
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr, device.Board()))
}

// run is the program; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, hw device.Hardware) int {
	flags := flag.NewFlagSet("gatehoused", flag.ContinueOnError)
	flags.SetOutput(stderr)
	path := flags.String("config", "/etc/gatehouse/gatehouse.yaml", "the local config, as gatehouse-fleet kiosk add writes it")
	check := flags.Bool("check", false, "check the local config and end")
	doctor := flags.Bool("doctor", false, "look for what keeps this kiosk from working, print it and end with 1 if something fails; see gatehouse doctor")
	asJSON := flags.Bool("json", false, "print the doctor's report as JSON")
	rest := flags.Bool("rest", false, "bring the lanes of a daemon that is dead to their inert level (on fire to that of the fire) and end; for ExecStopPost")
	version := flags.Bool("version", false, "print the version and end")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "gatehoused runs the lanes of this kiosk. Its log goes to standard error.\n\nUsage: gatehoused [flags]")
		flags.PrintDefaults()
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return exitUsage
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "gatehoused: %q is no flag; see gatehoused -help\n", flags.Arg(0))
		return exitUsage
	}
	if *version {
		fmt.Fprintln(stderr, "gatehoused", device.Version())
		return 0
	}
	if *doctor {
		return printReport(stdout, device.Doctor(ctx, *path), *asJSON)
	}
	if *rest {
		return restLanes(*path, stderr, hw)
	}
	cfg, err := device.LoadConfig(*path)
	if err != nil && (*check || !errors.Is(err, device.ErrVenueKey)) { // people are let out without the key
		fmt.Fprintln(stderr, "gatehoused:", err)
		return exitConfig
	}
	if *check {
		fmt.Fprintf(stderr, "gatehoused: %s is a valid local config\n", *path)
		return 0
	}
	lines := newLogWriter(stderr, mostLog)
	defer lines.end()
	log := slog.New(slog.NewTextHandler(lines, nil))
	stdlog.SetOutput(io.Discard) // periph writes there at every look for a chip; what is wrong is a condition of the lane
	if err := device.Run(ctx, cfg, hw, log); err != nil {
		log.Error("kiosk cannot run", "error", err)
		return exitCode(err)
	}
	return 0
}

// defaultRun is the run folder where neither the config nor the service manager (systemd.exec(5), RuntimeDirectory) tells it.
const defaultRun = "/run/gatehouse"

// restLanes brings the lanes of a dead daemon to rest.
func restLanes(path string, stderr io.Writer, hw device.Hardware) int {
	err := device.Rest(path, cmp.Or(os.Getenv("RUNTIME_DIRECTORY"), defaultRun), hw)
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "gatehoused:", err)
	return exitCode(err)
}

func exitCode(err error) int {
	if errors.Is(err, device.ErrConfig) {
		return exitConfig
	}
	return exitFault
}
