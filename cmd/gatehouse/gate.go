// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"gatehouse/device/client"
)

func newGate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gate",
		Short: "Open, close or release a lane by hand",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newOrder((*client.Client).OpenLane, "lane %s was opened", &cobra.Command{
		Use:   "open LANE --reason TEXT",
		Short: "Open a lane for one pulse, for a reason that is recorded",
		Long: `Open has the running kiosk open a lane once, for as long as it opens for a guest. A lane that is open for somebody is
waited for, 8 seconds at most. A lane that was closed with gate close opens for this one and stays closed to the next.

It needs no documents and no pass. The event is a decision with the reason override.` + onRecord,
		Example: `  gatehouse gate open in-1 --reason "wheelchair, sent by staff"
  gatehouse events --reason override`,
	}), newOrder((*client.Client).CloseLane, "lane %s is closed", &cobra.Command{
		Use:   "close LANE --reason TEXT",
		Short: "Close a lane to everybody until it is released",
		Long: `Close has a lane answer every code with lane_closed, and use no pass up, until gate release. It stays closed when the
daemon or the kiosk starts again; only with the record itself (ledger.db) is it forgotten. Closing does not move the gate:
who was let in a moment before walks through. The way out is not touched: exit and fire contacts work as ever, and a lane
out (direction: out in the signed config) cannot be closed.

gatehouse lanes tells which lane is closed, by whom and why; gatehouse status and doctor warn of it (GH-207). The event is of
the kind closed.` + onRecord,
		Example: `  gatehouse gate close in-1 --reason "wet floor"
  gatehouse lanes
  gatehouse events --kind closed`,
	}), newOrder((*client.Client).ReleaseLane, "lane %s decides again", &cobra.Command{
		Use:   "release LANE --reason TEXT",
		Short: "Have a lane that was closed decide again",
		Long: `Release ends what gate close began: the lane decides about the next code, or is free or closed as the hours of the signed
config say. It does not hold the gate open: no command does. A free passage is that of the signed hours (free), of a fire
alarm, or of a line that rests released by the local config (inert).

The event is of the kind released.` + onRecord,
		Example: `  gatehouse gate release in-1 --reason "floor is dry"
  gatehouse events --kind released`,
	}))
	return cmd
}

// onRecord is what all orders have in common.
const onRecord = `

Before anything changes, an event is on the disk: the user who asked as the kernel knows him (uid), and the reason, which
anybody reads who reads the record: write no name of a guest into it. Without a reason, and when it cannot be recorded,
everything stays as it was. It needs the right to write to the control socket.

--json prints an object: lane, event (its number) and by. Fields may be added; those there stay.`

// newOrder completes a command that gives an order for a lane.
func newOrder(give func(*client.Client, context.Context, string, client.Order) (*client.Obeyed, error), done string, cmd *cobra.Command) *cobra.Command {
	var run, reason string
	var asJSON bool
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return errors.New("name one lane; gatehouse lanes lists them")
		}
		return nil
	}
	cmd.ValidArgsFunction = completeLane(&run)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if reason == "" {
			return fmt.Errorf("write why, which is recorded: %s LANE --reason %q", cmd.CommandPath(), "wheelchair, sent by staff")
		}
		o, err := give(client.Dial(run), cmd.Context(), args[0], client.Order{Reason: reason})
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), o)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), done+", event %d, by %s\n", o.Lane, o.Event, o.By)
		return err
	}
	addRun(cmd, &run)
	cmd.Flags().StringVar(&reason, "reason", "", "why, one line of `text`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}

// completeLane has a shell complete the one lane of a command; there is nothing to choose from where no kiosk answers.
func completeLane(run *string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
		if s, err := client.Dial(*run).Status(cmd.Context()); err == nil && len(args) == 0 {
			for _, l := range s.Lanes {
				names = append(names, l.Name)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
