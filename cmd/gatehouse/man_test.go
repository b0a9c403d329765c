// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// The manual in docs/man is what the commands say of themselves, and docs/completions what has shells complete them, no more
// and no less.
func TestManualAndCompletionsAreCurrent(t *testing.T) {
	scripts, err := completions(newRoot())
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]map[string]string{"../../docs/man": manual(newRoot()), "../../docs/completions": scripts} {
		for name, page := range want {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil || string(text) != page {
				t.Errorf("%s is not what the command says; write it anew with: go generate ./cmd/gatehouse (%v)", name, err)
			}
		}
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if _, ok := want[f.Name()]; !ok {
				t.Errorf("%s/%s is of no command", dir, f.Name())
			}
		}
	}
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

// tells whether a command's help says something, however its lines are broken.
func tells(c *cobra.Command, what string) bool {
	return strings.Contains(strings.Join(strings.Fields(c.Long), " "), what)
}

// noJSON are the commands without --json: verify speaks nothing else, qr and decode give a picture and a text, and what
// watch shows a program gets from status and events --follow.
var noJSON = map[string]bool{"verify": true, "qr": true, "decode": true, "watch": true}

// Every command that does something explains itself with an example.
func TestEveryCommandHasAnExample(t *testing.T) {
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		if c.Hidden || c.Name() == "completion" || c.Name() == "help" {
			return
		}
		if c.Long == "" && !c.HasSubCommands() {
			t.Errorf("%s does not explain itself", c.CommandPath())
		}
		if !c.HasSubCommands() && !noJSON[c.Name()] && (c.Flags().Lookup("json") == nil || !tells(c, "--json prints ") || !tells(c, "those there stay")) {
			t.Errorf("%s has no --json with a shape that it tells and keeps", c.CommandPath())
		}
		if !c.HasSubCommands() && !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			check(sub)
		}
	}
	check(newRoot())
}
