// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/device/client"
	"gatehouse/entry"
)

func newTrust() *cobra.Command {
	var run string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "trust",
		Short: "Show the signed documents in force, and the issuers",
		Long: `Trust shows each signed document that is in force with its version, its age, its band and when that ends, then the
issuers with the ids of their keys. The age is that of the newest signed list (head) that names this version, never that
of the last import: a bundle that says nothing new makes nothing younger.

--json prints an object: freshness, clock, documents (each with kind, scope, version, signed, fresh_until, hard_after and
freshness), incomplete, and issuers, each with name, down (since when, where it is) and keys (id, algorithm, formats, kinds,
scopes, not_before, not_after). Fields may be added; those there stay.`,
		Example: `  gatehouse trust
  gatehouse trust --json | jq -r '.issuers[].name'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := client.Dial(run).Trust(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), t)
			}
			return printTrust(cmd.OutOrStdout(), t)
		},
	}
	addRun(cmd, &run)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the daemon's answer as JSON")
	return cmd
}

func printTrust(w io.Writer, t *client.Trust) error {
	fmt.Fprintf(w, "data: %s (clock %s)\n", t.Freshness, clockText(t.Clock))
	if len(t.Documents) == 0 {
		_, err := fmt.Fprintln(w, "no document is in force; import a bundle with: gatehouse import FILE")
		return err
	}
	for _, missing := range t.Incomplete {
		fmt.Fprintf(w, "  missing: %s\n", missing)
	}
	if err := printDocuments(w, t.Documents, t.Clock.At); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nissuers and their keys")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, i := range t.Issuers {
		if !i.Down.IsZero() {
			fmt.Fprintf(table, "  %s\tDOWN since %s, %s\n", i.Name, local(i.Down), entry.Duration(t.Clock.At.Sub(i.Down)).Rough())
		}
		if len(i.Keys) == 0 {
			fmt.Fprintf(table, "  %s\tno key\n", i.Name)
		}
		for _, k := range i.Keys {
			limits := strings.Join(append(append([]string{}, k.Kinds...), k.Scopes...), " ")
			if !k.NotAfter.IsZero() {
				limits = strings.TrimSpace(limits + " until " + local(k.NotAfter))
			}
			fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\n", i.Name, k.ID, k.Algorithm, strings.Join(k.Formats, " "), limits)
		}
	}
	return table.Flush()
}

// printDocuments prints a line for each document: what, how old, and when its band ends.
func printDocuments(w io.Writer, list []client.DocumentAges, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, d := range list {
		ends := ""
		switch d.Freshness {
		case "fresh":
			ends = "stale in " + entry.Duration(d.FreshUntil.Sub(now)).Rough()
		case "stale":
			ends = "hard in " + entry.Duration(d.HardAfter.Sub(now)).Rough()
		default:
			ends = "nobody is admitted on it"
		}
		fmt.Fprintf(t, "  %s\t%s\tversion %d\tsigned %s ago\t%s\t%s\n", d.Kind, d.Scope, d.Version, entry.Duration(now.Sub(d.Signed)).Rough(), d.Freshness, ends)
	}
	return t.Flush()
}

// passID is how a pass's id is told from a code.
var passID = regexp.MustCompile(`^([0-9a-fA-F]{2}){8,16}$`)

func newRevoked() *cobra.Command {
	var run, issuer string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "revoked",
		Short: "Tell whether a pass is revoked, and by which list",
		Long: `Revoked reads a pass from standard input, a code or an id of 16 to 32 hexadecimal digits (which needs --issuer), and asks the
running kiosk whether its issuer's lists in force revoke it. It tells by what, and the version and age of the lists:
"not revoked" is as old as they are. "unknown" means that a list that the pass names is not on this kiosk; such a pass
is answered stale_data. A pass may have expired; that is told beside it. Nothing is recorded. Revoked exits with 0
whatever the answer, and with 1 without one.

--json prints an object: issuer, state (revoked, not_revoked or unknown), by (id or status_list), other (expired,
not_yet_valid), now and documents, as gatehouse trust --json has them. Fields may be added; those there stay.`,
		Example: `  gatehouse revoked <pass.txt
  echo 00112233445566778899aabbccddeeff | gatehouse revoked --issuer arena`,
		Args: noCode,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := readCode(cmd.InOrStdin(), "revoked")
			if err != nil {
				return err
			}
			asked := client.Asked{Code: text}
			if passID.MatchString(text) {
				if asked = (client.Asked{Issuer: issuer, ID: text}); issuer == "" {
					return errors.New("an id is one issuer's: name it with --issuer NAME; gatehouse trust lists them")
				}
			}
			kiosk := client.Dial(run)
			r, err := kiosk.Revoked(cmd.Context(), asked)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), r)
			}
			return printRevocation(cmd.OutOrStdout(), r)
		},
	}
	addRun(cmd, &run)
	cmd.Flags().StringVar(&issuer, "issuer", "", "the `name` of the issuer of an id")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}

func printRevocation(w io.Writer, r *client.Revocation) error {
	switch r.State {
	case "revoked":
		fmt.Fprintf(w, "revoked by %s, by its %s\n", r.Issuer, strings.ReplaceAll(r.By, "_", " "))
	case "not_revoked":
		fmt.Fprintf(w, "not revoked by %s\n", r.Issuer)
	default:
		fmt.Fprintf(w, "unknown: a list of %s that this pass names is not here; import a bundle: gatehouse import FILE\n", r.Issuer)
	}
	if r.Other != "" {
		fmt.Fprintf(w, "but: %s\n", r.Other)
	}
	if len(r.Documents) == 0 {
		_, err := fmt.Fprintln(w, "no list of this issuer is in force: it revokes nothing")
		return err
	}
	return printDocuments(w, r.Documents, r.Now)
}
