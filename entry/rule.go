// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"gatehouse/credential"
)

// Rule admits who shows all the passes that it names.
type Rule struct {
	Name string   `cbor:"name" yaml:"name"`
	All  []Clause `cbor:"all" yaml:"all"`
	// Hours are when the rule counts, in the policy's time zone; absent: always.
	Hours []Hours `cbor:"hours,omitempty" yaml:"hours,omitempty"`
}

// Clause is one pass of a rule.
type Clause struct {
	Kind    string   `cbor:"kind" yaml:"kind"`
	Issuers []string `cbor:"issuers" yaml:"issuers"`
	// Level lists the levels that are good enough. A status-like kind must have one: a valid certificate is not a
	// healthy person.
	Level []string `cbor:"level,omitempty" yaml:"level,omitempty"`
	// Uses is how often one pass admits: absent means once for a ticket and without limit for every other kind. The
	// issuer's own limit can only lower it.
	Uses *uint `cbor:"uses,omitempty" yaml:"uses,omitempty"`
	// MaxAge is how old a pass may be, counted from credential.Pass.Since; absent takes every age that has not expired.
	MaxAge Duration `cbor:"max_age,omitempty" yaml:"max_age,omitempty"`
	// OutageMaxAge takes the place of MaxAge while the head says that the pass's issuer is down, or while what is known of
	// it is stale: nobody can get a younger pass then. It never overrides what the pass says itself.
	OutageMaxAge Duration `cbor:"outage_max_age,omitempty" yaml:"outage_max_age,omitempty"`
}

const kindTicket = "ticket"

// grantWide is the claim of a pass whose holder needs a longer opening.
const grantWide = "wide"

// statusLike are the kinds that tell a person's state: without a level they would admit a positive test.
var statusLike = []string{"health", "travel"}

func (r *Rule) validate() error {
	if len(r.All) != 1 {
		return fmt.Errorf("all has %d clauses; this version takes rules of exactly one pass", len(r.All))
	}
	for i, c := range r.All {
		if err := c.validate(); err != nil {
			return fmt.Errorf("all[%d]: %w", i, err)
		}
	}
	switch {
	case len(r.Hours) > maxHours:
		return fmt.Errorf("hours has %d entries, at most %d are allowed", len(r.Hours), maxHours)
	case slices.Contains(r.Hours, Hours{}):
		return errors.New("hours has an empty entry; " + hoursForm)
	}
	return nil
}

func (c *Clause) validate() error {
	switch {
	case c.Kind == "":
		return errors.New("kind is missing (ticket, health, travel, staff, …)")
	case !validKind(c.Kind):
		return fmt.Errorf("kind %q: %s", c.Kind, kindForm)
	case len(c.Issuers) == 0:
		return errors.New("issuers is missing: name the issuers whose passes this clause accepts")
	case len(c.Issuers) > maxIssuers:
		return fmt.Errorf("issuers has %d names, at most %d are allowed", len(c.Issuers), maxIssuers)
	case slices.Contains(c.Issuers, ""):
		return errors.New("issuers has an empty name")
	case slices.Contains(c.Level, ""):
		return errors.New("level has an empty name")
	case len(c.Level) == 0 && slices.Contains(statusLike, c.Kind):
		return fmt.Errorf("a clause of kind %s needs level: a valid certificate is not a healthy person", c.Kind)
	case c.Uses != nil && *c.Uses == 0:
		return errors.New("uses is 0, which admits nobody; leave it out for the kind's own limit")
	case c.Uses != nil && *c.Uses > maxUses:
		return fmt.Errorf("uses is %d, at most %d is allowed; leave it out for the kind's own limit", *c.Uses, maxUses)
	case c.MaxAge < 0 || c.OutageMaxAge < 0:
		return errors.New("max_age and outage_max_age cannot be negative; write 24h and 72h")
	case c.OutageMaxAge != 0 && c.MaxAge == 0:
		return errors.New("outage_max_age takes the place of max_age, which is missing")
	case c.OutageMaxAge != 0 && c.OutageMaxAge < c.MaxAge:
		return errors.New("outage_max_age is shorter than max_age: an outage would refuse what is taken without one")
	}
	return nil
}

// finding is what the rules say to a pass: ok and the rule that takes it, or why the rule that came nearest does not.
type finding struct {
	reason Reason
	rule   *Rule
	clause *Clause
	outage bool   // only outage_max_age took it
	note   string // for a technician
}

// nearness orders the refusals of several rules. The guest is told of the rule that came nearest to admitting.
var nearness = []Reason{ReasonNotAccepted, ReasonOutsideHours, ReasonTooOld, ReasonNotYetValid, ReasonOK}

func (f finding) nearer(than finding) bool {
	return slices.Index(nearness, f.reason) > slices.Index(nearness, than.reason)
}

// showing is what is shown at a lane, and when, by the venue's clocks.
type showing struct {
	pass *shown
	at   time.Time
	zone *time.Location // nil where the venue has no time zone
}

// match asks the rules in order. The first that holds takes the pass.
func (p *Policy) match(s showing) finding {
	best := finding{reason: ReasonNotAccepted}
	for i := range p.Accept {
		f := p.Accept[i].judge(s)
		if f.nearer(best) {
			best = f
		}
		if best.reason == ReasonOK {
			break
		}
	}
	return best
}

func (r *Rule) judge(s showing) finding {
	if len(r.All) != 1 || !r.All[0].takes(s.pass.Pass) {
		return finding{reason: ReasonNotAccepted}
	}
	f := finding{rule: r, clause: &r.All[0], note: r.Name}
	if !r.open(s) {
		f.reason = ReasonOutsideHours
		return f
	}
	if f.reason, f.outage = f.clause.age(s.pass, s.at); f.outage {
		f.note = fmt.Sprintf("%s: outage_max_age, for %s", r.Name, s.pass.outage)
	}
	return f
}

// open tells whether the rule counts at this hour. Without a time zone nobody can tell, and it does not.
func (r *Rule) open(s showing) bool {
	within := func(h Hours) bool { return s.zone != nil && h.contain(s.at, s.zone) }
	return len(r.Hours) == 0 || slices.ContainsFunc(r.Hours, within)
}

func (c *Clause) takes(p *credential.Pass) bool {
	return c.Kind == p.Kind && slices.Contains(c.Issuers, p.Issuer) &&
		(len(c.Level) == 0 || slices.Contains(c.Level, p.Level))
}

// age tells whether a pass is young enough, and whether only outage_max_age makes it so. One that does not say since
// when it holds is too old for every age.
func (c *Clause) age(s *shown, at time.Time) (reason Reason, outage bool) {
	age := at.Sub(s.Since)
	switch {
	case c.MaxAge == 0:
		return ReasonOK, false
	case s.Since.IsZero():
		return ReasonTooOld, false
	case age < 0:
		return ReasonNotYetValid, false
	case age <= time.Duration(c.MaxAge):
		return ReasonOK, false
	case s.outage != "" && age <= time.Duration(c.OutageMaxAge):
		return ReasonOK, true
	}
	return ReasonTooOld, false
}

// limit is how often the pass admits under this clause; 0 is without limit.
func (c *Clause) limit(p *credential.Pass) uint {
	var limit uint
	switch {
	case c.Uses != nil:
		limit = *c.Uses
	case c.Kind == kindTicket:
		limit = 1
	}
	if p.Uses != 0 && (limit == 0 || p.Uses < limit) {
		limit = p.Uses
	}
	return limit
}
