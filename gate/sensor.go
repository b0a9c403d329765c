// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"cmp"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Surprise is what the passage contact tells beside the passages that end admissions.
type Surprise string

const (
	// LatePassage: somebody went through after the admission had been reported as [entry.NotPassed].
	LatePassage Surprise = "late_passage"
	// SecondPassage: more than one person went through on one admission.
	SecondPassage Surprise = "second_passage"
	// UnadmittedPassage: somebody went through, nobody had been admitted and nobody let out.
	UnadmittedPassage Surprise = "unadmitted_passage"
	// HeldPassage: the passage is held, by something or somebody, for longer than anybody takes to walk through.
	HeldPassage Surprise = "held_passage"
)

// ErrSensorSilent: several admissions in a row ended without a passage. A contact that is usually open and whose wire is
// cut looks like this, and would give every pass its use back. Admissions then end as [entry.PassageUnknown], as with a
// passage contact that cannot be read or is stuck.
var ErrSensorSilent = errors.New("the sensor tells of nobody")

const (
	// silentAfter is how many admissions without a passage, one after the other, are not believed any more.
	silentAfter = 3
	// lateAfter bounds how long after its end a passage still belongs to an admission that nobody used.
	lateAfter = 30 * time.Second
)

// sensing is the passage contact and how far it is believed.
type sensing struct {
	*reader
	passages chan time.Time // when each began

	mu     sync.Mutex
	unseen int // admissions in a row without a passage
}

func newSensing(input Input, blind time.Duration) *sensing {
	s := &sensing{passages: make(chan time.Time, 16)}
	s.reader = newReader(Passage, input, func(_ *contact, began time.Time) {
		if began == (time.Time{}) {
			return
		}
		select {
		case s.passages <- began:
		default: // the loop is far behind, and sixteen passages tell as much as seventeen
		}
	})
	s.gap = cmp.Or(blind, blindAfter)
	return s
}

// fault is why nobody can say who went through, nil when the sensor can.
func (s *sensing) fault() error {
	if err := s.reader.fault(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unseen >= silentAfter {
		return fmt.Errorf("%s: %w: %d admissions in a row ended without a passage; check its wiring, or walk through", Passage, ErrSensorSilent, s.unseen)
	}
	return nil
}

// empty tells whether nobody can have gone through since then but those who were told of, and nobody is about to.
func (s *sensing) empty(since time.Time) bool { return s.fault() == nil && s.quiet(since) }

// seen and missed count towards ErrSensorSilent.
func (s *sensing) seen()   { s.mu.Lock(); defer s.mu.Unlock(); s.unseen = 0 }
func (s *sensing) missed() { s.mu.Lock(); defer s.mu.Unlock(); s.unseen++ }
