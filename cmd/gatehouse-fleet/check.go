// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/fleet/folder"
)

// errFaults ends a check that found faults: they are printed already.
var errFaults = errors.New("the folder has faults; nothing of it was changed")

func newCheck(o *options) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Look for faults in the whole folder",
		Long: `Look at every file of the folder as bundle will read it, and print all that is wrong with it, a line each: file, line,
what is wrong and what to do. A warning is valid and probably not meant, as a rule that names an issuer which the fleet does
not have; bundle signs it all the same. Nothing is changed, and the offline keys are not needed.

The exit status is 0 where there is no fault, warnings or not, and 1 where there is one. What plan shows comes after this.
How a kiosk is wired is for gatehouse doctor to look at, on the kiosk.

--json prints one object a line: file, line (absent where it is about the whole file), severity (error or warning) and text.
Fields may be added; those there stay.`,
		Example: `  gatehouse-fleet check
  gatehouse-fleet check && gatehouse-fleet plan
  gatehouse-fleet check --json | jq -r .file | uniq -c`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return check(cmd.OutOrStdout(), folder.Inspect(o.folder, time.Now()), asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

// finding is a line of check --json.
type finding struct {
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Severity string `json:"severity"`
	Text     string `json:"text"`
}

func check(out io.Writer, faults []*folder.Fault, asJSON bool) error {
	errs, warnings := 0, 0
	for _, f := range faults {
		severity, mark := "error", ""
		if f.Warning {
			severity, mark = "warning", "warning: "
			warnings++
		} else {
			errs++
		}
		if asJSON {
			if err := json.NewEncoder(out).Encode(finding{f.File, f.Line, severity, f.Err.Error()}); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(out, "%s: %s%v\n", f.Place(), mark, f.Err)
	}
	if !asJSON {
		fmt.Fprintf(out, "%s, %s\n", counted(errs, "fault"), counted(warnings, "warning"))
	}
	if errs > 0 {
		return errFaults
	}
	return nil
}

// counted is "no fault", "1 fault", "2 faults".
func counted(n int, what string) string {
	switch n {
	case 0:
		return "no " + what
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
