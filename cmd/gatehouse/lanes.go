// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gatehouse/device/client"
	"gatehouse/entry"
)

func newLanes() *cobra.Command {
	var run string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "lanes",
		Short: "Show how each lane of this kiosk is",
		Long: `Lanes shows of each lane its scanner, gate and contacts (passage sensor, exit, fire), how often it answered since the
start and what it answered last; of one that staff closed also who did, when and why, and whether it is a lane out, or closed or open to
everybody at this hour, as the signed config says.

--json prints a list of objects: name, mode (in, out, closed or free), scanner, gate, sensor, exit and fire (none where none
is wired), scans, outcomes (a count for each), last and last_at, closed where staff closed it (event, at and note), and tapped
while somebody looks at its frames (gatehouse scanner tap). Fields may be added; those there stay.`,
		Example: `  gatehouse lanes
  gatehouse lanes --json | jq '.[] | select(.gate != "in service")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := client.Dial(run).Status(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), s.Lanes)
			}
			for _, l := range s.Lanes {
				if err := printLane(cmd.OutOrStdout(), l); err != nil {
					return err
				}
			}
			return nil
		},
	}
	addRun(cmd, &run)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the lanes as JSON")
	return cmd
}

func printLane(w io.Writer, l client.Lane) error {
	contacts := ""
	for _, c := range []struct{ name, state string }{{"sensor: ", l.Sensor}, {"exit:   ", l.Exit}, {"fire:   ", l.Fire}} {
		if c.state != "" {
			contacts += "\n  " + c.name + " " + plain(c.state)
		}
	}
	closed := ""
	if l.Closed != nil {
		closed = fmt.Sprintf("\n  CLOSED:  since %s by %s; open it again with: gatehouse gate release %s --reason TEXT", local(l.Closed.At), plain(l.Closed.Note), l.Name)
	}
	if l.Tapped {
		closed += "\n  tapped:  somebody looks at the frames of its scanner"
	}
	mode := modeText(&l)
	if mode != "" {
		mode = ", " + mode
	}
	_, err := fmt.Fprintf(w, "lane %s%s%s\n  scanner: %s\n  gate:    %s%s\n  scans:   %d%s\n", l.Name, mode, closed, plain(l.Scanner), plain(l.Gate), contacts, l.Scans, outcomeCounts(l))
	return err
}

// modeText tells of a lane that does not let in by pass now, as the signed config says; "" of every other.
func modeText(l *client.Lane) string {
	switch {
	case l.Closed != nil:
		return ""
	case l.Mode == string(entry.ModeOut):
		return "out"
	case l.Mode == string(entry.ModeClosed):
		return "closed at this hour"
	case l.Mode == string(entry.ModeFree):
		return "OPEN TO EVERYBODY at this hour"
	}
	return ""
}

func newLines() *cobra.Command {
	var run string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "lines",
		Short: "List the GPIO chips and their named lines",
		Long: `Lines lists the GPIO chips of the board and those of their lines that have a name: these are what gpio: in the local
config can name. Beside each is what the config has it for, and who held it when the daemon first looked. No line is
taken or moved. With the daemon dead, gatehouse doctor looks for the lines that the config names, and gpioinfo lists all.

--json prints chips, each with name, label, path and lines, which have number, name, consumer and wired (lane and output).
Fields may be added; those there stay.`,
		Example: `  gatehouse lines
  gatehouse lines --json | jq '.chips[].lines[] | select(.wired)'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := client.Dial(run).Lines(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), l)
			}
			return printLines(cmd.OutOrStdout(), l)
		},
	}
	addRun(cmd, &run)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the chips as JSON")
	return cmd
}

func printLines(w io.Writer, l *client.Lines) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range l.Chips {
		fmt.Fprintf(t, "%s (%s, %s)\n", c.Name, plain(c.Label), c.Path)
		if len(c.Lines) == 0 {
			fmt.Fprintln(t, "  none of its lines has a name; name them (gpio-line-names in the device tree)")
		}
		for _, line := range c.Lines {
			use := strings.TrimPrefix(line.Wired, " ")
			if line.Consumer != "" {
				use = strings.TrimSpace(use + " (held by " + line.Consumer + ")")
			}
			fmt.Fprintf(t, "  %d\t%s\t%s\n", line.Number, plain(line.Name), plain(use))
		}
	}
	return t.Flush()
}
