// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/fleet"
	"gatehouse/fleet/folder"
)

func newReplay(o *options) *cobra.Command {
	var venue, kiosk string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "replay EVENTS --venue VENUE",
		Short: "Ask the folder's rules about what a kiosk has recorded",
		Long: `Read a kiosk's record, as gatehouse events --count 0 --json prints it, and ask the rules that are in the folder now what they
would have said: which recorded admissions they would refuse, and which refusals they would not, counted by reason and rule
and then one by one. - reads standard input. Edit the rule, replay a real morning, and only then sign it. Nothing is changed.

Asked are hours, lanes, rules and the uses that the record shows. Keys, revocations, the age of data and what staff did by
hand are taken as they were; a use from before the first event is not seen.

The record keeps no age of a pass, no scope, no limit of its own, and of health and travel passes neither level nor hash. What
hangs on one of these cannot be told, and is counted as that: nothing is guessed. Where the record shows that the kiosk had
taken on the config that was signed last (its trust events are in it), what the rule of an admission wanted is known of the
pass: a rule that asks for no more takes it again. With the whole record, not a part of it, more can be told.

--json prints one object: venue, kiosk, events, admissions, refusals, left_out (decisions that ask no rule), from, until,
believed (the config that was signed last was in force at some time), and refused, admitted and unknown, each a list of
number, at, lane, pass_kind, issuer, pass, was, was_rule, now, rule and missing (level, age, holder, uses, scope, or pass where
the lane read none). Fields may be added; those there stay.`,
		Example: `  gatehouse-fleet replay morning.json --venue arena --kiosk gate-1
  ssh gate-1 gatehouse events --count 0 --json | gatehouse-fleet replay - --venue arena --kiosk gate-1
  gatehouse-fleet replay morning.json --venue arena --json | jq '.refused[].number'`,
		Args: one("file of events"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if venue == "" {
				return errors.New("of which venue's kiosk? Add --venue VENUE, and --kiosk KIOSK where it has a layer of its own")
			}
			f, err := o.open()
			if err != nil {
				return err
			}
			in := cmd.InOrStdin()
			if args[0] != "-" {
				file, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer file.Close()
				in = file
			}
			r, err := f.Replay(fleet.Place{Venue: venue, Kiosk: kiosk}, in)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
			}
			return printReplay(cmd.OutOrStdout(), r)
		},
	}
	cmd.Flags().StringVar(&venue, "venue", "", "`name` of the kiosk's venue (required)")
	cmd.Flags().StringVar(&kiosk, "kiosk", "", "`name` of the kiosk, for its own layer of config")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func printReplay(w io.Writer, r *folder.Replay) error {
	fmt.Fprintf(w, "%s read", counted(r.Events, "event"))
	if r.Admissions+r.Refusals+r.LeftOut > 0 {
		fmt.Fprintf(w, ", %s to %s", r.From.UTC().Format(time.RFC3339), r.Until.UTC().Format(time.RFC3339))
	}
	fmt.Fprintf(w, ": %s and %s by the rules, %s beside them\n",
		counted(r.Admissions, "admission"), counted(r.Refusals, "refusal"), counted(r.LeftOut, "decision"))
	if !r.Believed {
		fmt.Fprintln(w, "By which config the kiosk decided is not known: give the whole record, after the last bundle was imported")
	}
	for _, part := range []struct {
		what string
		list []folder.Another
		by   func(folder.Another) string
	}{
		{"would be refused", r.Refused, func(a folder.Another) string { return a.Now + ", was " + ruleText(a.WasRule) }},
		{"would be admitted", r.Admitted, func(a folder.Another) string { return strings.TrimSpace("was " + a.Was + ", by " + ruleText(a.Rule)) }},
		{"cannot be told", r.Unknown, func(a folder.Another) string { return "not recorded: " + strings.Join(a.Missing, ", ") }},
	} {
		if err := printPart(w, part.what, part.list, part.by); err != nil {
			return err
		}
	}
	return nil
}

func ruleText(rule string) string {
	if rule == "" {
		return "no rule"
	}
	return fmt.Sprintf("rule %q", rule)
}

func printPart(out io.Writer, what string, list []folder.Another, by func(folder.Another) string) error {
	fmt.Fprintf(out, "\n%s: %d\n", what, len(list))
	counts := map[string]int{}
	for _, a := range list {
		counts[by(a)]++
	}
	for _, reason := range slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	}) {
		fmt.Fprintf(out, "%7d  %s\n", counts[reason], reason)
	}
	if len(list) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  EVENT\tAT\tLANE\tPASS\tWAS\tNOW")
	for _, a := range list {
		fmt.Fprintf(w, "  %d\t%s\t%s\t%s %s\t%s\t%s\n", a.Number, a.At.UTC().Format(time.RFC3339), cmp.Or(a.Lane, "-"), cmp.Or(a.Kind, "-"), a.Issuer, a.Was, cmp.Or(a.Now, "?"))
	}
	return w.Flush()
}
