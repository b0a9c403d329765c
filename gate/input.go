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

// Contact names one input of a lane.
type Contact string

const (
	// Passage is active while somebody is in the passage. A turnstile's contact is usually closed and opens for some
	// 250 ms when somebody goes through.
	Passage Contact = "passage"
	// Exit asks to be let out: a button, a mat, a detector of people who come from inside.
	Exit Contact = "exit"
	// Fire is active for as long as the fire alarm wants the lane at its level for that.
	Fire Contact = "fire"
)

// Contacts lists every input, the one that goes before the others first.
func Contacts() []Contact { return []Contact{Fire, Exit, Passage} }

// Input is one contact of a lane, in logical levels: polarity belongs to the implementation.
type Input interface {
	// Active tells whether the contact is active now.
	Active() (bool, error)
	// Close releases the input, after [Gate.Run] has returned. The one who opened the input closes it.
	Close() error
}

// What an input can have. None of it keeps the lane from working.
var (
	// ErrInput: the contact cannot be read. Look at its wiring and at the chip.
	ErrInput = errors.New("the contact cannot be read")
	// ErrInputStuck: it has been active for longer than anybody stands in a turnstile or leaves. A cut wire of a contact
	// that is usually closed looks like this.
	ErrInputStuck = errors.New("the contact is stuck")
)

// Inputs have neither debouncing in the driver nor edges to rely on, so they are read again and again.
const (
	sensePeriod = 10 * time.Millisecond
	// settledAfter is how many equal readings in a row are a level.
	settledAfter = 2
	// readPatience is how old the last reading may be before its driver is said to hang.
	readPatience = patience
	// blindAfter is how long nobody may look, if Config.Blind does not say: half of a contact's time.
	blindAfter = 120 * time.Millisecond
)

// stuckAfter is how long a contact may be active: longer than anybody stands in a turnstile, and than a crowd leaves
// without a gap. A fire lasts as long as it does.
func (c Contact) stuckAfter() time.Duration {
	switch c {
	case Passage:
		return 10 * time.Second
	case Exit:
		return time.Minute
	}
	return 0
}

// reader reads an input, debounces it, and tells how the input itself is. It shares nothing with the loop that could hang.
type reader struct {
	contact Contact
	input   Input
	gap     time.Duration                     // for how long nobody may look
	took    func(c *contact, began time.Time) // called by the reading goroutine alone, after each reading

	mu     sync.Mutex
	read   time.Time // when the last reading came back
	wrong  error     // of the last reading
	active bool      // the contact is active, or its level is not known yet
	blind  time.Time // when a reading last failed or was missed: nobody knows what was there meanwhile
}

func newReader(c Contact, input Input, took func(c *contact, began time.Time)) *reader {
	return &reader{contact: c, input: input, gap: blindAfter, took: took, read: time.Now()}
}

// run reads until ctx ends.
func (r *reader) run(ctx context.Context) {
	tick := time.NewTicker(sensePeriod)
	defer tick.Stop()
	var c contact
	for {
		active, err := r.reading()
		began := c.take(active, err, time.Now())
		r.note(&c, err)
		r.took(&c, began)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// reading is one whose panic is an error.
func (r *reader) reading() (active bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrPanic, p)
		}
	}()
	return r.input.Active()
}

// note keeps what the latest reading says of the input itself.
func (r *reader) note(c *contact, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if err != nil || now.Sub(r.read) > r.gap {
		r.blind = now
	}
	r.read, r.wrong, r.active = now, nil, !c.known || c.level || c.last
	most := r.contact.stuckAfter()
	switch {
	case err != nil:
		r.wrong = fmt.Errorf("%s: %w: %w; check its wiring", r.contact, ErrInput, err)
	case most != 0 && c.known && c.level && r.read.Sub(c.since) > most:
		r.wrong = fmt.Errorf("%s: %w: it has been active for more than %v; check its wiring and polarity, and what stands before it", r.contact, ErrInputStuck, most)
	}
}

// fault is why the input cannot be relied on, nil when it can.
func (r *reader) fault() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.wrong != nil:
		return r.wrong
	case time.Since(r.read) > readPatience:
		return fmt.Errorf("%s: %w: its driver hangs", r.contact, ErrInput)
	}
	return nil
}

// quiet tells whether the contact is inactive, and was read without a gap since then.
func (r *reader) quiet(since time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.active && r.blind.Before(since) && time.Since(r.read) <= r.gap
}

// contact debounces: a level counts when it was read several times in a row.
type contact struct {
	known bool // level is settled; not after the start or a failed reading
	level bool
	since time.Time // of level

	last  bool // of the readings that may become the level
	first time.Time
	times int
}

// take takes a reading and returns when the contact became active, zero where it did not. The level that is met first, also
// after a reading that failed, is no change: nobody saw it begin.
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
