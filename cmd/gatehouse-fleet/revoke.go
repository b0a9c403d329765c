// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/fleet/folder"
)

// withdrawal is what revoke was asked for.
type withdrawal struct {
	issuer, file, status, places string
	code                         bool
}

func newRevoke(o *options) *cobra.Command {
	w := &withdrawal{}
	cmd := &cobra.Command{
		Use:   "revoke --issuer NAME (ID… | --file FILE | --status URI --range PLACES | --code)",
		Short: "Revoke passes by id, by place in a status list, or by code",
		Long: `Revoke passes. They are refused where the next bundle was imported, and at kiosks that are joined as soon as "apply" has
published it; plan shows what that will revoke, and what
is in revoked/NAME.txt can be taken out again before.

An id is the one that issue --json gave (a cti in hex), or for an EU DCC SIGNATURE:, UCI: or COUNTRYCODEUCI: and 32 hex
digits. A file has one id a line, with empty lines and comments (#) between them; each line that is none is told, and then
none of the file is revoked.

--range names places in a status list that issue --status gave: 7, 0-499, or several with commas. All of them must have been
given to a pass.

Codes are read from standard input, one a line, so that no other user of this machine sees them.`,
		Example: `  gatehouse-fleet revoke --issuer arena 00112233445566778899aabbccddeeff
  gatehouse-fleet revoke --issuer arena --file ids.txt
  gatehouse-fleet revoke --issuer arena --status arena/2026 --range 500-999,1207
  gatehouse-fleet revoke --code < codes.txt`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := w.check(args, cmd.CommandPath()); err != nil {
				return err
			}
			f, err := o.open()
			if err != nil {
				return err
			}
			ids, err := w.ids(f, args, cmd.InOrStdin(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return revoke(f, ids, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&w.issuer, "issuer", "", "`name` of the issuer; with --code it is read from the code")
	cmd.Flags().StringVar(&w.file, "file", "", "`file` of ids, one a line")
	cmd.Flags().StringVar(&w.status, "status", "", "`URI` of a status list, with --range")
	cmd.Flags().StringVar(&w.places, "range", "", "`places` in the status list: 7, 0-499 or 3,10-19")
	cmd.Flags().BoolVar(&w.code, "code", false, "read codes from standard input, one a line")
	return cmd
}

func (w *withdrawal) check(args []string, path string) error {
	ways := 0
	for _, given := range []bool{len(args) > 0, w.file != "", w.places != "", w.code} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		return fmt.Errorf("which passes? Give ids, or --file, or --range, or --code, one of them; see %s --help", path)
	case w.issuer == "" && !w.code:
		return errors.New("whose passes are they? Add --issuer NAME")
	case (w.status == "") != (w.places == ""):
		return errors.New("--status and --range go together: --status URI --range 0-499")
	}
	return nil
}

func (w *withdrawal) ids(f *folder.Folder, args []string, in io.Reader, faults io.Writer) (ids map[string][]string, err error) {
	ids = map[string][]string{w.issuer: args}
	switch {
	case w.code:
		return identify(f, w.issuer, in)
	case w.file != "":
		ids[w.issuer], err = readIDs(w.file, faults)
	case w.places != "":
		ids[w.issuer], err = f.ListedIDs(w.issuer, w.status, w.places)
	}
	return ids, err
}

// readIDs reads a file of ids. Each fault is told with its line.
func readIDs(path string, faults io.Writer) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	ids, wrong := folder.ParseIDs(path, text)
	for _, f := range wrong {
		fmt.Fprintf(faults, "%s: %v\n", f.Place(), f.Err)
	}
	switch {
	case len(wrong) > 0:
		return nil, fmt.Errorf("%s in %s; nothing was revoked", counted(len(wrong), "fault"), path)
	case len(ids) == 0:
		return nil, fmt.Errorf("%s has no id", path)
	}
	return ids, nil
}

func revoke(f *folder.Folder, ids map[string][]string, out io.Writer) error {
	for _, issuer := range slices.Sorted(maps.Keys(ids)) {
		list := ids[issuer]
		n, err := f.Revoke(issuer, list...)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %d ids given, %d of them not revoked before\nNext: gatehouse-fleet plan, and then %s\n", issuer, len(list), n, spread(f))
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
