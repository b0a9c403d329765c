// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Command bench runs the benchmarks that carry a goal, prints them as a table and writes bench/latest.json. A speed is
// stated as a ratio to a floor or a peer of the same run: the numbers of one machine mean nothing on another.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"text/tabwriter"
)

// row is one measured number.
type row struct {
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	Against string  `json:"against"` // what the ratio is to; "" where there is none
	Ratio   float64 `json:"ratio"`   // 0 where there is none
	Goal    float64 `json:"goal"`    // the ratio not to exceed; 0: only reported
	Met     bool    `json:"met"`     // true where there is no goal
}

const output = "bench/latest.json"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var rows []row
	for _, b := range benchmarks() {
		r, err := b.run(ctx)
		if err != nil {
			return err
		}
		rows = append(rows, r...)
	}
	daemon, err := measureDaemon(ctx)
	if err != nil {
		return err
	}
	rows = append(rows, daemon...)
	if err := table(os.Stdout, rows); err != nil {
		return err
	}
	text, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return err
	}
	return os.WriteFile(output, append(text, '\n'), 0o644)
}

func table(w io.Writer, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "name\tvalue\tunit\tratio\tgoal\tmet\tagainst\t")
	for _, r := range rows {
		ratio, goal, met := "", "", ""
		if r.Ratio != 0 {
			ratio = fmt.Sprintf("%.3f", r.Ratio)
		}
		if r.Goal != 0 {
			goal, met = fmt.Sprintf("≤ %g", r.Goal), "NO"
			if r.Met {
				met = "yes"
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", r.Name, amount(r.Value), r.Unit, ratio, goal, met, r.Against)
	}
	return t.Flush()
}

// amount is a number with four digits or, where it is large, without decimals.
func amount(v float64) string {
	if v >= 1000 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.4g", v)
}
