// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gatehouse/device/client"
)

func newLedger() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Look after the record of admissions",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newLedgerCheck(), newAcceptLoss())
	return cmd
}

func newLedgerCheck() *cobra.Command {
	var run string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Follow the chain of recorded events",
		Long: `Check has the running kiosk follow the hashes that chain its events, from the first that is kept to the last. Older ones
were pruned after the time and at the size of the local config (ledger: keep and size_mib), and the hash at the last of
them was kept, so that the chain holds from there on. It exits with 1 and names the first event that is not the one
that was recorded.

--json prints an object: first and last, the numbers of the events, and link, the hash of the chain at the last. Fields may
be added; those there stay.`,
		Example: `  gatehouse ledger check
  gatehouse ledger check --json | jq .last`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			chain, err := client.Dial(run).CheckLedger(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), chain)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "events %d to %d, each the one that was recorded; link at the last: %s\n", chain.First, chain.Last, chain.Link)
			return err
		},
	}
	addRun(cmd, &run)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}

func newAcceptLoss() *cobra.Command {
	var run string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "accept-loss",
		Short: "Go on without a ledger that was lost",
		Long: `A kiosk whose record of admissions is damaged or gone cannot tell which passes of limited use were used, and answers
them "out of order". Accept-loss lets it go on with a new record. Passes that were used before the loss will then be
admitted once more. Before that, look for the former ledger.db: on another card, in a backup, or beside the new one as
ledger.db.corrupt-1.

That the loss was accepted is recorded.

--json prints an object: accepted, which is true. Fields may be added; those there stay.`,
		Example: `  sudo gatehouse ledger accept-loss`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := client.Dial(run).AcceptLoss(cmd.Context()); err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), map[string]bool{"accepted": true})
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "accepted: passes of limited use are admitted again")
			return err
		},
	}
	addRun(cmd, &run)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}
