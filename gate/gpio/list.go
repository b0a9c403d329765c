// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gpio

import (
	"strings"

	"periph.io/x/host/v3/gpioioctl"

	"gatehouse/gate"
)

// Chip is a GPIO chip with those of its lines that have a name: only these can be wired.
type Chip struct {
	Name, Label, Path string
	Lines             []NamedLine
}

// NamedLine is one line of a chip, by the name that a wiring gives it. Consumer is who held it when this process first
// looked, "" for nobody.
type NamedLine struct {
	Number   int
	Name     string
	Consumer string
}

// Chips lists the chips that Open can choose from, and takes none of their lines. ErrNoChip and ErrPermission are those
// of Open.
func Chips() ([]Chip, error) {
	probing.Lock()
	defer probing.Unlock()
	if err := probe(); err != nil {
		return nil, err
	}
	var all []Chip
	for _, c := range gpioioctl.Chips {
		all = append(all, kernelChip{c}.describe().named())
	}
	return all, nil
}

// named leaves out lines without a name, and the prefix that is periph's own.
func (d description) named() Chip {
	c := Chip{Name: d.name, Label: d.label, Path: d.path}
	for number, l := range d.lines {
		if name := strings.TrimPrefix(l.name, d.name+"-"); name != "" {
			c.Lines = append(c.Lines, NamedLine{number, name, l.consumer})
		}
	}
	return c
}

// Wired tells what a wiring has a line for (relay, green, red, passage, exit, fire), "" for nothing. alone tells that the chip is the
// board's only one.
func (cfg Config) Wired(c Chip, alone bool, line string) string {
	want := cfg.Chip
	if want == "" && !alone {
		want = "gpiochip0"
	}
	if line == "" || want != "" && want != c.Name && want != c.Label && resolve(want) != c.Path {
		return ""
	}
	for _, o := range gate.Outputs() {
		if cfg.line(o).Name == line {
			return string(o)
		}
	}
	for _, in := range gate.Contacts() {
		if cfg.Input(in).Name == line {
			return string(in)
		}
	}
	return ""
}
