// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"gatehouse/device/client"
)

// TestStatusMovesNoCursor: a fault's text may come from elsewhere, as from a broker.
func TestStatusMovesNoCursor(t *testing.T) {
	const evil = "gone\x1b[2J\x1b]0;x\a\u009b2J\nnothing is wrong"
	var out strings.Builder
	s := &client.Status{
		Lanes:      []client.Lane{{Name: "in-1", Scanner: evil, Gate: evil, Sensor: evil}},
		Conditions: []client.Condition{{Code: "GH-101", Text: evil, LeadsTo: []client.Condition{{Code: "GH-102", Text: evil}}}},
	}
	if err := printStatus(&out, s); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.ContainsAny(got, "\x1b\a\u009b") || strings.Contains(got, "\nnothing is wrong") {
		t.Errorf("control characters reach the terminal:\n%q", got)
	}
}

func TestPlainLinesKeepsLinesAndNothingElse(t *testing.T) {
	if got := plainLines("one\x1b[2J\ntwo\u009bthree"); got != "one [2J\ntwo three" {
		t.Errorf("%q", got)
	}
}
