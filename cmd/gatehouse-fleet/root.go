// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/fleet"
	"gatehouse/fleet/folder"
)

func newRootKeys(o *options) *cobra.Command {
	g := group("root", "Keep the root: which keys may sign what", newRotate(o), newSign(), newAccept(o), newShowRoot(o))
	g.Long = `Keep the root: which keys may sign what, and how many of them it takes.

A new root is signed by enough offline keys of the one before and by enough of
its own. It travels in every bundle, with all roots before it, so that a kiosk
that pins the first follows, however many it has missed.`
	return g
}

func newRotate(o *options) *cobra.Command {
	var replace, thresholds []string
	var renew bool
	cmd := &cobra.Command{
		Use:   "rotate (--replace KEY | --threshold ROLE=N | --renew)…",
		Short: "Make the next root: another key, other thresholds, ten more years",
		Long: `Make the next root and sign it with the offline keys that are in keys/.

KEY is a name as root show prints it (head, offline-b, …), or an id where the name
is lost. A new key is made in keys/; KEY=FILE takes the public half of one that
was made elsewhere. With enough signatures the root is in force in this folder,
and the next bundle brings it to the kiosks with everything signed anew that
needs it. Else it waits in root/next: carry copies of that file to the offline
keys, add their signatures with root sign, one after the other or each to a copy
of its own, and bring them back with root accept.

A stolen or lost online key (head, revocations, command, collector) and a lost
offline key are replaced in the same way; it takes two of the three offline keys.`,
		Example: `  gatehouse-fleet root rotate --replace head
  gatehouse-fleet root rotate --replace offline-b=offline-b-new.pub
  gatehouse-fleet root rotate --threshold issuers=3
  gatehouse-fleet root rotate --renew`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(replace)+len(thresholds) == 0 && !renew {
				return fmt.Errorf("what is to change? Add --replace KEY, --threshold ROLE=N or --renew; see %s --help", cmd.CommandPath())
			}
			r, err := readRotation(replace, thresholds)
			if err != nil {
				return err
			}
			f, err := o.open()
			if err != nil {
				return err
			}
			c, err := f.Rotate(r, time.Now())
			if err != nil {
				return err
			}
			return printCeremony(cmd.OutOrStdout(), f, c)
		},
	}
	cmd.Flags().StringArrayVar(&replace, "replace", nil, "put a new key in the place of `KEY`, or KEY=FILE (repeatable)")
	cmd.Flags().StringArrayVar(&thresholds, "threshold", nil, "how many keys a role takes, as `ROLE=N` (repeatable)")
	cmd.Flags().BoolVar(&renew, "renew", false, "only make it valid for ten years from now")
	return cmd
}

func readRotation(replace, thresholds []string) (folder.Rotation, error) {
	r := folder.Rotation{Replace: map[string][]byte{}, Thresholds: map[string]uint{}}
	for _, text := range replace {
		name, file, given := strings.Cut(text, "=")
		r.Replace[name] = nil
		if given {
			public, err := os.ReadFile(file)
			if err != nil {
				return r, err
			}
			r.Replace[name] = public
		}
	}
	for _, text := range thresholds {
		role, n, _ := strings.Cut(text, "=")
		count, err := strconv.ParseUint(n, 10, 8)
		if err != nil {
			return r, fmt.Errorf("--threshold %q: write ROLE=N, for example issuers=2", text)
		}
		r.Thresholds[role] = uint(count)
	}
	return r, nil
}

func newSign() *cobra.Command {
	var keys []string
	cmd := &cobra.Command{
		Use:   "sign FILE --key KEY…",
		Short: "Add the signature of an offline key to a root that waits",
		Long: `Add the signature of an offline key to a root that waits. It needs no folder, so
that a key can sign on a machine of its own. Look at the file with root show
first, and compare its digest with the others who sign.`,
		Example: `  gatehouse-fleet root show next
  gatehouse-fleet root sign next --key /media/b/offline-b.pem`,
		Args: one("file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(keys) == 0 {
				return errors.New("with which key? Add --key FILE")
			}
			d, signed, err := folder.SignRoot(args[0], keys...)
			if err != nil {
				return err
			}
			for i, sig := range signed {
				fmt.Fprintf(cmd.OutOrStdout(), "%s is key %s%s\n", keys[i], sig.Key, signatureText(sig))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: root %d, %s, %d signatures\nNext: carry it back, and in the fleet's folder: gatehouse-fleet root accept %s\n", args[0], d.Version(), d.Digest(), len(d.Signers()), args[0])
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&keys, "key", nil, "`file` of a private key (repeatable)")
	return cmd
}

func signatureText(s folder.Signature) string {
	text := ", and has signed"
	if s.Before {
		text = ", and had signed before"
	}
	if !s.Own {
		text += "; it is none of the new root's own, so it counts only if it is one of the root before"
	}
	return text
}

func newAccept(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "accept [FILE…]",
		Short: "Take the root that waits back, with its signatures",
		Long: `Take copies of the root that waits back, each with the signatures that it was
given. Once they are enough the root is in force in this folder.`,
		Example: `  gatehouse-fleet root accept /media/b/next /media/c/next`,
		RunE: func(cmd *cobra.Command, args []string) error {
			copies, err := readAll(args)
			if err != nil {
				return err
			}
			f, err := o.open()
			if err != nil {
				return err
			}
			c, err := f.Accept(copies...)
			if err != nil {
				return err
			}
			return printCeremony(cmd.OutOrStdout(), f, c)
		},
	}
}

func newShowRoot(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "show [FILE]",
		Short: "Print who may sign what, in the newest root or in a root's file",
		Long: `Print who may sign what in the newest root, and what another one that waits still takes. With FILE it is the root in that
file; in the fleet's folder with the names of its keys and with what is another in it than in the newest root, elsewhere by
the ids of the keys alone: whoever signs it there compares its digest with the others.`,
		Example: `  gatehouse-fleet root show
  gatehouse-fleet root show root/next`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := showRoot(o, args)
			if err != nil {
				return err
			}
			_, err = io.WriteString(cmd.OutOrStdout(), text)
			return err
		},
	}
}

func showRoot(o *options, args []string) (string, error) {
	f, err := o.open()
	switch {
	case len(args) == 1 && errors.Is(err, folder.ErrNoFleet):
		return folder.ShowRoot(args[0])
	case err != nil:
		return "", err
	case len(args) == 1:
		return f.ShowRootFile(args[0])
	}
	return f.ShowRoot()
}

func printCeremony(w io.Writer, f *folder.Folder, c *folder.Ceremony) error {
	next := filepath.Join(f.Dir(), "root", "next")
	version := c.Root.Version()
	if c.Missing == nil {
		fmt.Fprintf(w, "Root %d, %s, is in force in this folder\n", version, c.Root.Digest())
	} else {
		fmt.Fprintf(w, "Root %d, %s, waits in %s: %s\n", version, c.Root.Digest(), next, strings.TrimPrefix(c.Missing.Error(), fleet.ErrSignature.Error()+": "))
		fmt.Fprintf(w, "It takes %s (root %d), and %s (root %d)\n", c.Takes[0], version-1, c.Takes[1], version)
		fmt.Fprintf(w, "Signed so far by: %s\n", cmp.Or(strings.Join(c.Signed, ", "), "nobody"))
	}
	for _, name := range c.Strange {
		fmt.Fprintf(w, "The signature of %s counts for nothing: neither root has this key\n", name)
	}
	for _, name := range c.Made {
		fmt.Fprintf(w, "A new key is in %s\n", filepath.Join(f.Dir(), "keys", name+".pem"))
	}
	if c.Missing != nil {
		fmt.Fprintf(w, "Next: carry a copy of %s to each key that is missing, and there: gatehouse-fleet root sign COPY --key KEY\nThen here: gatehouse-fleet root accept COPY…\n", next)
		return nil
	}
	for _, name := range c.Retired {
		fmt.Fprintf(w, "Destroy the key %s: it signs nothing any more\n", name)
	}
	if slices.ContainsFunc(c.Made, func(name string) bool { return strings.HasPrefix(name, "offline") }) {
		fmt.Fprintln(w, "Take new offline keys out of keys/ after the next bundle, each to a medium of its own")
	}
	fmt.Fprintf(w, "Next: %s, for every venue; gatehouse-fleet plan tells which keys that takes\n", spread(f))
	return nil
}
