// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gpio

import (
	"errors"
	"fmt"
	"slices"

	"gatehouse/gate"
)

// Config is the wiring of a lane.
type Config struct {
	// Chip is the chip's name (gpiochip0), its label (pinctrl-bcm2711) or its device's path, which may
	// be a link. Empty means the only chip there is, or gpiochip0 if there are several.
	Chip string `yaml:"chip"`
	// Relay is required. A lamp without a name is not wired.
	Relay Line `yaml:"relay"`
	Green Line `yaml:"green"`
	Red   Line `yaml:"red"`
	// Passage is the passage contact, active while somebody walks through; Exit asks to be let out; Fire is active during a
	// fire alarm. One without a name is not wired. Wire Fire so that a cut wire is an alarm.
	Passage Input `yaml:"passage"`
	Exit    Input `yaml:"exit"`
	Fire    Input `yaml:"fire"`
}

// Input gives the wiring of an input.
func (c Config) Input(of gate.Contact) Input {
	switch of {
	case gate.Passage:
		return c.Passage
	case gate.Exit:
		return c.Exit
	case gate.Fire:
		return c.Fire
	}
	return Input{}
}

// Names lists the lines that are wired.
func (c Config) Names() []string {
	var names []string
	for _, o := range gate.Outputs() {
		names = append(names, c.line(o).Name)
	}
	for _, in := range gate.Contacts() {
		names = append(names, c.Input(in).Name)
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

// Input is one line of the chip that is read.
type Input struct {
	Name      string `yaml:"line"`       // as of a Line
	ActiveLow bool   `yaml:"active_low"` // for a contact that pulls the line to ground
	// Pull is "up" or "down" where the chip is to pull the line; empty leaves it to the board.
	Pull string `yaml:"pull"`
}

func (i Input) mode() mode {
	switch i.Pull {
	case "up":
		return pulledUp
	case "down":
		return pulledLow
	}
	return asInput
}

// Line is one line of the chip.
type Line struct {
	// Name is what the kernel calls the line; see gpioinfo.
	Name string `yaml:"line"`
	// ActiveLow is for boards whose input is pulled to ground to switch on.
	ActiveLow bool `yaml:"active_low"`
}

// Its errors tell by these what is to be done; their texts say it.
var (
	// ErrConfig: the wiring in the configuration cannot be meant. Correct it.
	ErrConfig = errors.New("bad wiring in the configuration")
	// ErrNoChip: there is no such chip. Check the board, its kernel modules and the configuration.
	ErrNoChip = errors.New("no such chip")
	// ErrNoLine: the chip has no line of that name, or several. Check the configuration, or name the lines in the device tree.
	ErrNoLine = errors.New("no such line")
	// ErrHeld: another program or driver holds the line. End it.
	ErrHeld = errors.New("the line is held by another")
	// ErrPermission: this user may not open the chip. See the udev rule and the group gatehouse.
	ErrPermission = errors.New("no permission")
	// ErrClosed: the lines were closed.
	ErrClosed = errors.New("closed")
)

// line gives the line of an output.
func (c Config) line(o gate.Output) Line {
	switch o {
	case gate.Relay:
		return c.Relay
	case gate.Green:
		return c.Green
	case gate.Red:
		return c.Red
	}
	return Line{}
}

// Check looks for what is wrong without looking at the hardware: a relay that is not wired, a line
// that is used twice. The error wraps ErrConfig.
func (c Config) Check() error {
	if c.Relay.Name == "" {
		return fmt.Errorf("gpio: %w: the relay has no line; set relay.line to a line of the chip (gpioinfo lists them)", ErrConfig)
	}
	used := make(map[string]string)
	take := func(name, what string) error {
		if other, twice := used[name]; twice && name != "" {
			return fmt.Errorf("gpio: %w: line %s is both %s and %s; give each its own line", ErrConfig, name, other, what)
		}
		used[name] = what
		return nil
	}
	for _, o := range gate.Outputs() {
		if err := take(c.line(o).Name, string(o)); err != nil {
			return err
		}
	}
	for _, of := range gate.Contacts() {
		in := c.Input(of)
		switch {
		case in.Pull != "" && in.Pull != "up" && in.Pull != "down":
			return fmt.Errorf("gpio: %w: %s.pull is %q; write up or down, or leave it out", ErrConfig, of, in.Pull)
		case in.Name == "" && in != Input{}:
			return fmt.Errorf("gpio: %w: %s has no line; set %s.line to a line of the chip (gpioinfo lists them), or leave %s out", ErrConfig, of, of, of)
		}
		if err := take(in.Name, string(of)); err != nil {
			return err
		}
	}
	return nil
}
