// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
)

//go:generate go run . man ../../docs/man
//go:generate go run . completions ../../docs/completions

// newMan is for packagers: the manual is made of what --help says.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use:    "man FOLDER",
		Short:  "Write the manual pages of every command into a folder",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE:   func(cmd *cobra.Command, args []string) error { return writeAll(args[0], manual(cmd.Root())) },
	}
}

// newCompletions is for packagers too: a kiosk is often installed from a machine on which its programs do not run.
func newCompletions() *cobra.Command {
	return &cobra.Command{
		Use:    "completions FOLDER",
		Short:  "Write what has shells complete the commands into a folder",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := completions(cmd.Root())
			if err != nil {
				return err
			}
			return writeAll(args[0], files)
		},
	}
}

func writeAll(dir string, files map[string]string) error {
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// completions are the scripts by the names under which bash, zsh and fish look for them.
func completions(root *cobra.Command) (map[string]string, error) {
	var bash, zsh, fish strings.Builder
	err := errors.Join(root.GenBashCompletionV2(&bash, true), root.GenZshCompletion(&zsh), root.GenFishCompletion(&fish, true))
	return map[string]string{"gatehouse": bash.String(), "_gatehouse": zsh.String(), "gatehouse.fish": fish.String()}, err
}

// manual is a page for each command that a person uses, by file name (man(7)).
func manual(root *cobra.Command) map[string]string {
	pages := map[string]string{}
	var add func(c *cobra.Command)
	add = func(c *cobra.Command) {
		pages[strings.ReplaceAll(c.CommandPath(), " ", "-")+".1"] = manPage(c)
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() && sub.Name() != "completion" {
				add(sub)
			}
		}
	}
	add(root)
	return pages
}

func manPage(c *cobra.Command) string {
	var b strings.Builder
	name := strings.ReplaceAll(c.CommandPath(), " ", "-")
	fmt.Fprintf(&b, ".TH %s 1 \"\" Gatehouse\n.SH NAME\n%s \\- %s\n", strings.ToUpper(name), name, roff(c.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(strings.Replace(c.UseLine(), "[flags]", "[option ...]", 1)))
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", paragraphs(c.Long, c.Short))
	if options := c.NonInheritedFlags().FlagUsages(); options != "" {
		fmt.Fprintf(&b, ".SH OPTIONS\n.nf\n%s.fi\n", roff(options))
	}
	if c.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(c.Example))
	}
	if related := related(c); related != "" {
		fmt.Fprintf(&b, ".SH SEE ALSO\n%s\n", related)
	}
	return b.String()
}

// related are the pages above and below a command's.
func related(c *cobra.Command) string {
	var names []string
	if c.HasParent() {
		names = append(names, strings.ReplaceAll(c.Parent().CommandPath(), " ", "-"))
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "completion" {
			names = append(names, strings.ReplaceAll(sub.CommandPath(), " ", "-"))
		}
	}
	for i, n := range names {
		names[i] = ".BR " + roff(n) + " (1)"
	}
	return strings.Join(names, "\n")
}

// paragraphs are the text's own, or the short one. What is set in is left as it stands.
func paragraphs(long, short string) string {
	if long == "" {
		long = short + "."
	}
	var out []string
	for p := range strings.SplitSeq(roff(long), "\n\n") {
		if strings.HasPrefix(p, " ") {
			p = ".nf\n" + p + "\n.fi"
		}
		out = append(out, p)
	}
	return strings.Join(out, "\n.PP\n")
}

// roff keeps troff from reading a text as its own orders.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	var out strings.Builder
	for _, r := range strings.Join(lines, "\n") {
		if r > unicode.MaxASCII {
			fmt.Fprintf(&out, `\[u%04X]`, r)
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}
