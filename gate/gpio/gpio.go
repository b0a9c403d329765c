// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gpio

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"gatehouse/gate"
)

// Lines are the outputs of a lane. They satisfy [gate.Lines].
type Lines struct {
	outputs map[gate.Output]*output // fixed once made
	missing map[gate.Output]error   // the lamps whose line there is not; likewise
}

// Open takes the lines of a lane for this process and moves none of them. It can be called again
// after it failed. Its errors wrap one of the package's, and say what to do. A lamp's line that cannot be taken is no error
// here but at each Drive: nobody stays in for a lamp.
func Open(cfg Config) (*Lines, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	c, err := openChip(cfg.Chip)
	if err != nil {
		return nil, err
	}
	return open(c, cfg)
}

func open(c chip, cfg Config) (*Lines, error) {
	d := c.describe()
	lines := &Lines{outputs: make(map[gate.Output]*output), missing: make(map[gate.Output]error)}
	for _, o := range gate.Outputs() {
		wiring := cfg.line(o)
		if wiring.Name == "" {
			continue
		}
		number, err := d.find(wiring.Name)
		if err == nil {
			out := &output{chip: c, number: number, activeLow: wiring.ActiveLow}
			lines.outputs[o] = out
			err = out.request(asIs)
		} else {
			lines.missing[o] = fmt.Errorf("gpio: %w", err)
		}
		if err != nil && o == gate.Relay {
			return nil, errors.Join(fmt.Errorf("gpio: %s: %w", o, err), lines.Close())
		}
	}
	return lines, nil
}

// Drive sets an output. One that is not wired is driven without effect.
func (l *Lines) Drive(o gate.Output, active bool) error {
	out := l.outputs[o]
	if out == nil {
		return l.missing[o]
	}
	return out.drive(active)
}

// Close releases the lines. It drives nothing, and skips a line whose driver hangs: that one is released by the end
// of the process.
func (l *Lines) Close() error {
	var errs []error
	for _, o := range gate.Outputs() {
		if out := l.outputs[o]; out != nil {
			errs = append(errs, out.close())
		}
	}
	return errors.Join(errs...)
}

// output is one line that is driven.
type output struct {
	chip      chip
	number    int
	activeLow bool

	mu      sync.Mutex // held for a whole call of the driver
	line    line       // nil where it was lost and is to be requested again
	settled bool       // the line is known to be an output
	closed  bool
}

func (o *output) request(m mode) error {
	l, err := o.chip.request(o.number, m)
	if err != nil {
		return requestError(o.chip.describe(), o.number, withErrno(err))
	}
	o.line, o.settled = l, m == asOutput
	return nil
}

func (o *output) drive(active bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return o.errorf(ErrClosed)
	}
	level := active != o.activeLow
	if o.line != nil && !o.settled {
		if o.settled = o.takes(level); o.settled {
			return nil
		}
		// An input, or a driver that cannot tell. The line must be released to be requested anew.
		if err := o.line.close(); err != nil {
			return o.errorf(err)
		}
		o.line = nil
	}
	if o.line == nil {
		if err := o.request(asOutput); err != nil {
			return fmt.Errorf("gpio: %w", err)
		}
	}
	if err := o.line.out(level); err != nil {
		return o.errorf(withErrno(err))
	}
	return nil
}

// takes tries a level on a line that was requested as it is, and looks whether it is there.
func (o *output) takes(level bool) bool {
	if err := o.line.out(level); err != nil {
		return false
	}
	got, err := o.line.read()
	return err == nil && got == level
}

func (o *output) close() error {
	if !o.mu.TryLock() {
		return o.errorf(unix.EBUSY)
	}
	defer o.mu.Unlock()
	o.closed = true
	if o.line == nil {
		return nil
	}
	l := o.line
	o.line = nil // periph acts on descriptor 0 through a line that was closed
	if err := l.close(); err != nil {
		return o.errorf(err)
	}
	return nil
}

func (o *output) errorf(err error) error {
	d := o.chip.describe()
	return fmt.Errorf("gpio: line %s of %s: %w", d.lines[o.number].name, d.name, err)
}
