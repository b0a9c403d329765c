// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"gatehouse/device/client"
)

func newImport() *cobra.Command {
	var run string
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Give this kiosk a bundle of signed documents",
		Long: `Import hands a bundle, as gatehouse-fleet bundle makes it, to the running daemon. The daemon verifies every
signature against the root that its local config pins, and takes the bundle whole or not at all: an older one, one of
another venue or a forged one changes nothing.`,
		Example: `  gatehouse import /media/usb/arena.bundle`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			bundle, err := io.ReadAll(io.LimitReader(f, client.MaxBundle+1))
			if err != nil {
				return err
			}
			if len(bundle) > client.MaxBundle {
				return fmt.Errorf("%s is larger than %d MiB and no bundle", args[0], client.MaxBundle>>20)
			}
			i, err := client.Dial(run).Import(cmd.Context(), bundle)
			if err != nil {
				return err
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
	return cmd
}
