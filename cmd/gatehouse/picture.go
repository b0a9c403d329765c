// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"gatehouse/device/client"
	"gatehouse/entry"
)

// view is what watch shows: the kiosk as it last answered.
type view struct {
	status *client.Status
	events []client.Event // the newest first
	wrong  error          // why the kiosk does not answer now
}

func look(ctx context.Context, kiosk *client.Client) (view, error) {
	status, err := kiosk.Status(ctx)
	if err != nil {
		return view{}, err
	}
	if status.Clock.At.IsZero() { // there is no record to read yet
		return view{status: status}, nil
	}
	page, err := kiosk.Events(ctx, client.Query{Limit: 100})
	if err != nil {
		return view{}, err
	}
	return view{status: status, events: page.Events}, nil
}

// picture is the view in at most so many lines, none of them wider than so many columns.
func (v *view) picture(width, height int) []string {
	s := v.status
	var lines []string
	add := func(text string) { lines = append(lines, cut(text, width)) }
	if v.wrong != nil {
		add(fmt.Sprintf("%s/%s  NO ANSWER. What is below is of %s.", s.Venue, s.Kiosk, s.Clock.At.Local().Format(time.TimeOnly)))
		add(v.wrong.Error())
	} else {
		add(v.heading())
		add(v.dataLine())
	}
	add("")
	add(fmt.Sprintf("%s %6s  %s  %s", pad("LANE", 8), "SCANS", pad("LAST", 27), "SCANNER, GATE, CONTACTS"))
	most := max(height/4, 1)
	for i, l := range s.Lanes {
		if i == most {
			add(fmt.Sprintf("… and %d more: gatehouse lanes", len(s.Lanes)-i))
			break
		}
		add(laneLine(&l))
	}
	add("")
	wrong := outages(s)
	for _, c := range flat(s.Conditions) {
		wrong = append(wrong, fmt.Sprintf("%s %s %s: %s", c.Code, c.Severity, c.Name, c.Text))
	}
	if len(wrong) == 0 {
		add("nothing is wrong")
	}
	for i, line := range wrong {
		if i == most {
			add(fmt.Sprintf("… and %d more: gatehouse status", len(wrong)-i))
			break
		}
		add(line)
	}
	add("")
	for _, ev := range v.events {
		if len(lines) >= height-1 {
			break
		}
		add(eventLine(&ev, width))
	}
	lines = lines[:min(len(lines), max(height-1, 0))]
	add("gatehouse explain --event N tells why. Ctrl-C ends. ")
	return lines
}

func (v *view) heading() string {
	ready := "READY"
	if !v.status.Ready {
		ready = "NOT READY"
	}
	c := v.status.Clock
	if c.At.IsZero() {
		return fmt.Sprintf("%s/%s  %s  its stores are not open: people are let out, and nobody in", v.status.Venue, v.status.Kiosk, ready)
	}
	synced := ""
	if ago := c.At.Sub(c.SyncedAt); !c.SyncedAt.IsZero() && ago >= time.Minute {
		synced = " " + entry.Duration(ago).Rough() + " ago"
	}
	return fmt.Sprintf("%s/%s  %s  %s clock %s%s", v.status.Venue, v.status.Kiosk, ready, c.At.Local().Format(time.DateTime), c.State, synced)
}

func (v *view) dataLine() string {
	d := v.status.Data
	if d.Signed.IsZero() {
		return "data none: gatehouse import FILE"
	}
	at := v.status.Clock.At
	until := "hard in " + entry.Duration(d.HardAfter.Sub(at)).Rough()
	if d.Freshness == "fresh" {
		until = "stale in " + entry.Duration(d.FreshUntil.Sub(at)).Rough() + ", " + until
	}
	if d.Freshness == "hard" {
		until = "nobody is admitted on it: gatehouse import FILE"
	}
	missing := ""
	if n := len(d.Incomplete); n > 0 {
		missing = fmt.Sprintf(", %d missing", n)
	}
	return fmt.Sprintf("data %s, signed %s ago%s; %s", d.Freshness, entry.Duration(at.Sub(d.Signed)).Rough(), missing, until)
}

func laneLine(l *client.Lane) string {
	last := "-"
	if l.Last != "" {
		last = l.Last + " " + l.LastAt.Local().Format(time.TimeOnly)
	}
	parts := shutText(l) + l.Scanner + ", " + l.Gate
	for _, contact := range []string{l.Sensor, l.Exit, l.Fire} {
		if contact != "" {
			parts += ", " + contact
		}
	}
	return fmt.Sprintf("%s %6d  %s  %s", pad(l.Name, 8), l.Scans, pad(last, 27), parts)
}

// shutText tells why a lane does not let in by pass; "" where it does.
func shutText(l *client.Lane) string {
	if l.Closed != nil {
		return "CLOSED by " + l.Closed.Note + "; "
	}
	if mode := modeText(l); mode != "" {
		return mode + "; "
	}
	return ""
}

// changes is what of a view is told where nothing can be drawn: what does not change by itself.
func (v *view) changes() (lines []string) {
	s := v.status
	ready := "ready"
	if !s.Ready {
		ready = "NOT READY"
	}
	lines = append(lines, fmt.Sprintf("%s/%s: %s, data %s, clock %s", s.Venue, s.Kiosk, ready, s.Data.Freshness, s.Clock.State))
	for _, l := range s.Lanes {
		lines = append(lines, plain(fmt.Sprintf("  lane %s: %s%s, %s", l.Name, shutText(&l), l.Scanner, cmp.Or(l.Gate, "-"))))
	}
	for _, d := range s.Data.Down {
		lines = append(lines, plain(fmt.Sprintf("  down: %s, since %s", d.Issuer, local(d.Since))))
	}
	for _, c := range flat(s.Conditions) {
		lines = append(lines, plain(fmt.Sprintf("  %s %s %s: %s", c.Code, c.Severity, c.Name, c.Text)))
	}
	return lines
}

// flat are conditions with those that follow from them, each after its cause.
func flat(list []client.Condition) (all []client.Condition) {
	for _, c := range list {
		all = append(append(all, c), flat(c.LeadsTo)...)
	}
	return all
}
