// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gpio

import (
	"slices"
	"testing"
)

func TestNamedLines(t *testing.T) {
	d := description{name: "gpiochip0", label: "pinctrl", path: "/dev/gpiochip0",
		lines: []lineInfo{{}, {name: "relay0"}, {name: "gpiochip0-relay1", consumer: "gatehouse"}}}
	c := d.named()
	want := []NamedLine{{1, "relay0", ""}, {2, "relay1", "gatehouse"}}
	if c.Name != d.name || c.Label != d.label || c.Path != d.path || !slices.Equal(c.Lines, want) {
		t.Errorf("got %+v", c)
	}
	for _, l := range c.Lines { // each name is one that Open takes
		if number, err := d.find(l.Name); err != nil || number != l.Number {
			t.Errorf("%s is found as %d, %v", l.Name, number, err)
		}
	}
}

func TestWired(t *testing.T) {
	chip := Chip{Name: "gpiochip1", Label: "expander", Path: "/dev/gpiochip1"}
	lines := Config{Relay: Line{Name: "relay0"}, Passage: Input{Name: "contact"}, Exit: Input{Name: "button"}, Fire: Input{Name: "alarm"}}
	for _, c := range []struct {
		chip  string
		alone bool
		line  string
		want  string
	}{
		{"", true, "relay0", "relay"}, {"", true, "contact", "passage"}, {"", true, "button", "exit"}, {"", true, "alarm", "fire"}, {"", true, "other", ""}, {"", true, "", ""},
		{"", false, "relay0", ""}, {"gpiochip1", false, "relay0", "relay"}, {"expander", false, "relay0", "relay"},
		{"/dev/gpiochip1", false, "relay0", "relay"}, {"gpiochip0", true, "relay0", ""},
	} {
		lines.Chip = c.chip
		if got := lines.Wired(chip, c.alone, c.line); got != c.want {
			t.Errorf("%+v: got %q", c, got)
		}
	}
}
