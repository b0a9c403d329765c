// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/credential"
	"gatehouse/fleet/folder"
)

// request is what issue was asked for.
type request struct {
	issuer, id string
	status     string
	valid      folder.Duration
	count      int
	json, wide bool
	claims     credential.Claims
}

func newIssue(o *options) *cobra.Command {
	r := &request{valid: folder.Duration(24 * time.Hour)}
	cmd := &cobra.Command{
		Use:   "issue --issuer NAME",
		Short: "Issue passes",
		Long: `Issue passes, one code a line on standard output.

A pass is revoked by its id. With --json each line holds id and code; keep the
ids with your bookings.

With --status each pass also has a place in a list of one bit a pass, which lets
kiosks hold a hundred million of them in 16 MB. The places are kept in status/; a
list is in force with the next bundle, so make one after the first pass of a list.
Until then kiosks answer stale_data.`,
		Example: `  gatehouse-fleet issue --issuer arena --scope arena --valid 24h
  gatehouse-fleet issue --issuer arena --scope arena/north --count 500 --json
  gatehouse-fleet issue --issuer arena --count 500 --status arena/2026
  gatehouse-fleet issue --issuer health --kind health --level green --valid 30d`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := o.open()
			if err != nil {
				return err
			}
			return r.run(f, cmd.OutOrStdout())
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&r.issuer, "issuer", "", "`name` of the issuer (required)")
	fl.StringVar(&r.claims.Kind, "kind", "ticket", "`kind` of pass: ticket, health, travel, staff, …")
	fl.StringVar(&r.claims.Level, "level", "", "`level`, for a status-like pass: green")
	fl.UintVar(&r.claims.Uses, "uses", 0, "admissions at most; 0 leaves it to the venue's rule")
	fl.StringArrayVar(&r.claims.Scope, "scope", nil, "`venue` or venue/zone that it is for (repeatable; default: every venue that accepts the issuer)")
	fl.TextVar(&r.valid, "valid", r.valid, "`time` from now until it expires: 24h, 30d")
	fl.IntVar(&r.count, "count", 1, "how many passes, each with its own id")
	fl.StringVar(&r.id, "id", "", "`id` in hex, 8 to 16 bytes, in place of a random one")
	fl.StringVar(&r.status, "status", "", "`URI` of a status list in which each pass gets the next place")
	fl.BoolVar(&r.wide, "wide", false, "a longer opening, for wheelchairs and pushchairs")
	fl.BoolVar(&r.json, "json", false, "write one JSON object a line, with id and code")
	return cmd
}

func (r *request) run(f *folder.Folder, out io.Writer) error {
	switch {
	case r.issuer == "":
		return errors.New("whose pass is it? Add --issuer NAME")
	case r.count < 1:
		return fmt.Errorf("--count %d: at least 1", r.count)
	case r.id != "" && r.count != 1:
		return errors.New("--id names one pass; leave out --count")
	case r.valid <= 0:
		return errors.New("--valid must be longer than nothing; write 24h or 30d")
	}
	if r.id != "" {
		id, err := hex.DecodeString(r.id)
		if err != nil {
			return errors.New("--id is not hexadecimal; write 16 to 32 digits")
		}
		r.claims.ID = id
	}
	if r.wide {
		r.claims.Grant = "wide"
	}
	now := time.Now()
	r.claims.Issued, r.claims.Expires = now, now.Add(time.Duration(r.valid))
	w := bufio.NewWriter(out)
	passes, err := r.issue(f)
	if err != nil {
		return err
	}
	for _, p := range passes {
		if !r.json {
			fmt.Fprintln(w, p.Code)
		} else if err := json.NewEncoder(w).Encode(p); err != nil {
			return err
		}
	}
	return w.Flush()
}

func (r *request) issue(f *folder.Folder) (passes []folder.Issued, err error) {
	if r.status != "" {
		return f.IssueListed(r.issuer, r.status, r.claims, r.count)
	}
	for range r.count {
		p, err := f.Issue(r.issuer, r.claims)
		if err != nil {
			return nil, err
		}
		passes = append(passes, p)
	}
	return passes, nil
}
