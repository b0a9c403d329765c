// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gpio

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gatehouse/gate"
)

var _ gate.Input = (*Contact)(nil)

func TestInputReadsItsLineInItsPolarity(t *testing.T) {
	for _, c := range []struct {
		input         Input
		high, passing bool
		requested     string
	}{
		{Input{Name: "S"}, true, true, "S input"},
		{Input{Name: "S"}, false, false, "S input"},
		{Input{Name: "S", ActiveLow: true, Pull: "up"}, true, false, "S input, pulled up"},
		{Input{Name: "S", ActiveLow: true, Pull: "down"}, false, true, "S input, pulled down"},
	} {
		chip := newFake("R", "S")
		s, err := openInput(chip, gate.Passage, c.input)
		if err != nil {
			t.Fatal(err)
		}
		chip.pins[1].high = c.high
		if got, err := s.Active(); got != c.passing || err != nil {
			t.Errorf("%+v, line high %t: %t, %v", c.input, c.high, got, err)
		}
		chip.want(t, c.requested)
		if err := errors.Join(s.Close(), s.Close()); err != nil || chip.pins[1].held {
			t.Errorf("closed: %v, held %t", err, chip.pins[1].held)
		}
		if _, err := s.Active(); !errors.Is(err, ErrClosed) {
			t.Errorf("read after the close: %v", err)
		}
	}
}

func TestInputFaults(t *testing.T) {
	chip := newFake("R", "S")
	if _, err := openInput(chip, gate.Exit, Input{Name: "T"}); !errors.Is(err, ErrNoLine) || !strings.Contains(err.Error(), "R, S") {
		t.Errorf("no such line: %v", err)
	}
	chip.pins[1].held = true
	if _, err := openInput(chip, gate.Exit, Input{Name: "S"}); !errors.Is(err, ErrHeld) {
		t.Errorf("held: %v", err)
	}
	chip.pins[1].held = false
	s, err := openInput(chip, gate.Exit, Input{Name: "S"})
	if err != nil {
		t.Fatal(err)
	}
	chip.pins[1].fail = unix.EIO
	if _, err := s.Active(); !errors.Is(err, unix.EIO) || !strings.Contains(err.Error(), "line S of gpiochip0") {
		t.Errorf("a reading that fails: %v", err)
	}
	for _, c := range []Config{
		{Relay: Line{Name: "R"}, Passage: Input{Name: "R"}},
		{Relay: Line{Name: "R"}, Passage: Input{Name: "S", Pull: "sideways"}},
		{Relay: Line{Name: "R"}, Exit: Input{Name: "S"}, Fire: Input{Name: "S"}},
		{Relay: Line{Name: "R"}, Fire: Input{ActiveLow: true}},
	} {
		if err := c.Check(); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := OpenInput(Config{Relay: Line{Name: "R"}}, gate.Fire); !errors.Is(err, ErrConfig) {
		t.Errorf("no such input wired: %v", err)
	}
}
