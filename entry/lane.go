// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/credential"
)

// Lane is where a code was shown.
type Lane struct {
	Name string
	// Sensor tells that a passage sensor is wired. Without one a use is final when it is reserved: nobody could
	// ever tell that the guest did not walk through.
	Sensor bool
	// Closed tells that staff closed the lane and nobody has released it. Every code is answered lane_closed, but for a lane
	// out, by which whoever leaves goes.
	Closed bool
}

// LaneTerms are the signed settings of one lane. A zero value leaves the local or built-in setting.
type LaneTerms struct {
	// Zone is where the lane leads to: a pass for "venue/zone" admits here alone.
	Zone      string   `cbor:"zone,omitempty" yaml:"zone,omitempty"`
	Pulse     Duration `cbor:"pulse,omitempty" yaml:"pulse,omitempty"`
	WidePulse Duration `cbor:"wide_pulse,omitempty" yaml:"wide_pulse,omitempty"`
	// Direction is DirectionIn where it is absent. A lane out opens for every code, whenever, and gives the use of a pass back.
	Direction Direction `cbor:"direction,omitempty" yaml:"direction,omitempty"`
	// Closed is when the lane admits nobody, and Free when it is open to everybody; Closed goes before it. Both go by the
	// policy's time zone.
	Closed []Hours `cbor:"closed,omitempty" yaml:"closed,omitempty"`
	Free   []Hours `cbor:"free,omitempty" yaml:"free,omitempty"`
}

// Direction is which way people go through a lane.
type Direction string

// The directions.
const (
	DirectionIn  Direction = "in"
	DirectionOut Direction = "out"
)

// DefaultWidePulse is how long a lane opens for a wide pass where nothing else is said.
const DefaultWidePulse = 3 * time.Second

func (l *LaneTerms) validate() error {
	switch {
	case l.Pulse < 0 || l.WidePulse < 0:
		return errors.New("a pulse cannot be negative")
	case strings.Contains(l.Zone, "/"):
		return fmt.Errorf("zone: %q is a venue and a zone; write the zone alone", l.Zone)
	case l.Direction != "" && l.Direction != DirectionIn && l.Direction != DirectionOut:
		return fmt.Errorf("direction: %q is unknown; write in or out", l.Direction)
	case l.Direction == DirectionOut && len(l.Closed)+len(l.Free) > 0:
		return errors.New("a lane out has no closed and no free hours: whoever leaves goes by it at every hour")
	}
	return errors.Join(checkHours("closed", l.Closed), checkHours("free", l.Free))
}

// widePulse is never shorter than the pulse for everybody; 0 where neither is signed.
func (l LaneTerms) widePulse() time.Duration {
	if l.WidePulse == 0 && l.Pulse == 0 {
		return 0
	}
	return time.Duration(max(l.Pulse, cmp.Or(l.WidePulse, Duration(DefaultWidePulse))))
}

// opening is how the lane opens for who shows these passes: longer where their holder needs it. A nil one says nothing.
func (p *Policy) opening(lane string, passes ...*credential.Pass) opening {
	terms := p.Lanes[lane]
	open := opening{pulse: time.Duration(terms.Pulse)}
	wide := func(p *credential.Pass) bool { return p != nil && p.Grant == grantWide }
	if open.wide = slices.ContainsFunc(passes, wide); open.wide {
		open.pulse = terms.widePulse()
	}
	return open
}

// Mode is whom a lane lets through.
type Mode string

// The modes of a lane.
const (
	ModeIn     Mode = "in"     // who has a pass that a rule takes
	ModeOut    Mode = "out"    // whoever leaves
	ModeClosed Mode = "closed" // nobody, at this hour or until staff release it
	ModeFree   Mode = "free"   // everybody, at this hour
)

// Mode is that of a lane at a moment. Nobody is let in without a pass by a clock that nothing keeps right, or by terms that
// are too old: then a lane that should be free goes by the rules. Closed goes by the same time as all decisions.
func (t *Terms) Mode(lane Lane, now Moment) Mode {
	if t == nil || t.Policy == nil {
		t = &Terms{Policy: new(Policy)}
	}
	switch l := t.Policy.Lanes[lane.Name]; {
	case l.Direction == DirectionOut: // nobody is kept in, by staff neither
		return ModeOut
	case lane.Closed || within(l.Closed, now.At, t.Zone):
		return ModeClosed
	case now.Clock == ClockSynced && within(l.Free, now.At, t.Zone) && t.Freshness(now) != Hard:
		return ModeFree
	}
	return ModeIn
}

// pass answers at a lane that does not let in by pass.
func (d *Decider) pass(dec *Decision, mode Mode, belief Belief, code string, now Moment) {
	switch mode {
	case ModeOut:
		d.letOut(dec, belief, code, now)
	case ModeFree:
		dec.free()
	default:
		dec.refuse(StepLane, ReasonLaneClosed, "closed at this hour")
	}
}
