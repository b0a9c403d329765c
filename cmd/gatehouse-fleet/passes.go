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
	"maps"
	"os"
	"slices"
	"strings"
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
		Args: cobra.NoArgs,
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

func newRevoke(o *options) *cobra.Command {
	var issuer, file string
	var code bool
	cmd := &cobra.Command{
		Use:   "revoke --issuer NAME (ID… | --file FILE | --code)",
		Short: "Revoke passes by id or by code",
		Long: `Revoke passes. They are refused where the next bundle has been imported.

An id is the one that issue --json gave (a cti in hex), or for an EU DCC
SIGNATURE:, UCI: or COUNTRYCODEUCI: and 32 hex digits. Codes are read from
standard input, one a line, so that no other user of this machine sees them.`,
		Example: `  gatehouse-fleet revoke --issuer arena 00112233445566778899aabbccddeeff
  gatehouse-fleet revoke --issuer arena --file ids.txt
  gatehouse-fleet revoke --code < codes.txt`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ways := 0
			for _, given := range []bool{len(args) > 0, file != "", code} {
				if given {
					ways++
				}
			}
			if ways != 1 {
				return fmt.Errorf("which passes? Give ids, or --file, or --code, one of them; see %s --help", cmd.CommandPath())
			}
			if issuer == "" && !code {
				return errors.New("whose passes are they? Add --issuer NAME")
			}
			f, err := o.open()
			if err != nil {
				return err
			}
			ids := map[string][]string{issuer: args}
			switch {
			case code:
				ids, err = identify(f, issuer, cmd.InOrStdin())
			case file != "":
				ids[issuer], err = readLines(file)
			}
			if err != nil {
				return err
			}
			return revoke(f, ids, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&issuer, "issuer", "", "`name` of the issuer; with --code it is read from the code")
	cmd.Flags().StringVar(&file, "file", "", "`file` of ids, one a line")
	cmd.Flags().BoolVar(&code, "code", false, "read codes from standard input, one a line")
	return cmd
}

func revoke(f *folder.Folder, ids map[string][]string, out io.Writer) error {
	for _, issuer := range slices.Sorted(maps.Keys(ids)) {
		list := ids[issuer]
		n, err := f.Revoke(issuer, list...)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %d ids given, %d of them not revoked before\nNext: gatehouse-fleet bundle --venue VENUE\n", issuer, len(list), n)
	}
	return nil
}

// identify reads codes and returns their ids by issuer. Errors name the line, never the code.
func identify(f *folder.Folder, issuer string, in io.Reader) (map[string][]string, error) {
	ids := map[string][]string{}
	lines, err := scanLines(in)
	if err != nil {
		return nil, err
	}
	for n, code := range lines {
		of, more, err := f.Identify(code, time.Now())
		if err != nil {
			return nil, fmt.Errorf("code %d: %w", n+1, err)
		}
		if issuer != "" && of != issuer {
			return nil, fmt.Errorf("code %d is a pass of issuer %s, not of %s", n+1, of, issuer)
		}
		ids[of] = append(ids[of], more...)
	}
	if len(ids) == 0 {
		return nil, errors.New("standard input had no code")
	}
	return ids, nil
}

func readLines(path string) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines, err := scanLines(file)
	if err == nil && len(lines) == 0 {
		err = fmt.Errorf("%s has no id", path)
	}
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "#") })
	return lines, err
}

// scanLines keeps spaces within and at the end of a line: a space is a digit of base45.
func scanLines(in io.Reader) (lines []string, err error) {
	s := bufio.NewScanner(in)
	for s.Scan() {
		if line := strings.TrimSuffix(s.Text(), "\r"); line != "" {
			lines = append(lines, line)
		}
	}
	return lines, s.Err()
}
