// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/spf13/cobra"

	"gatehouse/manual/manualtest"
)

// The manual in docs/fleet/man is what the commands say of themselves, and docs/fleet/completions what has shells complete
// them. They are not beside those of a kiosk: the operator's tool never runs there.
func TestManualAndCompletionsAreCurrent(t *testing.T) {
	manualtest.Current(t, newRoot(), "../../docs/fleet/man", "../../docs/fleet/completions", "go generate ./cmd/gatehouse-fleet")
}

// Every command that does something explains itself with an example, and one with --json says its shape.
func TestEveryCommandExplainsItself(t *testing.T) {
	manualtest.Explained(t, newRoot(), func(c *cobra.Command) {
		if c.Flags().Lookup("json") != nil && c.Name() != "issue" && (!manualtest.Tells(c, "--json prints ") || !manualtest.Tells(c, "those there stay")) {
			t.Errorf("%s does not tell the shape of its --json", c.CommandPath())
		}
	})
}
