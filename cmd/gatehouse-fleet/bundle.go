// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/fleet"
	"gatehouse/fleet/folder"
)

func newBundle(o *options) *cobra.Command {
	var venue, out string
	cmd := &cobra.Command{
		Use:   "bundle --venue VENUE",
		Short: "Check and sign what has changed, and make a venue's bundle",
		Long: `Check the folder, sign what has changed and a new head, and write the bundle of
a venue. The same bundle serves all its kiosks. Make a new one before the former
is stale: fleet.yaml says how long it counts.`,
		Example: `  gatehouse-fleet bundle --venue arena -o /media/stick/arena.bundle
  gatehouse import /media/stick/arena.bundle        (on the kiosk)`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if venue == "" {
				return errors.New("for which venue? Add --venue VENUE")
			}
			f, err := o.open()
			if err != nil {
				return err
			}
			b, err := f.Bundle(venue, time.Now())
			if err != nil {
				return err
			}
			data, err := b.Encode()
			if err != nil {
				return err
			}
			warnings, err := f.Warnings(venue)
			if err != nil {
				return err
			}
			for _, w := range warnings {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s: %v\n", w.Place(), w.Err)
			}
			if out == "" {
				out = venue + ".bundle"
			}
			if err := folder.WriteFile(out, data, 0o644); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d bytes, ", out, len(data))
			return printHeads(cmd.OutOrStdout(), b)
		},
	}
	cmd.Flags().StringVar(&venue, "venue", "", "`name` of the venue (required)")
	cmd.Flags().StringVarP(&out, "out", "o", "", "`file` to write (default VENUE.bundle)")
	return cmd
}

func printHeads(w io.Writer, b *fleet.Bundle) error {
	for _, d := range b.Documents {
		if d.Kind() != fleet.KindHead {
			continue
		}
		h, err := fleet.ReadHead(d)
		if err != nil {
			return err
		}
		fresh, hard := h.Bands()
		fmt.Fprintf(w, "head %d of %s, fresh until %s, hard after %s\n", d.Version(), d.Scope(), fresh.Format(time.RFC3339), hard.Format(time.RFC3339))
		for _, issuer := range slices.Sorted(maps.Keys(h.Down)) {
			fmt.Fprintf(w, "issuer %s is down since %s\n", issuer, time.Unix(int64(h.Down[issuer]), 0).UTC().Format(time.RFC3339))
		}
	}
	return nil
}

func newShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show BUNDLE",
		Short: "Print what a bundle holds",
		Long: `Print the documents of a bundle: version, signed time, digest, and the keys that
its signatures name. Signatures are not checked here; a kiosk does that, from the
root that its config pins.`,
		Example: `  gatehouse-fleet show arena.bundle`,
		Args:    one("file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer file.Close()
			b, err := fleet.ReadBundle(file)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return show(cmd.OutOrStdout(), b)
		},
	}
}

func show(out io.Writer, b *fleet.Bundle) error {
	docs := slices.Clone(b.Documents)
	slices.SortStableFunc(docs, func(x, y fleet.Document) int {
		return cmp.Or(cmp.Compare(x.Kind(), y.Kind()), cmp.Compare(x.Scope(), y.Scope()), cmp.Compare(x.Version(), y.Version()))
	})
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KIND\tSCOPE\tVERSION\tSIGNED\tKEYS\tDIGEST")
	for _, d := range docs {
		var ids []string
		for _, id := range d.Signers() {
			ids = append(ids, id.String())
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", d.Kind(), d.Scope(), d.Version(), d.Issued().Format(time.RFC3339), strings.Join(ids, " "), d.Digest())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, d := range docs {
		if d.Kind() != fleet.KindRoot {
			continue
		}
		r, err := fleet.ReadRoot(d)
		if err != nil {
			return err
		}
		from, until := r.Valid()
		fmt.Fprintf(out, "root %d, valid from %s until %s\n", d.Version(), from.Format(time.RFC3339), until.Format(time.RFC3339))
	}
	for _, blob := range b.Blobs {
		fmt.Fprintf(out, "blob %s, %d bytes\n", fleet.DigestOf(blob), len(blob))
	}
	return printHeads(out, b)
}
