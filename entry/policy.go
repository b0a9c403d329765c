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
)

// ErrPolicy is wrapped by every fault that Policy.Validate finds. The whole policy is refused and the one in force stays.
var ErrPolicy = errors.New("entry: the policy is not valid")

// Policy is the rule of a venue, as the signed config brings it.
type Policy struct {
	// Accept is asked in order; the first rule that holds admits. No rule admits nobody.
	Accept []Rule `cbor:"accept" yaml:"accept"`
	// TimeZone is the venue's, by its name in the IANA database (Europe/Berlin). Hours go by it.
	TimeZone string `cbor:"time_zone,omitempty" yaml:"time_zone,omitempty"`
	// Private adds kinds of pass whose events carry neither hash nor level. Health and travel are always private.
	Private []string `cbor:"private,omitempty" yaml:"private,omitempty"`
	// ReferUntrustedClock sends guests to a person while the clock is behind what the kiosk knows that it is. Else
	// decisions go by the floor, and say so.
	ReferUntrustedClock bool `cbor:"refer_untrusted_clock,omitempty" yaml:"refer_untrusted_clock,omitempty"`
	// MaxFresh and MaxHard cap the bands that a head gives, counted from its signed time, so that a stolen head key cannot
	// freeze a venue. Zero is DefaultMaxFresh and DefaultMaxHard. A venue whose kiosks are only ever brought bundles
	// allows more.
	MaxFresh Duration `cbor:"max_fresh,omitempty" yaml:"max_fresh,omitempty"`
	MaxHard  Duration `cbor:"max_hard,omitempty" yaml:"max_hard,omitempty"`
	// Record is what happens while the disk does not take what must be recorded; absent holds after two seconds.
	Record *RecordTerms `cbor:"record,omitempty" yaml:"record,omitempty"`
	// Lanes are the signed settings of a lane, by its name.
	Lanes map[string]LaneTerms `cbor:"lanes,omitempty" yaml:"lanes,omitempty"`
}

// What a policy that is silent allows a head.
const (
	DefaultMaxFresh = 12 * time.Hour
	DefaultMaxHard  = 7 * 24 * time.Hour
)

// Cap cuts the bands of a head to what the policy allows. Whatever it says, hard is never before stale.
func (p *Policy) Cap(b Bands) Bands {
	fresh, hard := time.Duration(p.MaxFresh), time.Duration(p.MaxHard)
	if fresh == 0 {
		fresh = DefaultMaxFresh
	}
	if hard == 0 {
		hard = max(fresh, DefaultMaxHard)
	}
	most := Bands{Signed: b.Signed, FreshUntil: b.Signed.Add(min(fresh, hard)), HardAfter: b.Signed.Add(hard)}
	return b.Older(most)
}

// RecordTerms say how long a guest waits for a disk that stalls, and what then. Empty fields have their defaults.
type RecordTerms struct {
	// Deadline is how long a decision waits to be on the disk: DefaultDeadline if absent.
	Deadline Duration `cbor:"deadline,omitempty" yaml:"deadline,omitempty"`
	// Late is what happens after it: hold (default) lets nobody in, open lets in whose pass has no limit of uses. Their
	// events are held in memory until the disk takes them, and lost if the power goes first; when the memory for them is
	// full the lane holds as well.
	Late Late `cbor:"late,omitempty" yaml:"late,omitempty"`
}

// Late is what happens to a guest whose admission is not on the disk in time.
type Late string

// The answers to a disk that stalls. A pass of limited use is held in both.
const (
	LateHold Late = "hold"
	LateOpen Late = "open"
)

// The time that a decision may wait for the disk. A card that works needs some 10 ms, and now and then half a second.
const (
	DefaultDeadline = 2 * time.Second
	minDeadline     = 100 * time.Millisecond
	maxDeadline     = 10 * time.Second
)

// recording is what the policy says of a disk that stalls, with the defaults. No policy is one without a word of it.
func (p *Policy) recording() RecordTerms {
	terms := RecordTerms{Deadline: Duration(DefaultDeadline), Late: LateHold}
	if p == nil || p.Record == nil {
		return terms
	}
	return RecordTerms{Deadline: cmp.Or(p.Record.Deadline, terms.Deadline), Late: cmp.Or(p.Record.Late, terms.Late)}
}

func (r *RecordTerms) validate() error {
	if r == nil {
		return nil
	}
	if d := time.Duration(r.Deadline); d != 0 && (d < minDeadline || d > maxDeadline) {
		return fmt.Errorf("record.deadline: %v is not between %v and %v", d, minDeadline, maxDeadline)
	}
	if r.Late != "" && r.Late != LateHold && r.Late != LateOpen {
		return fmt.Errorf("record.late: %q is unknown; write hold (nobody is let in) or open (whose pass has no limit of uses)", r.Late)
	}
	return nil
}

// Bounds of a policy, so that no document can make a decision slow.
const (
	maxRules   = 64
	maxIssuers = 512
	maxHours   = 64
	maxUses    = 1<<31 - 1 // that of a pass, and a number on every board
)

// Zone loads the venue's time zone; nil where the policy names none.
func (p *Policy) Zone() (*time.Location, error) {
	if p.TimeZone == "" {
		return nil, nil
	}
	zone, err := time.LoadLocation(p.TimeZone)
	if err != nil || zone == time.Local {
		return nil, fmt.Errorf("%w: time_zone %q is not known; write a name such as Asia/Shanghai or Europe/Berlin", ErrPolicy, p.TimeZone)
	}
	return zone, nil
}

const needsZone = "hours need the venue's time_zone; write for example time_zone: Europe/Berlin"

// Validate checks a policy as a whole and names the place of the first fault.
func (p *Policy) Validate() error {
	if err := p.ValidateLayer(); err != nil {
		return err
	}
	for i, r := range p.Accept {
		if len(r.Hours) > 0 && p.TimeZone == "" {
			return fmt.Errorf("%w: accept[%d] %q: %s", ErrPolicy, i, r.Name, needsZone)
		}
	}
	for name, l := range p.Lanes {
		if len(l.Closed)+len(l.Free) > 0 && p.TimeZone == "" {
			return fmt.Errorf("%w: lanes.%s: %s", ErrPolicy, name, needsZone)
		}
	}
	return nil
}

// ValidateLayer checks what can be told of one layer of a policy without the others.
func (p *Policy) ValidateLayer() error {
	if p == nil {
		return fmt.Errorf("%w: there is none", ErrPolicy)
	}
	if len(p.Accept) > maxRules {
		return fmt.Errorf("%w: accept has %d rules, at most %d are allowed", ErrPolicy, len(p.Accept), maxRules)
	}
	names := map[string]bool{}
	for i, r := range p.Accept {
		at := fmt.Sprintf("accept[%d] %q", i, r.Name)
		if r.Name == "" {
			return fmt.Errorf("%w: %s: give the rule a name; events and staff are told which rule admitted", ErrPolicy, at)
		}
		if names[r.Name] {
			return fmt.Errorf("%w: %s: two rules have this name", ErrPolicy, at)
		}
		names[r.Name] = true
		if err := r.validate(); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrPolicy, at, err)
		}
	}
	for i, kind := range p.Private {
		if !validKind(kind) {
			return fmt.Errorf("%w: private[%d] %q: %s", ErrPolicy, i, kind, kindForm)
		}
	}
	switch {
	case p.MaxFresh < 0 || p.MaxHard < 0:
		return fmt.Errorf("%w: max_fresh and max_hard cannot be negative; write 12h and 7d", ErrPolicy)
	case p.MaxHard != 0 && p.MaxFresh > p.MaxHard:
		return fmt.Errorf("%w: max_fresh is longer than max_hard: data is stale before it is hard", ErrPolicy)
	}
	if _, err := p.Zone(); err != nil {
		return err
	}
	if err := p.Record.validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	for name, l := range p.Lanes {
		if err := l.validate(); err != nil {
			return fmt.Errorf("%w: lanes.%s: %w", ErrPolicy, name, err)
		}
	}
	return nil
}

const kindForm = "write it with a-z, 0-9, - and _ alone, as in ticket or health"

// validKind keeps "Health" from being a kind that needs no level, and "Ticket" one that has no limit.
func validKind(kind string) bool {
	return kind != "" && strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// isPrivate tells whether events of a kind carry neither hash nor level. No rule takes a pass of kind "Health", and its
// refusal is nobody's business either.
func (p *Policy) isPrivate(kind string) bool {
	same := func(k string) bool { return strings.EqualFold(k, strings.TrimSpace(kind)) }
	return slices.ContainsFunc(statusLike, same) || slices.ContainsFunc(p.Private, same)
}
