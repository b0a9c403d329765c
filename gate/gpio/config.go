// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gpio

import (
	"errors"
	"fmt"

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
	// Passage is the passage contact, active while somebody walks through. Without a name none is wired.
	Passage Input `yaml:"passage"`
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
	// ErrPermission: this user may not open the chip. See the udev rule and the group gpio.
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
	switch c.Passage.Pull {
	case "", "up", "down":
	default:
		return fmt.Errorf("gpio: %w: passage.pull is %q; write up or down, or leave it out", ErrConfig, c.Passage.Pull)
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
	return take(c.Passage.Name, "passage")
}
