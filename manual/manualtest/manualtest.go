// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package manualtest holds a program to its manual.
package manualtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"gatehouse/manual"
)

// Current tests that two folders have the manual pages and the completions of a program, as its commands are now, and
// nothing else. generate is what writes them anew.
func Current(t *testing.T, root *cobra.Command, pages, completions, generate string) {
	t.Helper()
	scripts, err := manual.Completions(root)
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]map[string]string{pages: manual.Pages(root), completions: scripts} {
		for name, page := range want {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil || string(text) != page {
				t.Errorf("%s is not what the command says; write it anew with: %s (%v)", name, generate, err)
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

// Explained tests that every command that does something explains itself, with an example. also is asked of each of these.
func Explained(t *testing.T, c *cobra.Command, also func(*cobra.Command)) {
	t.Helper()
	if c.Hidden || c.Name() == "completion" || c.Name() == "help" {
		return
	}
	if !c.HasSubCommands() {
		if c.Long == "" {
			t.Errorf("%s does not explain itself", c.CommandPath())
		}
		if !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s has no example", c.CommandPath())
		}
		also(c)
	}
	for _, sub := range c.Commands() {
		Explained(t, sub, also)
	}
}

// Tells tells whether a command's help says something, however its lines are broken.
func Tells(c *cobra.Command, what string) bool {
	return strings.Contains(strings.Join(strings.Fields(c.Long), " "), what)
}
