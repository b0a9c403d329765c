// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/entry"
	"gatehouse/fleet"
	"gatehouse/fleet/collector"
)

// Whoever follows the events is shown each once, of all kiosks, and of those that a filter lets through.
func TestFollowedEventsAreShownOnce(t *testing.T) {
	at := time.Date(2026, 5, 1, 6, 0, 0, 0, time.UTC)
	secret := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	key, err := fleet.NewSigningKey(secret)
	must(t, err)
	store, err := collector.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "events.db"))
	must(t, err)
	defer store.Close()
	c := collector.New(store, func(fleet.Place) ed25519.PublicKey { return secret.Public().(ed25519.PublicKey) }, func() time.Time { return at }, key)
	ends := map[string]fleet.Receipt{}
	send := func(kiosk string, outcomes ...entry.Outcome) {
		t.Helper()
		end := ends[kiosk]
		r := fleet.Records{Ledger: fleet.LedgerID{1}, First: end.Seq + 1, Oldest: 1, Before: end.Link}
		for _, o := range outcomes {
			body, err := fleet.EncodeEvent(&entry.Event{At: at, Kind: entry.EventDecision, Lane: "in-1", Outcome: o})
			must(t, err)
			r.Events = append(r.Events, body)
		}
		place := fleet.Place{Venue: "arena", Kiosk: kiosk}
		raw, err := fleet.SignRecords(place, at, r, key)
		must(t, err)
		_, err = c.Take(context.Background(), place, raw)
		must(t, err)
		links := r.Links()
		ends[kiosk] = fleet.Receipt{Seq: r.Last(), Link: links[len(links)-1]}
	}
	var out bytes.Buffer
	show, _, err := eventWriter(&out, "text")
	must(t, err)
	shown := map[collector.Ledger]uint64{}
	look := func() (lines []string) {
		t.Helper()
		out.Reset()
		must(t, showNews(t.Context(), store, collector.Filter{Outcome: "admit"}, shown, show))
		for line := range strings.Lines(out.String()) {
			place, rest, _ := strings.Cut(line, " ")
			seq, _, _ := strings.Cut(rest, " ")
			lines = append(lines, place+" "+seq)
		}
		return lines
	}
	if got := look(); got != nil {
		t.Errorf("shown before anything came: %v", got)
	}
	send("gate-2", entry.Admit)
	send("gate-1", entry.Admit, entry.Deny, entry.Admit)
	if got := look(); !slices.Equal(got, []string{"arena/gate-1 1", "arena/gate-1 3", "arena/gate-2 1"}) {
		t.Errorf("shown %v", got)
	}
	send("gate-1", entry.Deny)
	send("gate-1", entry.Admit)
	if got := look(); !slices.Equal(got, []string{"arena/gate-1 5"}) {
		t.Errorf("shown after that %v", got)
	}
	if got := look(); got != nil {
		t.Errorf("shown twice: %v", got)
	}
}

// Two that serve one fleet would throw each other out of the broker, again and again.
func TestOneServes(t *testing.T) {
	dir := t.TempDir()
	unlock, err := serveAlone(dir)
	must(t, err)
	if _, err := serveAlone(dir); err == nil || !strings.Contains(err.Error(), "stop that first") {
		t.Errorf("a second one: %v", err)
	}
	unlock()
	unlock, err = serveAlone(dir)
	must(t, err)
	unlock()
}

// What a kiosk says steers no terminal and is no formula of a spreadsheet, in whichever field it says it.
func TestHostileTextOfEvents(t *testing.T) {
	const evil = "=cmd\x1b]0;owned\a\u009b2J\u202e\r\nforged"
	e := collector.Stored{Kiosk: fleet.Place{Venue: "arena", Kiosk: "gate-1"}, Event: entry.Event{
		Kind: evil, Lane: evil, Outcome: evil, Reason: evil, Issuer: evil, Rule: evil, Passage: evil, Note: evil}}
	for format, lines := range map[string]int{"text": 1, "csv": 2} {
		var out bytes.Buffer
		show, end, err := eventWriter(&out, format)
		must(t, err)
		must(t, show(e))
		must(t, end())
		if got := out.String(); strings.ContainsAny(got, "\x1b\a\u009b\u202e\r") || strings.Count(got, "\n") != lines {
			t.Errorf("%s: %q", format, got)
		}
		if format == "csv" && (strings.Contains(out.String(), ",=") || strings.Count(out.String(), ",'=cmd") != 8) {
			t.Errorf("a formula is in %q", out.String())
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
