// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"errors"
	"sync"
	"time"

	"gatehouse/device/condition"
	"gatehouse/gate"
)

// Has tells whether a contact of the lane is wired.
func (l *LaneConfig) Has(c gate.Contact) bool { return l.GPIO.Input(c).Name != "" }

// HasSensor tells whether a passage contact is wired.
func (l *LaneConfig) HasSensor() bool { return l.Has(gate.Passage) }

// inputLine is a contact of a lane, which may be missing now and come later: the lane works without it.
type inputLine struct {
	open func() (gate.Input, error)

	mu    sync.Mutex
	line  gate.Input // nil while it is not open
	wrong error      // why not
	tried time.Time
}

// inputRetry is the pause between two tries to open a contact.
const inputRetry = time.Second

// Active implements gate.Input.
func (s *inputLine) Active() (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line == nil && time.Since(s.tried) >= inputRetry {
		s.tried = time.Now()
		s.line, s.wrong = s.open()
	}
	if s.wrong != nil {
		return false, s.wrong
	}
	active, err := s.line.Active()
	if err != nil { // its chip may be gone: opened anew it may be another
		s.wrong = errors.Join(err, s.line.Close())
		s.line = nil
	}
	return active, err
}

// Close implements gate.Input.
func (s *inputLine) Close() error {
	if !s.mu.TryLock() { // a reading hangs in its driver
		return nil
	}
	defer s.mu.Unlock()
	if s.line == nil {
		return nil
	}
	return s.line.Close()
}

// inputs are the contacts of the lane that are wired, and how to let go of them.
func (l *lane) inputs() (map[gate.Contact]gate.Input, func() error) {
	wired := map[gate.Contact]gate.Input{}
	for _, c := range gate.Contacts() {
		if l.cfg.Has(c) {
			wired[c] = &inputLine{open: func() (gate.Input, error) { return l.kiosk.hw.Input(l.cfg, c) }}
		}
	}
	return wired, func() (err error) {
		for _, in := range wired {
			err = errors.Join(err, in.Close())
		}
		return err
	}
}

// inputState hears how a contact is.
func (l *lane) inputState(c gate.Contact, err error) {
	switch c {
	case gate.Passage:
		l.health.set(condition.Sensor, err)
	case gate.Exit:
		l.health.set(condition.ExitInput, err)
	case gate.Fire:
		l.health.set(condition.FireInput, err)
	}
}
