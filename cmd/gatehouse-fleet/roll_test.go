// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"regexp"
	"testing"
	"time"

	"gatehouse/fleet"
	"gatehouse/fleet/centre"
	syncer "gatehouse/sync"
)

// A kiosk that was taken out of the folder, as a stolen one is, and is joined all the same is told from those of the fleet.
func TestStrangersAreTold(t *testing.T) {
	at := func(name string) fleet.Place { return fleet.Place{Venue: "arena", Kiosk: name} }
	joined := syncer.Status{Online: true, Boot: "boot"}
	roll := rollOf([]centre.Seen{{Kiosk: at("gate-2"), Status: joined}, {Kiosk: at("gate-1"), Status: joined}}, []fleet.Place{at("gate-3"), at("gate-1")})
	var out bytes.Buffer
	must(t, showRoll(&out, roll, time.Now()))
	for _, line := range []string{`arena/gate-1 +yes +-`, `arena/gate-2 +yes, is not in the folder +-`, `arena/gate-3 +never +-`, `Who is not in the folder is shut out by gatehouse-fleet broker-config.*`} {
		if !regexp.MustCompile(`(?m)^` + line).MatchString(out.String()) {
			t.Errorf("no line %q in:\n%s", line, &out)
		}
	}
	if len(roll) != 3 || roll[0].Stranger || !roll[1].Stranger || roll[2].Stranger {
		t.Errorf("the roll: %+v", roll)
	}
}
