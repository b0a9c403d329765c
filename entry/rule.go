// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Rule admits who shows all the passes that it names.
type Rule struct {
	Name string   `cbor:"name" yaml:"name"`
	All  []Clause `cbor:"all" yaml:"all"`
	// Hours are when the rule counts, in the policy's time zone; absent: always.
	Hours []Hours `cbor:"hours,omitempty" yaml:"hours,omitempty"`
	// SameHolder wants the two passes of a rule to be one person's: absent, it does. A pass that names no holder is
	// nobody's. A rule that turns it off says so on its decisions.
	SameHolder *bool `cbor:"same_holder,omitempty" yaml:"same_holder,omitempty"`
	// PairWithin is how long the first of two passes waits for the second; absent: DefaultPairWithin.
	PairWithin Duration `cbor:"pair_within,omitempty" yaml:"pair_within,omitempty"`
}

// The time in which the second of two passes is shown.
const (
	DefaultPairWithin = 20 * time.Second
	minPairWithin     = time.Second
	maxPairWithin     = 2 * time.Minute
)

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
	if len(r.All) != 1 && len(r.All) != 2 {
		return fmt.Errorf("all has %d clauses; an entry takes one pass or two", len(r.All))
	}
	for i, c := range r.All {
		if err := c.validate(); err != nil {
			return fmt.Errorf("all[%d]: %w", i, err)
		}
	}
	within := time.Duration(r.PairWithin)
	switch {
	case len(r.All) == 1 && (r.SameHolder != nil || within != 0):
		return errors.New("same_holder and pair_within are for rules of two passes")
	case within != 0 && (within < minPairWithin || within > maxPairWithin):
		return fmt.Errorf("pair_within: %v is not between %v and %v", within, minPairWithin, maxPairWithin)
	}
	return checkHours("hours", r.Hours)
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
