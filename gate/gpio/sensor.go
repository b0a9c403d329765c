// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gpio

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// Sensor is the passage contact of a lane. It satisfies gate.Sensor. It is a request of its own: reading an output's line
// would make an input of it.
type Sensor struct {
	chip      chip
	number    int
	activeLow bool

	mu   sync.Mutex // held for a whole call of the driver
	line line       // nil once it was closed
}

// OpenSensor takes the line of a lane's passage contact for this process. It can be called again after it failed. Its
// errors wrap one of the package's, and say what to do.
func OpenSensor(cfg Config) (*Sensor, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if cfg.Passage.Name == "" {
		return nil, fmt.Errorf("gpio: %w: no passage contact is wired; set passage.line", ErrConfig)
	}
	c, err := openChip(cfg.Chip)
	if err != nil {
		return nil, err
	}
	return openSensor(c, cfg.Passage)
}

func openSensor(c chip, wiring Input) (*Sensor, error) {
	d := c.describe()
	number, err := d.find(wiring.Name)
	if err != nil {
		return nil, fmt.Errorf("gpio: passage: %w", err)
	}
	l, err := c.request(number, wiring.mode())
	if err != nil {
		return nil, fmt.Errorf("gpio: passage: %w", requestError(d, number, withErrno(err)))
	}
	return &Sensor{chip: c, number: number, activeLow: wiring.ActiveLow, line: l}, nil
}

// Passing tells whether the contact is active.
func (s *Sensor) Passing() (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line == nil {
		return false, s.errorf(ErrClosed)
	}
	high, err := s.line.read()
	if err != nil {
		return false, s.errorf(withErrno(err))
	}
	return high != s.activeLow, nil
}

// Close releases the line. Where the driver hangs in a reading it is released by the end of the process.
func (s *Sensor) Close() error {
	if !s.mu.TryLock() {
		return s.errorf(unix.EBUSY)
	}
	defer s.mu.Unlock()
	if s.line == nil {
		return nil
	}
	l := s.line
	s.line = nil // periph acts on descriptor 0 through a line that was closed
	if err := l.close(); err != nil {
		return s.errorf(err)
	}
	return nil
}

func (s *Sensor) errorf(err error) error {
	d := s.chip.describe()
	return fmt.Errorf("gpio: line %s of %s: %w", d.lines[s.number].name, d.name, err)
}
