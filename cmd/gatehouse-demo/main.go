// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Some of the signing certificates in the world have a negative serial number, which crypto/x509 refuses by default.
//go:debug x509negativeserial=1

// Command gatehouse-demo plays a morning at one gate with the real kiosk: it makes a fleet, starts the kiosk as a child
// of itself with a scanner on a pty, a simulated board and a clock that the story moves, shows codes by a script and
// compares every answer with what the script wants. It leaves nothing behind unless it is told to keep the kiosk running.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "gatehouse-demo:", err)
		os.Exit(1)
	}
}

const goesOn = `
The kiosk goes on running, by the story's clock. In another terminal:

  go run ./cmd/gatehouse status --run %s
  go run ./cmd/gatehouse watch --run %s
  go run ./cmd/gatehouse events --run %s

Ctrl-C ends it.
`

var errEnded = errors.New("ended before the morning was over")

func run(ctx context.Context, args []string) error {
	if config := os.Getenv(envConfig); config != "" {
		return runKiosk(ctx, config, os.Getenv(envBoard))
	}
	flags := flag.NewFlagSet("gatehouse-demo", flag.ContinueOnError)
	keep := flags.Bool("keep", false, "leave the kiosk running at the end, until Ctrl-C")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "gatehouse-demo plays a morning at one gate and exits with 1 if an answer is not the script's.\n\nUsage: gatehouse-demo [flags]")
		flags.PrintDefaults()
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case flags.NArg() > 0:
		return fmt.Errorf("%q is no flag; see gatehouse-demo -help", flags.Arg(0))
	}
	s, err := newStage(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	err = play(ctx, s, os.Stdout)
	if ctx.Err() != nil {
		s.failed = false // nothing is wrong with a morning that somebody ended
		return errEnded
	}
	if err != nil {
		return err
	}
	if *keep {
		fmt.Printf(goesOn, s.run, s.run, s.run)
		<-ctx.Done()
	}
	return nil
}
