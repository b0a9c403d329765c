// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"errors"
	"time"

	"gatehouse/entry"
)

// guest is what the loop knows of the newest admission's passage.
type guest struct {
	grant   *entry.Grant
	came    time.Time // when the relay was about to rise; zero before the first admission
	watched bool      // somebody is awaited, and the sensor was well then
	passed  bool
	absent  time.Time // when it was reported that nobody had passed; zero: it was not
}

// passage is how the admission ends as far as is known.
func (g guest) passage() entry.Passage {
	if g.passed {
		return entry.Passed
	}
	return entry.PassageUnknown
}

// welcome begins an admission.
func (l *loop) welcome(grant *entry.Grant) {
	l.guest = guest{grant: grant, came: time.Now(), watched: l.sensing != nil && !grant.Free() && l.sensing.fault() == nil}
}

// walked takes a passage while the lane is the guest's. What began before the relay rose was somebody else.
func (l *loop) walked(began time.Time) {
	switch {
	case began.Before(l.guest.came):
		l.cfg.Surprised(UnadmittedPassage, nil)
	case l.guest.passed:
		l.cfg.Surprised(SecondPassage, l.guest.grant)
	default:
		l.guest.passed = true
	}
}

// absent is what the end of the waiting means. A passage that was sensed and not taken yet goes before the time.
func (l *loop) absent() entry.Passage {
	for sensed := true; sensed; {
		select {
		case began := <-l.passages:
			l.sensing.seen()
			l.walked(began)
		default:
			sensed = false
		}
	}
	if l.guest.passed {
		return entry.Passed
	}
	if !l.sensing.empty(l.guest.came) {
		return entry.PassageUnknown
	}
	l.sensing.missed()
	l.guest.absent = time.Now()
	return entry.NotPassed
}

// surprise takes a passage while the lane is nobody's: of somebody who leaves; late by the guest before, whose use may have
// been given back; or of nobody who was admitted.
func (l *loop) surprise(began time.Time) {
	g := &l.guest
	switch {
	case l.departs(began):
		return
	case g.passed || g.came.IsZero() || began.Before(g.came):
	case !g.absent.IsZero() && time.Since(g.absent) < lateAfter:
		g.passed = true
		l.cfg.Surprised(LatePassage, g.grant)
		return
	case g.absent.IsZero() && time.Since(g.came) < l.cfg.Passage: // not waited for, because the sensor was not well
		g.passed = true
		return
	}
	l.cfg.Surprised(UnadmittedPassage, nil)
}

// tellInputs reports how the inputs are, where that has changed.
func (l *loop) tellInputs() {
	for _, c := range Contacts() {
		var err error
		switch {
		case c == Passage && l.sensing != nil:
			err = l.sensing.fault()
		case l.readers[c] != nil:
			err = l.readers[c].fault()
		}
		if text(err) == l.told[c] {
			continue
		}
		l.told[c] = text(err)
		if c == Passage && errors.Is(err, ErrInputStuck) {
			l.cfg.Surprised(HeldPassage, nil)
		}
		if err != nil {
			err = l.errorf("%w", err)
		}
		l.cfg.InputState(c, err)
	}
}
