// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

//go:debug x509negativeserial=1

// Command gatehouse is the technician's tool. Its commands that check, draw and read codes work with
// the daemon dead and keep nothing: codes come from standard input or from a picture, never as an argument
// that other users of the machine could see.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"gatehouse/manual"
)

//go:generate go run . man ../../docs/man
//go:generate go run . completions ../../docs/completions

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRoot().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "gatehouse: %s\n", plainLines(string(codes.ReplaceAllFunc([]byte(err.Error()), masked))))
		os.Exit(1)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "gatehouse",
		Short: "Check codes and look after a kiosk",
		Long: `Gatehouse checks the codes that people show and opens gates.

This is the technician's tool. Every command explains itself with --help.`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(newVerify(), newQR(), newDecode(), newStatus(), newDoctor(), newFault(), newImport(), newLedger(),
		newEvents(), newExplain(), newWatch(), newLanes(), newTrust(), newRevoked(), newLines(), newGate(), newScanner(), newSupport())
	root.AddCommand(manual.Commands()...)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return readOn(cmd, nil, err) })
	guide(root)
	return root
}

// guide has every command tell where to read on when it does not understand its arguments.
func guide(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return readOn(cmd, args, err)
			}
			return nil
		}
	}
	cmd.SuggestionsMinimumDistance = 2 // letters that may be wrong in the name of a command
	for _, sub := range cmd.Commands() {
		guide(sub)
	}
}

func readOn(cmd *cobra.Command, args []string, err error) error {
	if cmd.HasSubCommands() && len(args) > 0 {
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			return fmt.Errorf("%w; did you mean: %s %s", err, cmd.CommandPath(), near[0])
		}
	}
	return fmt.Errorf("%w; see: %s --help", err, cmd.CommandPath())
}
