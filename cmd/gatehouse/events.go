// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/device/client"
	"gatehouse/entry"
)

// screenWidth is how wide a table is at most, in columns: that of the smallest terminal that a technician has.
const screenWidth = 80

// events is one call of the command.
type events struct {
	kiosk  *client.Client
	out    io.Writer
	query  client.Query
	count  int
	asJSON bool
}

func newEvents() *cobra.Command {
	var run, since string
	var follow bool
	e := &events{}
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show the record: decisions, passages, incidents, documents",
		Long: `Events shows the newest events of the kiosk's record, the newest last, in 80 columns: number, time, lane, and what
happened. Of a decision that is the outcome, the reason, the pass's short hash, and kind and issuer of the pass, with
"outage" where only outage_max_age took it; of a passage, how it ended and of which event. A time with ~ behind it is by a
clock that nothing kept right. No pass, name or id is in the record; private kinds (health, travel) have no hash either.

--lane, --outcome (admit, deny, wait, refer), --reason, --kind (decision, passage, incident, trust, start, closed,
released) and --since show only what fits all of them. --since takes a time (2026-05-04T12:00:00Z, or 12:00 of today) or an age (90m, 2d).
--follow goes on showing what is recorded until it is interrupted.

--json prints one object a line: number, at, clock, kind, lane, outcome, reason, pass, format, issuer, key, pass_kind,
level, rule, steps, passage, of, note, late, outage and any_holder; empty ones are left out. Fields may be added; those there stay.`,
		Example: `  gatehouse events
  gatehouse events --outcome refer --since 2h
  gatehouse events --lane in-1 --follow
  gatehouse events --count 0 --since 1d --json | jq -r .reason | sort | uniq -c`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if e.query.Since, err = parseSince(since, time.Now()); err != nil {
				return err
			}
			if err := checkWords(e.query); err != nil {
				return err
			}
			if e.count < 0 {
				return fmt.Errorf("--count %d: write how many, or 0 for all", e.count)
			}
			e.kiosk, e.out = client.Dial(run), cmd.OutOrStdout()
			return e.show(cmd.Context(), follow)
		},
	}
	addRun(cmd, &run)
	f := cmd.Flags()
	f.StringVar(&e.query.Lane, "lane", "", "of this `lane` alone")
	f.StringVar(&e.query.Outcome, "outcome", "", "decisions with this `outcome` alone")
	f.StringVar(&e.query.Reason, "reason", "", "decisions with this `reason` alone")
	f.StringVar(&e.query.Kind, "kind", "", "events of this `kind` alone")
	f.StringVar(&since, "since", "", "from this `time` or age on")
	f.IntVar(&e.count, "count", 20, "how `many` at most; 0 for all")
	f.BoolVar(&follow, "follow", false, "go on with what is recorded from now on")
	var reasons []string
	for _, r := range entry.Reasons() {
		reasons = append(reasons, string(r))
	}
	for flag, words := range map[string][]string{"outcome": outcomes, "kind": kinds, "reason": reasons} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)) // they are there
	}
	f.BoolVar(&e.asJSON, "json", false, "print one JSON object a line")
	return cmd
}

// The words that an event can have; its reason is one of entry.Reasons.
var (
	outcomes = []string{string(entry.Admit), string(entry.Deny), string(entry.Wait), string(entry.Refer)}
	kinds    = []string{string(entry.EventDecision), string(entry.EventPassage), string(entry.EventIncident), string(entry.EventTrust),
		string(entry.EventStart), string(entry.EventClosed), string(entry.EventReleased)}
)

// checkWords finds a word that no event has: its answer would be empty, and look like peace.
func checkWords(q client.Query) error {
	switch {
	case q.Outcome != "" && !slices.Contains(outcomes, q.Outcome):
		return fmt.Errorf("--outcome %q is none; write one of %s", q.Outcome, strings.Join(outcomes, ", "))
	case q.Reason != "" && !slices.Contains(entry.Reasons(), entry.Reason(q.Reason)):
		return fmt.Errorf("--reason %q is none; gatehouse events shows those that there are", q.Reason)
	case q.Kind != "" && !slices.Contains(kinds, q.Kind):
		return fmt.Errorf("--kind %q is none; write one of %s", q.Kind, strings.Join(kinds, ", "))
	}
	return nil
}

// parseSince reads a time, an hour of today or an age.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if t, err := time.Parse("15:04", text); err == nil {
		y, m, d := now.Date()
		return time.Date(y, m, d, t.Hour(), t.Minute(), 0, 0, now.Location()), nil
	}
	var age entry.Duration
	if err := age.UnmarshalText([]byte(text)); err == nil && age > 0 {
		return now.Add(-time.Duration(age)), nil
	}
	return time.Time{}, fmt.Errorf("--since %q is no time; write 2026-05-04T12:00:00Z, 12:00, 90m or 2d", text)
}

// followPeriod is how often a record that is followed is asked for what is new.
const followPeriod = time.Second

func (e *events) show(ctx context.Context, follow bool) error {
	list, next, err := e.newest(ctx)
	if err != nil {
		return err
	}
	if err := e.print(list); err != nil || !follow {
		return err
	}
	tick := time.NewTicker(followPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if next, err = e.more(ctx, next); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// newest are the newest events that fit, oldest first, and the number after the last that there is.
func (e *events) newest(ctx context.Context) (list []client.Event, next uint64, err error) {
	for q := e.query; ; {
		if e.count > 0 {
			q.Limit = e.count - len(list)
		}
		page, err := e.kiosk.Events(ctx, q)
		if err != nil {
			return nil, 0, err
		}
		next = cmp.Or(next, page.Last+1)
		list = append(list, page.Events...)
		q.Before = page.Next
		if page.Next == 0 || len(list) == e.count && e.count > 0 {
			slices.Reverse(list)
			return list, next, nil
		}
	}
}

// more prints what fits from a number on, and returns where to go on.
func (e *events) more(ctx context.Context, from uint64) (next uint64, err error) {
	q := e.query
	for q.From = from; ; {
		page, err := e.kiosk.Events(ctx, q)
		if err != nil {
			return from, err
		}
		if err := e.print(page.Events); err != nil {
			return from, err
		}
		if page.Last+1 < q.From { // another ledger, whose numbers begin anew
			page.Next = 1
		}
		done := page.Next == q.From || page.Next > page.Last
		if q.From = page.Next; done {
			return q.From, nil
		}
	}
}

func (e *events) print(list []client.Event) error {
	for _, ev := range list {
		var err error
		if e.asJSON {
			err = json.NewEncoder(e.out).Encode(ev)
		} else {
			_, err = fmt.Fprintln(e.out, strings.TrimRight(eventLine(&ev, screenWidth), " "))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// eventLine is an event in so many columns.
func eventLine(ev *client.Event, width int) string {
	at := ev.At.Local().Format("01-02 15:04:05")
	if ev.Clock != "" && ev.Clock != string(entry.ClockSynced) {
		at += "~"
	}
	return cut(fmt.Sprintf("%6d %s %s %s", ev.Number, pad(at, 15), pad(cmp.Or(ev.Lane, "-"), 8), happened(ev)), width)
}

// happened tells an event in words.
func happened(ev *client.Event) string {
	late := ""
	if ev.Late {
		late = " late"
	}
	if ev.Outage {
		late += " outage"
	}
	if ev.Kind == string(entry.EventDecision) && ev.Passage != "" { // an exit: it is recorded when it is over
		late = " " + ev.Passage + late
	}
	switch entry.EventKind(ev.Kind) {
	case entry.EventDecision:
		return fmt.Sprintf("%-5s %-18s %s %s%s", ev.Outcome, ev.Reason, pad(cmp.Or(ev.Pass, "-"), 8), strings.TrimSpace(cmp.Or(ev.Note, ev.PassKind+" "+ev.Issuer)), late)
	case entry.EventPassage:
		return fmt.Sprintf("passage %s of event %d%s", ev.Passage, ev.Of, late)
	}
	of := ""
	if ev.Of != 0 {
		of = fmt.Sprintf(" of event %d", ev.Of)
	}
	return ev.Kind + of + ": " + ev.Note + late
}
