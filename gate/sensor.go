// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Sensor is the passage contact of a lane, in logical levels: polarity belongs to the implementation. A turnstile's
// contact is usually closed and opens for some 250 ms when somebody goes through.
type Sensor interface {
	// Passing tells whether somebody is in the passage now.
	Passing() (bool, error)
	// Close releases the input, after [Gate.Run] has returned. The one who opened the sensor closes it.
	Close() error
}

// Surprise is a passage that ends no admission.
type Surprise string

const (
	// LatePassage: somebody went through after the admission had been reported as [entry.NotPassed].
	LatePassage Surprise = "late_passage"
	// SecondPassage: more than one person went through on one admission.
	SecondPassage Surprise = "second_passage"
	// UnadmittedPassage: somebody went through and nobody had been admitted.
	UnadmittedPassage Surprise = "unadmitted_passage"
)

// What a sensor can have. None of it keeps the lane from working: its admissions then end as [entry.PassageUnknown].
var (
	// ErrSensor: the sensor cannot be read. Look at its wiring and at the chip.
	ErrSensor = errors.New("the passage sensor cannot be read")
	// ErrSensorStuck: it tells of somebody in the passage all the time. A cut wire of a contact that is usually closed
	// looks like this.
	ErrSensorStuck = errors.New("the passage sensor is stuck")
	// ErrSensorSilent: several admissions in a row ended without a passage. A contact that is usually open and whose wire is
	// cut looks like this, and would give every pass its use back.
	ErrSensorSilent = errors.New("the passage sensor tells of nobody")
)

// Inputs have neither debouncing in the driver nor edges to rely on, so they are read again and again.
const (
	sensePeriod = 10 * time.Millisecond
	// settledAfter is how many equal readings in a row are a level.
	settledAfter = 2
	// stuckAfter is longer than anybody stands in a turnstile.
	stuckAfter = 10 * time.Second
	// readPatience is how old the last reading may be before its driver is said to hang.
	readPatience = patience
	// blindAfter is how long nobody may look: half of a contact's time.
	blindAfter = 120 * time.Millisecond
	// silentAfter is how many admissions without a passage, one after the other, are not believed any more.
	silentAfter = 3
	// lateAfter bounds how long after its end a passage still belongs to an admission that nobody used.
	lateAfter = 30 * time.Second
)

// sensing reads a sensor and turns its levels into passages. It shares nothing with the loop that could hang.
type sensing struct {
	sensor   Sensor
	passages chan time.Time // when each began

	mu     sync.Mutex
	read   time.Time // when the last reading came back
	wrong  error     // of the last reading
	inside bool      // somebody is in the passage, or the level is not known yet
	blind  time.Time // when a reading last failed or was missed: nobody knows who went through meanwhile
	unseen int       // admissions in a row without a passage
}

func newSensing(s Sensor) *sensing {
	return &sensing{sensor: s, passages: make(chan time.Time, 16), read: time.Now()}
}

// run reads until ctx ends.
func (s *sensing) run(ctx context.Context) {
	tick := time.NewTicker(sensePeriod)
	defer tick.Stop()
	var c contact
	for {
		passing, err := s.passing()
		began := c.take(passing, err, time.Now())
		s.note(&c, err)
		if began != (time.Time{}) {
			select {
			case s.passages <- began:
			default: // the loop is far behind, and sixteen passages tell as much as seventeen
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// passing is a reading whose panic is an error.
func (s *sensing) passing() (passing bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrPanic, p)
		}
	}()
	return s.sensor.Passing()
}

// note keeps what the latest reading says of the sensor itself.
func (s *sensing) note(c *contact, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if err != nil || now.Sub(s.read) > blindAfter {
		s.blind = now
	}
	s.read, s.wrong, s.inside = now, nil, !c.known || c.level || c.last
	switch {
	case err != nil:
		s.wrong = fmt.Errorf("%w: %w; check its wiring", ErrSensor, err)
	case c.known && c.level && s.read.Sub(c.since) > stuckAfter:
		s.wrong = fmt.Errorf("%w: it tells of somebody for more than %v; check its wiring, and whether something stands in it", ErrSensorStuck, stuckAfter)
	}
}

// fault is why the sensor cannot be relied on, nil when it can.
func (s *sensing) fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.wrong != nil:
		return s.wrong
	case time.Since(s.read) > readPatience:
		return fmt.Errorf("%w: its driver hangs", ErrSensor)
	case s.unseen >= silentAfter:
		return fmt.Errorf("%w: %d admissions in a row ended without a passage; check its wiring, or walk through", ErrSensorSilent, s.unseen)
	}
	return nil
}

// empty tells whether nobody can have gone through since then but those who were told of, and nobody is about to.
func (s *sensing) empty(since time.Time) bool {
	if s.fault() != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.inside && s.blind.Before(since) && time.Since(s.read) <= blindAfter
}

// seen and missed count towards ErrSensorSilent.
func (s *sensing) seen()   { s.mu.Lock(); defer s.mu.Unlock(); s.unseen = 0 }
func (s *sensing) missed() { s.mu.Lock(); defer s.mu.Unlock(); s.unseen++ }

// contact debounces: a level counts when it was read several times in a row.
type contact struct {
	known bool // level is settled; not after the start or a failed reading
	level bool
	since time.Time // of level

	last  bool // of the readings that may become the level
	first time.Time
	times int
}

// take takes a reading and returns when a passage began, zero where none did. The level that is met first, also after a
// reading that failed, is none: nobody saw it begin.
func (c *contact) take(reading bool, err error, now time.Time) (began time.Time) {
	if err != nil {
		*c = contact{}
		return
	}
	if c.times == 0 || reading != c.last {
		c.last, c.first, c.times = reading, now, 0
	}
	if c.times++; c.times < settledAfter || c.known && c.level == reading {
		return
	}
	if c.known && reading {
		began = c.first
	}
	c.known, c.level, c.since = true, reading, c.first
	return began
}
