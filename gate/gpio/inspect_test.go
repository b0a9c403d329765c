// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gpio

import (
	"errors"
	"strings"
	"testing"
)

func TestInspectTellsEveryLineAndTakesNone(t *testing.T) {
	c := newFake("R", "G", "X", "X")
	c.lines[1].consumer = "other@7"
	for name, tc := range map[string]struct {
		cfg Config
		is  error
		say []string
	}{
		"well": {wired(Line{Name: "R"}), nil, nil},
		"missing": {Config{Relay: Line{Name: "none"}, Red: Line{Name: "nor this"}, Passage: Input{Name: "nor that"}}, ErrNoLine,
			[]string{"relay: no such line", "red: no such line", "passage: no such line", "it has R, G"}},
		"twice": {wired(Line{Name: "X"}), ErrNoLine, []string{"2 lines"}},
		"held":  {Config{Relay: Line{Name: "R"}, Green: Line{Name: "G"}}, ErrHeld, []string{"green", "other@7"}},
	} {
		err := inspect(c.describe(), tc.cfg)
		if !errors.Is(err, tc.is) {
			t.Errorf("%s: %v", name, err)
		}
		for _, text := range tc.say {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v does not say %q", name, err, text)
			}
		}
	}
	c.want(t)
	if c.pins[0].held {
		t.Error("a line was taken")
	}
	if err := Inspect(Config{}); !errors.Is(err, ErrConfig) {
		t.Errorf("no wiring: %v", err)
	}
}
