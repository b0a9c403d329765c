// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"gatehouse/device/client"
)

func newGate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gate",
		Short: "Open a lane by hand",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newGateOpen())
	return cmd
}

func newGateOpen() *cobra.Command {
	var run, reason string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "open LANE --reason TEXT",
		Short: "Open a lane for one pulse, for a reason that is recorded",
		Long: `Open has the running kiosk open a lane once, for as long as it opens for a guest. Before the lane opens, an event is on
the disk: reason override, the user who asked as the kernel knows him (uid), and the reason, which anybody reads who reads
the record: write no name of a guest into it. Without a reason, and when it cannot be recorded, the lane stays shut. A lane
that is open for somebody is waited for, 8 seconds at most.

It needs no documents and no pass, and the right to write to the control socket.

--json prints an object: lane, event (its number) and by. Fields may be added; those there stay.`,
		Example: `  gatehouse gate open in-1 --reason "wheelchair, sent by staff"
  gatehouse events --reason override`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one lane; gatehouse lanes lists them")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return errors.New(`write why, which is recorded: gatehouse gate open LANE --reason "wheelchair, sent by staff"`)
			}
			o, err := client.Dial(run).Open(cmd.Context(), args[0], client.Order{Reason: reason})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), o)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "lane %s was opened, event %d, by %s\n", o.Lane, o.Event, o.By)
			return err
		},
	}
	addRun(cmd, &run)
	cmd.Flags().StringVar(&reason, "reason", "", "why, one line of `text`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}
