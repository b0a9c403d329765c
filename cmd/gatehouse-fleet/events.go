// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/fleet/collector"
)

func newEvents(o *options) *cobra.Command {
	var db, format, since string
	var alarms, follow bool
	var filter collector.Filter
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show the events that kiosks have sent, or the alarms about them",
		Long: `Show the events that "serve" has collected, by kiosk and number.

Passes are in them as hashes under the venue's key, and those of private kinds not
at all. --follow stays, and shows those that arrive.`,
		Example: `  gatehouse-fleet events --venue arena --reason revoked
  gatehouse-fleet events --since 2026-05-01T06:00:00Z --format csv > morning.csv
  gatehouse-fleet events --follow --outcome deny
  gatehouse-fleet events --alarms`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := o.open()
			if err != nil {
				return err
			}
			if since != "" {
				if filter.From, err = time.Parse(time.RFC3339, since); err != nil {
					return fmt.Errorf("--since %q is no time; write for example 2026-05-01T06:00:00Z", since)
				}
			}
			path := databaseOf(f, db)
			if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s is not there: no event was collected yet. Collect them with: gatehouse-fleet serve", path)
			}
			store, err := collector.OpenSQLite(cmd.Context(), path)
			if err != nil {
				return err
			}
			defer store.Close()
			if alarms {
				return showAlarms(cmd, store)
			}
			show, end, err := eventWriter(cmd.OutOrStdout(), format)
			if err != nil {
				return err
			}
			if !follow {
				return errors.Join(store.Events(cmd.Context(), filter, show), end())
			}
			ctx, stop := untilStopped(cmd)
			defer stop()
			shown := map[collector.Ledger]uint64{}
			return repeat(ctx, followEvery, func() error {
				return errors.Join(showNews(ctx, store, filter, shown, show), end())
			})
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&db, "db", "", "the `file` of the collected events (default: events.db of the folder)")
	fl.StringVar(&format, "format", "text", "text, json (one object a line) or csv")
	fl.StringVar(&since, "since", "", "only events from this `time` on, by the kiosk's clock (RFC 3339)")
	fl.StringVar(&filter.Venue, "venue", "", "only of this venue")
	fl.StringVar(&filter.Kiosk, "kiosk", "", "only of kiosks of this name")
	fl.StringVar(&filter.Lane, "lane", "", "only of lanes of this name")
	fl.StringVar(&filter.Kind, "kind", "", "only of this kind: decision, passage, incident, …")
	fl.StringVar(&filter.Outcome, "outcome", "", "only of this outcome: admit, deny, refer, wait")
	fl.StringVar(&filter.Reason, "reason", "", "only of this reason: ok, expired, revoked, …")
	fl.IntVar(&filter.Limit, "limit", 0, "at most so many; 0 is all")
	fl.BoolVarP(&follow, "follow", "f", false, "stay, and show those that arrive")
	fl.BoolVar(&alarms, "alarms", false, "show the alarms in place of the events")
	cmd.MarkFlagsMutuallyExclusive("follow", "limit", "alarms")
	return cmd
}

// followEvery is how often the store is asked for events that arrived.
const followEvery = time.Second

// showNews shows the events that are behind those that were shown, and writes down up to where it has come.
func showNews(ctx context.Context, store *collector.SQLite, f collector.Filter, shown map[collector.Ledger]uint64, show func(collector.Stored) error) error {
	tips, err := store.Tips(ctx)
	if err != nil {
		return err
	}
	for _, ledger := range slices.SortedFunc(maps.Keys(tips), collector.Ledger.Compare) {
		f.Part = &collector.Part{Ledger: ledger, After: shown[ledger], Last: tips[ledger]}
		if f.Part.Last <= f.Part.After {
			continue
		}
		if err := store.Events(ctx, f, show); err != nil {
			return err
		}
		shown[ledger] = f.Part.Last
	}
	return nil
}

func showAlarms(cmd *cobra.Command, store *collector.SQLite) error {
	list, err := store.Alarms(cmd.Context())
	if err != nil {
		return err
	}
	if len(list) == 0 {
		fmt.Fprintln(cmd.OutOrStdout(), "No alarm.")
	}
	for _, a := range list {
		fmt.Fprintf(cmd.OutOrStdout(), "%s  %s  %s  ledger %s, event %d: %s\n", a.At.Format(time.RFC3339), a.Kiosk, a.Code, a.Ledger, a.Seq, a.Text)
	}
	return nil
}

// collected is one event as it is written in JSON.
type collected struct {
	Venue   string    `json:"venue"`
	Kiosk   string    `json:"kiosk"`
	Ledger  string    `json:"ledger"`
	Seq     uint64    `json:"seq"`
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"`
	Lane    string    `json:"lane,omitempty"`
	Outcome string    `json:"outcome,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Issuer  string    `json:"issuer,omitempty"`
	Rule    string    `json:"rule,omitempty"`
	Passage string    `json:"passage,omitempty"`
	Of      uint64    `json:"of,omitempty"`
	Note    string    `json:"note,omitempty"`
}

func collectedOf(e collector.Stored) collected {
	ev := e.Event
	return collected{e.Kiosk.Venue, e.Kiosk.Kiosk, e.Ledger.String(), ev.Seq, ev.At, string(ev.Kind), ev.Lane, string(ev.Outcome), string(ev.Reason), ev.Issuer, ev.Rule, string(ev.Passage), ev.Of, ev.Note}
}

// eventWriter writes events in a format; end is called after the last.
func eventWriter(out io.Writer, format string) (show func(collector.Stored) error, end func() error, err error) {
	nothing := func() error { return nil }
	switch format {
	case "json":
		return func(e collector.Stored) error { return json.NewEncoder(out).Encode(collectedOf(e)) }, nothing, nil
	case "csv":
		w := csv.NewWriter(out)
		err := w.Write([]string{"venue", "kiosk", "ledger", "seq", "at", "kind", "lane", "outcome", "reason", "issuer", "rule", "passage", "of", "note"})
		return func(e collector.Stored) error {
			c := collectedOf(e)
			return w.Write([]string{c.Venue, c.Kiosk, c.Ledger, strconv.FormatUint(c.Seq, 10), c.At.Format(time.RFC3339Nano), cell(c.Kind), cell(c.Lane), cell(c.Outcome),
				cell(c.Reason), cell(c.Issuer), cell(c.Rule), cell(c.Passage), strconv.FormatUint(c.Of, 10), cell(c.Note)})
		}, func() error { w.Flush(); return w.Error() }, err
	case "text":
		return func(e collector.Stored) error {
			c := collectedOf(e)
			_, err := fmt.Fprintln(out, plain(fmt.Sprintf("%s/%s %d  %s  %s %s %s %s %s", c.Venue, c.Kiosk, c.Seq, c.At.Format(time.RFC3339), c.Kind, c.Lane, c.Outcome, c.Reason, c.Note)))
			return err
		}, nothing, nil
	}
	return nil, nil, fmt.Errorf("--format %q is unknown; write text, json or csv", format)
}

// cell is a text as a spreadsheet takes it for a text: one that begins like a formula is quoted, for a kiosk may be somebody
// else's by now.
func cell(s string) string {
	if s = plain(s); s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}
