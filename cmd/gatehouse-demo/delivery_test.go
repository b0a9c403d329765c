// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/hex"
	"errors"
	"slices"
	"testing"
	"time"

	"gatehouse/device/client"
	"gatehouse/entry"
	"gatehouse/fleet"
	"gatehouse/fleet/collector"
)

// inBoth is a ledger of a few events, as the kiosk has it and as the collector does.
func inBoth(t *testing.T) (r record, rows []collector.Stored) {
	t.Helper()
	ledger := fleet.LedgerID{1, 2, 3}
	r = record{ledger: ledger.String(), chain: client.Chain{First: 1, Last: 4}}
	var link fleet.Link
	for seq := uint64(1); seq <= r.chain.Last; seq++ {
		ev := entry.Event{Seq: seq, At: time.Unix(1e9+int64(seq), 0).UTC(), Kind: entry.EventDecision, Outcome: entry.Deny, Reason: entry.ReasonExpired}
		body, err := fleet.EncodeEvent(&ev)
		if err != nil {
			t.Fatal(err)
		}
		link = link.Next(ledger, seq, body)
		rows = append(rows, collector.Stored{Kiosk: gate1(), Ledger: ledger, Link: link, Event: ev, Body: body})
		r.events = append(r.events, client.Event{Number: seq, At: ev.At, Kind: string(ev.Kind), Outcome: string(ev.Outcome), Reason: string(ev.Reason)})
	}
	r.chain.Link = hex.EncodeToString(link[:])
	return r, rows
}

// Whatever differs between the kiosk's record and the collector's is found.
func TestOneToOne(t *testing.T) {
	for name, spoil := range map[string]func(*record, *[]collector.Stored){
		"":                   func(*record, *[]collector.Stored) {},
		"the last is lost":   func(_ *record, rows *[]collector.Stored) { *rows = (*rows)[:3] },
		"one is lost":        func(_ *record, rows *[]collector.Stored) { *rows = slices.Delete(*rows, 1, 2) },
		"one is there twice": func(_ *record, rows *[]collector.Stored) { *rows = slices.Insert(*rows, 1, (*rows)[1]) },
		"one in the place of another": func(_ *record, rows *[]collector.Stored) {
			(*rows)[2] = (*rows)[1]
		},
		"in another order":  func(_ *record, rows *[]collector.Stored) { slices.Reverse(*rows) },
		"another ledger":    func(r *record, _ *[]collector.Stored) { r.ledger = "another" },
		"another body":      func(_ *record, rows *[]collector.Stored) { (*rows)[0].Body = (*rows)[1].Body },
		"another link":      func(_ *record, rows *[]collector.Stored) { (*rows)[3].Link[0] ^= 1 },
		"another last link": func(r *record, _ *[]collector.Stored) { r.chain.Link = hex.EncodeToString(make([]byte, 32)) },
		"another reason":    func(r *record, _ *[]collector.Stored) { r.events[1].Reason = "ok" },
		"another time":      func(r *record, _ *[]collector.Stored) { r.events[1].At = time.Unix(0, 0) },
		"the kiosk pruned":  func(r *record, _ *[]collector.Stored) { r.chain.First = 2 },
		"the kiosk lost":    func(r *record, _ *[]collector.Stored) { r.events = r.events[:3] },
	} {
		t.Run(name, func(t *testing.T) {
			r, rows := inBoth(t)
			spoil(&r, &rows)
			if err := oneToOne(r, rows); errors.Is(err, errDelivery) != (name != "") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCountRows(t *testing.T) {
	_, rows := inBoth(t)
	if got := countRows(append(rows, rows[1])); got != (delivered{events: 5, twice: 1}) {
		t.Errorf("got %+v", got)
	}
}
