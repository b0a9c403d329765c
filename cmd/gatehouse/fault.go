// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gatehouse/device/condition"
)

func newFault() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "fault [CODE]",
		Short: "Explain a fault code",
		Long: `Fault tells what a fault code means, what it mostly comes from and what to do. Without a code it lists all of them.

The codes are in the answer of gatehouse status, in the log and on the staff's screen. They are stable: docs/runbook.md has
the same table. It works with the daemon dead.

--json prints the row, or a list of them: code, name, per_lane, severity (error or warning), depends_on (the codes that bring
it about), delay_s (how long it lasts before the status shows it), meaning, cause and do. Fields may be added; those there
stay.`,
		Example: `  gatehouse fault GH-101
  gatehouse fault 101
  gatehouse fault`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeFault,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && asJSON {
				return printJSON(cmd.OutOrStdout(), faultsOf(condition.Table()))
			}
			if len(args) == 0 {
				return listFaults(cmd.OutOrStdout())
			}
			row, ok := condition.Parse(args[0])
			if !ok {
				return fmt.Errorf("%q is no fault code of this version; list them with: gatehouse fault", args[0])
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), faultsOf([]condition.Row{row})[0])
			}
			return printFault(cmd.OutOrStdout(), row)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	return cmd
}

// completeFault has a shell complete a code.
func completeFault(_ *cobra.Command, args []string, _ string) (codes []string, _ cobra.ShellCompDirective) {
	for _, r := range condition.Table() {
		if len(args) == 0 {
			codes = append(codes, string(r.Code)+"\t"+place(r))
		}
	}
	return codes, cobra.ShellCompDirectiveNoFileComp
}

// fault is a row of the table as programs read it.
type fault struct {
	Code      condition.Code   `json:"code"`
	Name      string           `json:"name"`
	PerLane   bool             `json:"per_lane"`
	Severity  string           `json:"severity"`
	DependsOn []condition.Code `json:"depends_on,omitempty"`
	Delay     float64          `json:"delay_s"`
	Meaning   string           `json:"meaning"`
	Cause     string           `json:"cause"`
	Do        string           `json:"do"`
}

func faultsOf(rows []condition.Row) (list []fault) {
	for _, r := range rows {
		list = append(list, fault{r.Code, r.Name, r.PerLane, string(r.Severity), r.DependsOn, r.Delay.Seconds(), r.Meaning, r.Cause, r.Do})
	}
	return list
}

func listFaults(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range condition.Table() {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.Code, r.Severity, place(r), firstSentence(r.Meaning))
	}
	return t.Flush()
}

func printFault(w io.Writer, r condition.Row) error {
	_, err := fmt.Fprintf(w, "%s %s (%s)\n\nwhat it means: %s\nwhere from:    %s\nwhat to do:    %s\n", r.Code, place(r), r.Severity, r.Meaning, r.Cause, r.Do)
	if err != nil || len(r.DependsOn) == 0 {
		return err
	}
	_, err = fmt.Fprintf(w, "look first at: %s, if it shows too\n", condition.Join(r.DependsOn))
	return err
}

// place is the condition's name as it is said of no lane in particular.
func place(r condition.Row) string {
	if r.PerLane {
		return "lane … " + r.Name
	}
	return r.Name
}

func firstSentence(text string) string {
	first, _, _ := strings.Cut(text, ". ")
	return strings.TrimSuffix(first, ".")
}
