// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gpio

import (
	"errors"
	"fmt"

	"gatehouse/gate"
)

// Inspect looks for the chip and the lines of a wiring as Open does, and takes none of them: a line that is requested
// and released may move on some boards. A line that another program holds is ErrHeld. The errors are those of Open.
func Inspect(cfg Config) error {
	if err := cfg.Check(); err != nil {
		return err
	}
	c, err := openChip(cfg.Chip)
	if err != nil {
		return err
	}
	return inspect(c.describe(), cfg)
}

func inspect(d description, cfg Config) error {
	var errs []error
	look := func(what, name string) {
		if name == "" {
			return
		}
		number, err := d.find(name)
		if err == nil && d.lines[number].consumer != "" {
			err = fmt.Errorf("%w: line %s of %s: %s; end that program, or the overlay that claims it", ErrHeld, name, d.name, d.lines[number].consumer)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("gpio: %s: %w", what, err))
		}
	}
	for _, o := range gate.Outputs() {
		look(string(o), cfg.line(o).Name)
	}
	for _, in := range gate.Contacts() {
		look(string(in), cfg.Input(in).Name)
	}
	return errors.Join(errs...)
}
