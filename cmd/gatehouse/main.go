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
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRoot().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "gatehouse: %v\n", err)
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
		newEvents(), newExplain(), newWatch(), newLanes(), newTrust(), newRevoked(), newLines(), newGate(), newScanner(), newSupport(), newMan())
	return root
}
