// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"gatehouse/manual/manualtest"
)

// The manual in docs/man is what the commands say of themselves, and docs/completions what has shells complete them, no more
// and no less.
func TestManualAndCompletionsAreCurrent(t *testing.T) {
	manualtest.Current(t, newRoot(), "../../docs/man", "../../docs/completions", "go generate ./cmd/gatehouse")
}

// A shell takes its script.
func TestCompletionsInBash(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash here")
	}
	out, err := exec.Command(bash, "--norc", "-c", "source ../../docs/completions/gatehouse && complete -p gatehouse").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "-F __start_gatehouse gatehouse") {
		t.Errorf("%v: %s", err, out)
	}
}

// noJSON are the commands without --json: verify speaks nothing else, qr and decode give a picture and a text, and what
// watch shows a program gets from status and events --follow.
var noJSON = map[string]bool{"verify": true, "qr": true, "decode": true, "watch": true}

// Every command that does something explains itself with an example.
func TestEveryCommandHasAnExample(t *testing.T) {
	manualtest.Explained(t, newRoot(), func(c *cobra.Command) {
		if !noJSON[c.Name()] && (c.Flags().Lookup("json") == nil || !manualtest.Tells(c, "--json prints ") || !manualtest.Tells(c, "those there stay")) {
			t.Errorf("%s has no --json with a shape that it tells and keeps", c.CommandPath())
		}
	})
}
