// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/fleet/folder"
)

func newIssuerDown(o *options) *cobra.Command {
	var since string
	cmd := &cobra.Command{
		Use:   "down NAME",
		Short: "Say that an issuer's own servers are out of reach",
		Long: `Say that an issuer's own servers are out of reach, so that nobody can get a
younger pass of it. The heads of the bundles to come carry it, and where they were
imported a rule's outage_max_age takes the place of its max_age for this issuer.
It ends with issuer up and the bundle after it.`,
		Example: `  gatehouse-fleet issuer down telecom
  gatehouse-fleet issuer down telecom --since 2026-01-04T07:10:00+08:00`,
		Args: one("name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := o.open()
			if err != nil {
				return err
			}
			now := time.Now()
			from := now
			if since != "" {
				if from, err = time.Parse(time.RFC3339, since); err != nil {
					return fmt.Errorf("--since %q: write 2026-01-04T07:10:00+08:00", since)
				}
			}
			if err := f.SetDown(args[0], from, now); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Issuer %s is down since %s\nNext: %s\n", args[0], from.UTC().Format(time.RFC3339), spreadHead(f))
			return nil
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "`time` at which it began, RFC 3339 (default: now)")
	return cmd
}

func newIssuerList(o *options) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the issuers, and which of them are down for how long",
		Long: `List the issuers of the folder: how many keys each has, the kinds of pass that they may sign, how many ids are revoked,
and since when its servers are out of reach. What the kiosks were told of that so far is what the last bundle said; plan
shows the difference.

--json prints one object a line: name, keys, kinds (absent: every kind), revoked, and down_since where it is down. Fields may
be added; those there stay.`,
		Example: `  gatehouse-fleet issuer list
  gatehouse-fleet issuer list --json | jq -r 'select(.down_since) | .name'`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := o.open()
			if err != nil {
				return err
			}
			now := time.Now()
			issuers, err := f.Issuers(now)
			if err != nil {
				return err
			}
			if !asJSON {
				return printIssuers(cmd.OutOrStdout(), issuers, now)
			}
			for _, i := range issuers {
				if err := json.NewEncoder(cmd.OutOrStdout()).Encode(i); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

func printIssuers(out io.Writer, issuers []folder.IssuerState, now time.Time) error {
	if len(issuers) == 0 {
		_, err := fmt.Fprintln(out, "There is no issuer yet. Next: gatehouse-fleet issuer add NAME")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ISSUER\tKEYS\tKINDS\tREVOKED\tSERVERS")
	for _, i := range issuers {
		servers := "-"
		if i.DownSince != nil {
			servers = fmt.Sprintf("down since %s, for %s", i.DownSince.Format(time.RFC3339), agoText(now.Sub(*i.DownSince)))
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%s\n", i.Name, i.Keys, cmp.Or(strings.Join(i.Kinds, " "), "every"), i.Revoked, servers)
	}
	return w.Flush()
}

// agoText is a length of time in its two largest units.
func agoText(d time.Duration) string {
	days, hours, minutes := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60
	switch {
	case days > 0:
		return fmt.Sprintf("%dd %dh", days, hours)
	case hours > 0:
		return fmt.Sprintf("%dh %dm", hours, minutes)
	}
	return fmt.Sprintf("%dm", minutes)
}

func newIssuerUp(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "up NAME",
		Short: "End what issuer down has said",
		Long: `Say that an issuer's servers can be reached again. Kiosks go by max_age again where the bundle after this was imported; it
ends nothing at a kiosk before.`,
		Example: "  gatehouse-fleet issuer up telecom",
		Args:    one("name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := o.open()
			if err != nil {
				return err
			}
			if err := f.SetUp(args[0]); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Issuer %s is up\nNext: %s; until then kiosks hold it to be down\n", args[0], spreadHead(f))
			return nil
		},
	}
}
