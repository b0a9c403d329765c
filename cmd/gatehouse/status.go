// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/device/client"
	"gatehouse/entry"
)

func newStatus() *cobra.Command {
	var run string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how this kiosk is",
		Long: `Status asks the running daemon how it is: its lanes, the age of its data and what is wrong. Issuers that are down are
listed, and the emergency measures in force: whose passes may be older now, under which rule (outage_max_age).

What is wrong shows once it has lasted for a few seconds, with its fault code; what follows from something else is below
that. Status exits with 1 when no kiosk answers, and with 0 whatever the kiosk says.

--json prints the daemon's answer: venue, kiosk, version, started, ready, lanes (as gatehouse lanes --json), data (freshness,
signed, fresh_until, hard_after, incomplete, documents, down, each with issuer and since, and emergency, each with rule,
kind, issuers, max_age and outage_max_age), clock (at, state, synced), ledger (id, events, commits), and conditions, each with
code, name, lane (not of the kiosk's own), severity (error or warning), text, since, times and leads_to (conditions that
follow from it). Fields may be added; those there stay.`,
		Example: `  gatehouse status
  gatehouse status --json | jq .conditions
  gatehouse status --run /tmp/demo/run`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := client.Dial(run).Status(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), s)
			}
			return printStatus(cmd.OutOrStdout(), s)
		},
	}
	addRun(cmd, &run)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the daemon's answer as JSON")
	return cmd
}

func addRun(cmd *cobra.Command, run *string) {
	cmd.Flags().StringVar(run, "run", client.DefaultRun, "the `folder` of the kiosk's sockets")
}

func printStatus(w io.Writer, s *client.Status) error {
	ready := "ready"
	if !s.Ready {
		ready = "NOT READY: no lane can admit"
	}
	fmt.Fprintf(w, "kiosk %s/%s: %s (version %s, running since %s)\n\n", s.Venue, s.Kiosk, ready, s.Version, local(s.Started))
	fmt.Fprintf(w, "data: %s%s\n", s.Data.Freshness, bands(s.Data))
	for _, missing := range s.Data.Incomplete {
		fmt.Fprintf(w, "  missing: %s\n", missing)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, d := range s.Data.Documents {
		older := ""
		if d.Freshness != "" {
			older = ", older than the rest: " + d.Freshness
		}
		fmt.Fprintf(t, "  %s\t%s\tversion %d%s\n", d.Kind, d.Scope, d.Version, older)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, line := range outages(s) {
		fmt.Fprintln(w, line)
	}
	if s.Clock.At.IsZero() {
		fmt.Fprintln(w, "clock and ledger: not there yet; people are let out, and nobody in")
	} else {
		fmt.Fprintf(w, "clock: %s, %s\n", local(s.Clock.At), clockText(s.Clock))
		received := ""
		if s.Ledger.Received > 0 {
			received = fmt.Sprintf("; the collector has %d of them", s.Ledger.Received)
		}
		fmt.Fprintf(w, "ledger: event %d, %d writes since start%s\n", s.Ledger.Events, s.Ledger.Commits, received)
	}
	for _, l := range s.Lanes {
		fmt.Fprintln(w)
		if err := printLane(w, l); err != nil {
			return err
		}
	}
	if len(s.Conditions) == 0 {
		_, err := fmt.Fprintln(w, "\nnothing is wrong")
		return err
	}
	fmt.Fprintln(w, "\nwrong now; gatehouse fault CODE says what to do:")
	return printConditions(w, "  ", s.Conditions)
}

// outages are a line for each issuer that is down, and for each emergency measure in force.
func outages(s *client.Status) (lines []string) {
	for _, d := range s.Data.Down {
		lines = append(lines, plain(fmt.Sprintf("down: %s, since %s, %s", d.Issuer, local(d.Since), entry.Duration(s.Clock.At.Sub(d.Since)).Rough())))
	}
	for _, m := range s.Data.Emergency {
		lines = append(lines, plain(fmt.Sprintf("emergency: rule %s takes %s passes up to %s old, not %s, of %s", m.Rule, m.Kind, m.OutageMaxAge, m.MaxAge, strings.Join(m.Issuers, ", "))))
	}
	return lines
}

// printConditions prints each condition on a line, and what follows from it below, further in.
func printConditions(w io.Writer, indent string, list []client.Condition) error {
	for _, c := range list {
		again := ""
		if c.Times > 1 {
			again = fmt.Sprintf(", %d times", c.Times)
		}
		if _, err := fmt.Fprintf(w, "%s%s %s: %s (since %s%s): %s\n", indent, c.Code, c.Severity, c.Name, local(c.Since), again, plain(c.Text)); err != nil {
			return err
		}
		if err := printConditions(w, indent+"  ", c.LeadsTo); err != nil {
			return err
		}
	}
	return nil
}

func bands(d client.Data) string {
	if d.Signed.IsZero() {
		return "; import a bundle with: gatehouse import FILE"
	}
	return fmt.Sprintf(" (signed %s, stale from %s, hard from %s)", local(d.Signed), local(d.FreshUntil), local(d.HardAfter))
}

func outcomeCounts(l client.Lane) string {
	if l.Scans == 0 {
		return ""
	}
	var parts []string
	for _, o := range slices.Sorted(maps.Keys(l.Outcomes)) {
		parts = append(parts, fmt.Sprintf("%s %d", o, l.Outcomes[o]))
	}
	return fmt.Sprintf(" (%s; last %s at %s)", strings.Join(parts, ", "), l.Last, local(l.LastAt))
}

func clockText(c client.Clock) string {
	if c.SyncedAt.IsZero() {
		return c.State
	}
	return c.State + ", kept right " + local(c.SyncedAt)
}

func local(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }
