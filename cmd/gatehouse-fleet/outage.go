// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
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
			fmt.Fprintf(cmd.OutOrStdout(), "Issuer %s is down since %s\nNext: gatehouse-fleet bundle --venue VENUE, for each venue\n", args[0], from.UTC().Format(time.RFC3339))
			return nil
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "`time` at which it began, RFC 3339 (default: now)")
	return cmd
}

func newIssuerUp(o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "up NAME",
		Short:   "End what issuer down has said",
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
			fmt.Fprintf(cmd.OutOrStdout(), "Issuer %s is up\nNext: gatehouse-fleet bundle --venue VENUE, for each venue\n", args[0])
			return nil
		},
	}
}
