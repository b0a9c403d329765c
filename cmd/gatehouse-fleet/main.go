// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

//go:debug x509negativeserial=1

// Command gatehouse-fleet is the operator's tool: it keeps a fleet's folder, issues and revokes passes, and makes the
// signed bundles that kiosks import. It never runs on a kiosk, and talks to none.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"gatehouse/fleet/folder"
	"gatehouse/manual"
)

//go:generate go run . man ../../docs/fleet/man
//go:generate go run . completions ../../docs/fleet/completions

func main() {
	if err := newRoot().Execute(); err != nil {
		fmt.Fprintf(os.Stderr, "gatehouse-fleet: %v\n%s", err, brokerAdvice(err))
		os.Exit(1)
	}
}

// options are what every command takes.
type options struct{ folder string }

func (o *options) open() (*folder.Folder, error) { return folder.Open(o.folder) }

func newRoot() *cobra.Command {
	o := &options{}
	root := &cobra.Command{
		Use:   "gatehouse-fleet",
		Short: "Keep a fleet: keys, issuers, passes, kiosks, and what they are told",
		Long: `Keep the folder of a fleet of gates, and sign what its kiosks believe.

The folder holds YAML to be edited and keys to be kept. Nothing in it reaches a
kiosk before it was checked and signed: by "bundle", as a file that somebody carries
there, or by "apply", over a broker that fleet.yaml names. docs/operations.md goes
through both.`,
		Example: `  gatehouse-fleet init city --venue arena && cd city
  gatehouse-fleet issuer add arena
  gatehouse-fleet kiosk add arena/gate-1
  gatehouse-fleet check && gatehouse-fleet plan
  gatehouse-fleet bundle --venue arena -o arena.bundle
  gatehouse-fleet issue --issuer arena --scope arena --valid 24h

  gatehouse-fleet init city --venue arena --broker broker.example:8883
  gatehouse-fleet broker-config mosquitto DIR && gatehouse-fleet apply && gatehouse-fleet serve
  gatehouse-fleet status`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
	})
	root.PersistentFlags().StringVarP(&o.folder, "folder", "C", ".", "the fleet's folder")
	root.AddCommand(newInit(o), newCheck(o), newPlan(o), newReplay(o), newSchema(o), newVenue(o), newIssuer(o), newIssue(o), newRevoke(o), newKiosk(o), newBundle(o), newShow(), newRootKeys(o), newBrokerConfig(o), newServe(o), newApply(o), newHead(o), newStatus(o), newWatch(o), newEvents(o), newCommand(o))
	root.AddCommand(manual.Commands()...)
	return root
}

// none takes no argument. Who gives one often means the folder.
func none(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no argument and got %q; name another folder with --folder DIR, and see %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return nil
}

// one takes exactly one argument and says which.
func one(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("%s takes one %s and got %d; see %s --help", cmd.CommandPath(), what, len(args), cmd.CommandPath())
		}
		return nil
	}
}

// group is a command that only holds others.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("%s knows no %q; see %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(children...)
	return cmd
}
