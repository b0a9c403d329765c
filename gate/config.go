// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"gatehouse/entry"
)

// Bounds and defaults of the times in [Config].
const (
	// MinPulse is what turnstiles need to notice a pulse at all.
	MinPulse = 100 * time.Millisecond
	// MaxActive is the longest that any line is ever active, whatever is configured and whatever
	// hangs above the driver. (A lane whose inert level is Released rests active, and one that is Released on fire stays so
	// while the alarm is on; these are no pulses.)
	MaxActive = 8 * time.Second

	// MinPassage and MaxPassage bound how long a passage is awaited. The lane is held for that guest meanwhile.
	MinPassage = time.Second
	MaxPassage = time.Minute

	DefaultPulse     = 500 * time.Millisecond
	DefaultWidePulse = entry.DefaultWidePulse
	DefaultRefusal   = 1500 * time.Millisecond
	DefaultExitPulse = 3 * time.Second

	// longestPulse leaves the watch the time to close the line within MaxActive when the loop hangs.
	longestPulse = MaxActive - lateness
)

// Inert is the level that the relay rests at when nobody is in charge: before the lane is in
// service, after the end of Run, after a panic, and on a stuck lane. It is a matter of the wiring
// and of the venue's rules for escape routes, so it is local configuration.
//
// It is not the level between two admissions: a lane in service is always secured.
type Inert string

const (
	// Secured keeps people out: the relay is inactive. The default, right for a way in.
	Secured Inert = "secured"
	// Released lets people through: the relay is active, held so by the driver for as long as that
	// keeps the level of a process that is gone.
	Released Inert = "released"
)

// Or gives i, or another level where i is none.
func (i Inert) Or(other Inert) Inert {
	if i != Secured && i != Released {
		return other
	}
	return i
}

// relay gives the level of [Relay] that the inert level stands for.
func (i Inert) relay() bool { return i == Released }

// Config is what a gate needs to know about its lane.
type Config struct {
	// Lane is the name that a grant must have been made for.
	Lane string
	// Pulse is how long the relay and the green lamp are active for an admission: DefaultPulse if
	// zero, at least MinPulse, at most MaxActive. A pulse within a quarter of a second of MaxActive
	// is shortened to that, so that MaxActive holds even when the loop hangs. A pulse that the grant
	// brings from the signed policy goes before it, held within the same bounds.
	Pulse time.Duration
	// WidePulse stands in for Pulse where the grant is wide (wheelchairs, prams, luggage):
	// DefaultWidePulse if zero, or Pulse where that is longer, with the bounds of Pulse.
	WidePulse time.Duration
	// Refusal is how long the red lamp is lit: DefaultRefusal if zero, with the bounds of Pulse.
	Refusal time.Duration
	// Inert is the level at rest: Secured if empty.
	Inert Inert

	// Inputs are the contacts that are wired.
	Inputs map[Contact]Input
	// ExitPulse is how long one request to exit opens the lane: DefaultExitPulse if zero, with the bounds of Pulse. Further
	// requests extend it, within MaxActive since the relay rose.
	ExitPulse time.Duration
	// OnFire is the level of the lane for as long as the fire contact is active, however long that is: Released if empty.
	// Without a fire contact it means nothing.
	OnFire Inert
	// Passage is how long somebody may take to walk through, from when the relay rose: MinPassage at least, MaxPassage at most.
	// It must be longer than the turnstile itself waits before it locks again. Without a sensor it means nothing.
	Passage time.Duration

	// Blind is how long nobody may look at the passage contact and still know that nobody walked through: 120 ms if zero,
	// half of the time that a contact is active.
	Blind time.Duration

	// State, if set, is told what is wrong with the lines: nil when all is well, and again at each
	// change. It must not block, and may be called from two goroutines of Run at a time.
	State func(error)
	// InputState, if set, is told what is wrong with an input: nil when all is well again, at each change. It must not
	// block.
	InputState func(Contact, error)
	// Opened, if set, is told when the relay was driven for an admission. It must not block.
	Opened func(at time.Time)
	// Departed, if set, is told of the openings without a grant, after the relay was driven. It must not block.
	Departed func(d Departure, at time.Time)
	// Surprised, if set, is told of what the passage contact tells beside the passages of admissions, with the grant of the
	// admission that it is about, nil for none. It must not block.
	Surprised func(Surprise, *entry.Grant)
	// Alive, if set, is called at least once a second for as long as the loop makes progress.
	// It must not block.
	Alive func()
}

// ErrConfig is wrapped by every complaint of New about its Config: correct the configuration.
var ErrConfig = errors.New("bad configuration")

// checked returns the configuration with its defaults, or what is wrong with it.
func (c Config) checked() (Config, error) {
	if c.Lane == "" {
		return c, fmt.Errorf("gate: %w: the lane has no name; give it one", ErrConfig)
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		zero  time.Duration
	}{
		{"pulse", &c.Pulse, DefaultPulse},
		{"wide pulse", &c.WidePulse, max(DefaultWidePulse, c.Pulse)},
		{"refusal", &c.Refusal, DefaultRefusal},
		{"exit pulse", &c.ExitPulse, DefaultExitPulse},
	} {
		if *d.value == 0 {
			*d.value = d.zero
		}
		if *d.value < MinPulse || *d.value > MaxActive {
			return c, fmt.Errorf("gate: %w: lane %s: %s is %v; set it between %v and %v",
				ErrConfig, c.Lane, d.name, *d.value, MinPulse, MaxActive)
		}
		*d.value = min(*d.value, longestPulse)
	}
	for _, l := range []struct {
		name  string
		value *Inert
		empty Inert
	}{{"inert", &c.Inert, Secured}, {"on fire", &c.OnFire, Released}} {
		switch *l.value {
		case "":
			*l.value = l.empty
		case Secured, Released:
		default:
			return c, fmt.Errorf("gate: %w: lane %s: %s is %q; set it to %s or %s",
				ErrConfig, c.Lane, l.name, *l.value, Secured, Released)
		}
	}
	for in := range c.Inputs {
		if !slices.Contains(Contacts(), in) {
			return c, fmt.Errorf("gate: %w: lane %s: there is no input %q; wire %v", ErrConfig, c.Lane, in, Contacts())
		}
	}
	if c.Inputs[Passage] != nil && (c.Passage < MinPassage || c.Passage > MaxPassage) {
		return c, fmt.Errorf("gate: %w: lane %s: a passage is awaited for %v; set it between %v and %v",
			ErrConfig, c.Lane, c.Passage, MinPassage, MaxPassage)
	}
	if c.State == nil {
		c.State = func(error) {}
	}
	if c.InputState == nil {
		c.InputState = func(Contact, error) {}
	}
	if c.Departed == nil {
		c.Departed = func(Departure, time.Time) {}
	}
	if c.Opened == nil {
		c.Opened = func(time.Time) {}
	}
	if c.Surprised == nil {
		c.Surprised = func(Surprise, *entry.Grant) {}
	}
	if c.Alive == nil {
		c.Alive = func() {}
	}
	return c, nil
}
