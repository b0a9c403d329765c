// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse/fleet/folder"
)

func newSchema(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "schema [fleet | issuer | policy]",
		Short: "Write the JSON Schemas of the folder's YAML files, for editors",
		Long: `Print the JSON Schema (2020-12) of fleet.yaml (fleet), of issuers/NAME.yaml (issuer), or of venues/*.yaml and a kiosk's
policy.yaml (policy). Without a name all three are written into schema/, as init did: do that after an upgrade.

The first lines of the files that init, venue add and issuer add make have editors that know yaml-language-server look there:
they complete keys, explain them, and mark what is wrong while it is written. What a schema cannot say is for check to find.`,
		Example: `  gatehouse-fleet schema
  gatehouse-fleet schema policy > policy.schema.json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			schemas := folder.Schemas()
			names := slices.Sorted(maps.Keys(schemas))
			if len(args) == 1 {
				text, ok := schemas[args[0]]
				if !ok {
					return fmt.Errorf("there is no schema %q; there are: %s", args[0], strings.Join(names, ", "))
				}
				_, err := cmd.OutOrStdout().Write(text)
				return err
			}
			f, err := o.open()
			if err != nil {
				return err
			}
			if err := f.WriteSchemas(); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "schema/: %s\n", strings.Join(names, ", "))
			return nil
		},
	}
}
