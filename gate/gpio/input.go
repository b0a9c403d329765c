// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gpio

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"gatehouse/gate"
)

// Contact is one input of a lane. It satisfies [gate.Input]. It is a request of its own: reading an output's line would make
// an input of it.
type Contact struct {
	chip      chip
	number    int
	activeLow bool

	mu   sync.Mutex // held for a whole call of the driver
	line line       // nil once it was closed
}

// OpenInput takes the line of an input of a lane for this process. It can be called again after it failed. Its errors wrap
// one of the package's, and say what to do.
func OpenInput(cfg Config, of gate.Contact) (*Contact, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	wiring := cfg.Input(of)
	if wiring.Name == "" {
		return nil, fmt.Errorf("gpio: %w: no %s contact is wired; set %s.line", ErrConfig, of, of)
	}
	c, err := openChip(cfg.Chip)
	if err != nil {
		return nil, err
	}
	return openInput(c, of, wiring)
}

func openInput(c chip, of gate.Contact, wiring Input) (*Contact, error) {
	d := c.describe()
	number, err := d.find(wiring.Name)
	if err != nil {
		return nil, fmt.Errorf("gpio: %s: %w", of, err)
	}
	l, err := c.request(number, wiring.mode())
	if err != nil {
		return nil, fmt.Errorf("gpio: %s: %w", of, requestError(d, number, withErrno(err)))
	}
	return &Contact{chip: c, number: number, activeLow: wiring.ActiveLow, line: l}, nil
}

// Active tells whether the contact is active.
func (c *Contact) Active() (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.line == nil {
		return false, c.errorf(ErrClosed)
	}
	high, err := c.line.read()
	if err != nil {
		return false, c.errorf(withErrno(err))
	}
	return high != c.activeLow, nil
}

// Close releases the line. Where the driver hangs in a reading it is released by the end of the process.
func (c *Contact) Close() error {
	if !c.mu.TryLock() {
		return c.errorf(unix.EBUSY)
	}
	defer c.mu.Unlock()
	if c.line == nil {
		return nil
	}
	l := c.line
	c.line = nil // periph acts on descriptor 0 through a line that was closed
	if err := l.close(); err != nil {
		return c.errorf(err)
	}
	return nil
}

func (c *Contact) errorf(err error) error {
	d := c.chip.describe()
	return fmt.Errorf("gpio: line %s of %s: %w", d.lines[c.number].name, d.name, err)
}
