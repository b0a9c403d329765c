// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"gatehouse/device/client"
)

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
