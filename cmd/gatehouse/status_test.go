// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"

	"gatehouse/device/client"
)

// A kiosk whose stores cannot be opened lets people out and has neither clock nor record to tell of.
func TestStatusWithoutStores(t *testing.T) {
	s := &client.Status{Venue: "arena", Kiosk: "gate-1", Data: client.Data{Freshness: "none"},
		Lanes: []client.Lane{{Name: "in-1", Scanner: "connected", Gate: "in service", Exit: "well", Fire: "the fire contact is active"}}}
	var out strings.Builder
	if err := printStatus(&out, s); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"clock and ledger: not there yet; people are let out, and nobody in", "  exit:    well\n", "  fire:    the fire contact is active\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %s", want, &out)
		}
	}
	picture := strings.Join((&view{status: s}).picture(120, 24), "\n")
	if !strings.Contains(picture, "arena/gate-1  NOT READY  its stores are not open") || !strings.Contains(picture, "well, the fire contact is active") || strings.Contains(picture, "0001-") {
		t.Error(picture)
	}
}

// Who asks whether a contact was wired right must find it in the status, and only where one is wired.
func TestStatusTellsOfThePassageSensor(t *testing.T) {
	for _, sensor := range []string{"", "well", "the passage sensor is stuck"} {
		var out strings.Builder
		s := &client.Status{Lanes: []client.Lane{{Name: "in-1", Scanner: "connected", Gate: "in service", Sensor: sensor}}}
		if err := printStatus(&out, s); err != nil {
			t.Fatal(err)
		}
		if _, told, found := strings.Cut(out.String(), "sensor:"); found != (sensor != "") || !strings.Contains(told, sensor) {
			t.Errorf("sensor %q: %s", sensor, &out)
		}
	}
}

// How much the collector has of the record is told where there is one, and only there.
func TestStatusTellsWhatTheCollectorHas(t *testing.T) {
	for received, want := range map[uint64]string{
		0:  "ledger: event 42, 7 writes since start\n",
		40: "ledger: event 42, 7 writes since start; the collector has 40 of them\n",
	} {
		var out strings.Builder
		s := &client.Status{Clock: client.Clock{At: time.Now()}, Ledger: client.Ledger{Events: 42, Commits: 7, Received: received}}
		if err := printStatus(&out, s); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%v, %s", err, &out)
		}
	}
}
