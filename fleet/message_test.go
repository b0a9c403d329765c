// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"gatehouse/fleet"
)

var elsewhere = fleet.Place{Venue: "arena", Kiosk: "gate-2"}

// offices is a root under which commands and receipts are signed.
func offices(tb testing.TB) (root *fleet.Root, command, collector fleet.SigningKey) {
	m := newModel(tb)
	command, collector = key(tb, "command"), key(tb, "collector")
	root = m.rootBody()
	for role, k := range map[string]fleet.SigningKey{fleet.RoleCommand: command, fleet.RoleCollector: collector} {
		root.Keys = append(root.Keys, fleet.RootKey{Public: k.Public()})
		root.Roles[role] = fleet.Role{Keys: []fleet.KeyID{k.ID()}, Threshold: 1}
	}
	return root, command, collector
}

func someRecords() fleet.Records {
	return fleet.Records{Ledger: fleet.LedgerID{1}, First: 7, Oldest: 3, Before: fleet.Link{2}, Events: [][]byte{{0xa0}, {0xa1, 0x01, 0x02}}}
}

func someCommand() fleet.Command {
	return fleet.Command{ID: fleet.Nonce{1}, Boot: "boot", Nonce: fleet.Nonce{2}, Action: fleet.ActionOpen, Lane: "in-1", Reason: "pushchair"}
}

func must[T any](tb testing.TB) func(T, error) T {
	return func(v T, err error) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

func TestMessagesSayWhatWasSigned(t *testing.T) {
	root, command, collector := offices(t)
	kiosk := key(t, "kiosk")
	records := someRecords()
	raw := must[[]byte](t)(fleet.SignRecords(place, morning, records, kiosk))
	if got, err := fleet.OpenRecords(raw, place, kiosk.Public()); err != nil || !reflect.DeepEqual(*got, records) {
		t.Errorf("records: %+v, %v", got, err)
	}
	receipt := fleet.Receipt{Ledger: records.Ledger, Seq: records.Last(), Link: records.Links()[1]}
	raw = must[[]byte](t)(fleet.SignReceipt(place, morning, receipt, collector))
	if got, err := root.OpenReceipt(raw, place); err != nil || got != receipt {
		t.Errorf("receipt: %+v, %v", got, err)
	}
	order := someCommand()
	order.Issued = morning
	raw = must[[]byte](t)(fleet.SignCommand(place, morning, order, command))
	if got, err := root.OpenCommand(raw, place); err != nil || *got != order {
		t.Errorf("command: %+v, %v", got, err)
	}
}

func TestMessagesOfOthersAreRefused(t *testing.T) {
	root, command, collector := offices(t)
	kiosk := key(t, "kiosk")
	order := func(to fleet.Place, at time.Time, keys ...fleet.SigningKey) []byte {
		return must[[]byte](t)(fleet.SignCommand(to, at, someCommand(), keys...))
	}
	for name, raw := range map[string][]byte{
		"nobody's":             order(place, morning),
		"another role's":       order(place, morning, collector),
		"a kiosk's":            order(place, morning, kiosk),
		"to another kiosk":     order(elsewhere, morning, command),
		"before the root":      order(place, morning.AddDate(-2, 0, 0), command),
		"after the root":       order(place, morning.AddDate(20, 0, 0), command),
		"a receipt":            must[[]byte](t)(fleet.SignReceipt(place, morning, fleet.Receipt{}, command)),
		"a head in its clothe": newModel(t).head(1, morning, nil, command).Bytes(),
	} {
		if got, err := root.OpenCommand(raw, place); err == nil || got != nil {
			t.Errorf("%s: taken: %+v", name, got)
		}
	}
	raw := order(place, morning, command)
	if _, err := newModel(t).rootBody().OpenCommand(raw, place); !errors.Is(err, fleet.ErrSignature) {
		t.Errorf("a root without the role: %v", err)
	}
	raw = must[[]byte](t)(fleet.SignRecords(place, morning, someRecords(), kiosk))
	if _, err := fleet.OpenRecords(raw, elsewhere, kiosk.Public()); !errors.Is(err, fleet.ErrSignature) {
		t.Errorf("records of another kiosk: %v", err)
	}
	if _, err := fleet.OpenRecords(raw, place, key(t, "other").Public()); !errors.Is(err, fleet.ErrSignature) {
		t.Errorf("records by another key: %v", err)
	}
}

func TestMessagesAreBounded(t *testing.T) {
	kiosk := key(t, "kiosk")
	wide := someRecords()
	wide.Events = [][]byte{make([]byte, fleet.MaxRecordBytes+1)}
	many := someRecords()
	many.Events = make([][]byte, fleet.MaxRecords+1)
	none := someRecords()
	none.Events = nil
	begun := someRecords()
	begun.First, begun.Oldest = 1, 1
	lost := someRecords()
	lost.Oldest = 8
	endless := someRecords()
	endless.First = math.MaxInt64
	for name, r := range map[string]fleet.Records{"numbers without end": endless, "too wide": wide, "too many": many, "none": none, "before the first": begun, "older than the oldest": lost} {
		if _, err := fleet.SignRecords(place, morning, r, kiosk); !errors.Is(err, fleet.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*fleet.Command){
		"unknown action":      func(c *fleet.Command) { c.Action = "reboot" },
		"no lane":             func(c *fleet.Command) { c.Lane = "" },
		"a lane for a resync": func(c *fleet.Command) { c.Action = fleet.ActionResync },
		"no reason":           func(c *fleet.Command) { c.Reason = "" },
		"a long reason":       func(c *fleet.Command) { c.Reason = strings.Repeat("x", 201) },
		"no boot":             func(c *fleet.Command) { c.Boot = "" },
	} {
		c := someCommand()
		change(&c)
		if _, err := fleet.SignCommand(place, morning, c, kiosk); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
	root, _, _ := offices(t)
	if _, err := root.OpenCommand(make([]byte, 1<<20), place); !errors.Is(err, fleet.ErrMalformed) {
		t.Errorf("a megabyte: %v", err)
	}
}

// FuzzMessage holds that no message is taken that was not signed, whatever a broker makes of one.
func FuzzMessage(f *testing.F) {
	root, command, collector := offices(f)
	kiosk := key(f, "kiosk")
	order, receipt, records := someCommand(), fleet.Receipt{Seq: 4}, someRecords()
	order.Issued = morning
	f.Add(must[[]byte](f)(fleet.SignCommand(place, morning, order, command)))
	f.Add(must[[]byte](f)(fleet.SignReceipt(place, morning, receipt, collector)))
	f.Add(must[[]byte](f)(fleet.SignRecords(place, morning, records, kiosk)))
	f.Add(must[[]byte](f)(cbor.Marshal(map[string]any{"payload": []byte{0xa0}, "signatures": [][]byte{}})))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if got, err := root.OpenCommand(raw, place); err == nil && *got != order {
			t.Errorf("a command that nobody signed: %+v", got)
		}
		if got, err := root.OpenReceipt(raw, place); err == nil && got != receipt {
			t.Errorf("a receipt that nobody signed: %+v", got)
		}
		if got, err := fleet.OpenRecords(raw, place, kiosk.Public()); err == nil && !reflect.DeepEqual(*got, records) {
			t.Errorf("records that nobody signed: %+v", got)
		}
	})
}
