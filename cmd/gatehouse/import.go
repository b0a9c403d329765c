// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"gatehouse/device/client"
)

func newImport() *cobra.Command {
	var run string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Give this kiosk a bundle of signed documents",
		Long: `Import hands a bundle, as gatehouse-fleet bundle makes it, to the running daemon. The daemon verifies every
signature against the root that its local config pins, and takes the bundle whole or not at all: an older one, one of
another venue or a forged one changes nothing.

--json prints an object: changed, the documents that are new, as texts; none where all were known. Fields may be added;
those there stay.`,
		Example: `  gatehouse import /media/usb/arena.bundle
  gatehouse import --json arena.bundle | jq -r '.changed[]'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			info, err := f.Stat()
			if err != nil {
				return err
			}
			if !info.Mode().IsRegular() || info.Size() > client.MaxBundle {
				return fmt.Errorf("%s is no bundle: that is a file of at most %d MiB", args[0], client.MaxBundle>>20)
			}
			i, err := client.Dial(run).ImportFrom(cmd.Context(), f, info.Size())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), i)
			}
			if len(i.Changed) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "nothing new: the kiosk has these documents already")
			}
			for _, c := range i.Changed {
				fmt.Fprintln(cmd.OutOrStdout(), "in force now:", c)
			}
			return nil
		},
	}
	addRun(cmd, &run)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}
