// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package manual makes what a packager wants of a program's commands, out of what they say of themselves: manual pages, and
// what has shells complete them. It knows no program.
package manual

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
)

// Commands are two hidden commands for go generate, by which a program writes its own: "man FOLDER" and "completions FOLDER".
// They are for packagers: a kiosk is often installed from a machine on which its programs do not run.
func Commands() []*cobra.Command {
	write := func(use, short string, make func(*cobra.Command) (map[string]string, error)) *cobra.Command {
		return &cobra.Command{
			Use: use, Short: short, Hidden: true, Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				files, err := make(cmd.Root())
				if err != nil {
					return err
				}
				return writeAll(args[0], files)
			},
		}
	}
	pages := func(root *cobra.Command) (map[string]string, error) { return Pages(root), nil }
	return []*cobra.Command{
		write("man FOLDER", "Write the manual pages of every command into a folder", pages),
		write("completions FOLDER", "Write what has shells complete the commands into a folder", Completions),
	}
}

func writeAll(dir string, files map[string]string) error {
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("manual: %w", err)
		}
	}
	return nil
}

// Completions are scripts by the names under which bash, zsh and fish look for them.
func Completions(root *cobra.Command) (map[string]string, error) {
	var bash, zsh, fish strings.Builder
	err := errors.Join(root.GenBashCompletionV2(&bash, true), root.GenZshCompletion(&zsh), root.GenFishCompletion(&fish, true))
	name := root.Name()
	return map[string]string{name: bash.String(), "_" + name: zsh.String(), name + ".fish": fish.String()}, err
}

// Pages are a page for each command that a person uses, by file name (man(7)).
func Pages(root *cobra.Command) map[string]string {
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
	options := c.NonInheritedFlags().FlagUsages() // first: it is what tells the synopsis of the program's own options
	fmt.Fprintf(&b, ".TH %s 1 \"\" Gatehouse\n.SH NAME\n%s \\- %s\n", strings.ToUpper(name), name, roff(c.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(strings.Replace(c.UseLine(), "[flags]", "[option ...]", 1)))
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", paragraphs(c.Long, c.Short))
	if options != "" {
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
