// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"gatehouse/device"
)

// printReport prints what the doctor found, for a person or for a program, and returns the exit code.
func printReport(w io.Writer, r *device.Report, asJSON bool) int {
	err := printText
	if asJSON {
		err = printJSON
	}
	if err(w, r) != nil || r.Verdict == device.CheckFail {
		return exitFault
	}
	return 0
}

func printJSON(w io.Writer, r *device.Report) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

func printText(w io.Writer, r *device.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range r.Checks {
		name := c.Name
		if c.Lane != "" {
			name += " of " + c.Lane
		}
		if c.Code == "" {
			fmt.Fprintf(t, "%s\t%s\t%s\n", c.Verdict, name, c.Text)
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s: %s\n\t\t%s\n", c.Verdict, name, c.Code, c.Text, c.Do)
	}
	fmt.Fprintf(t, "\n%s: %s\n", r.Config, r.Verdict)
	return t.Flush()
}
