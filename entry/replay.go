// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"slices"
	"time"
)

// Recorded is what is known of a pass that was shown, after the code is gone. What an event does not keep is not known, and
// is never guessed.
type Recorded struct {
	Kind, Issuer string
	Levels       []string      // it had one of these; nil where that is not known. {""} is a pass without a level.
	Over, Within time.Duration // it was older than Over and at most Within old; Within 0: not known
	Outage       bool          // it is known that outage_max_age counted for its issuer
}

// Showing is one entry as the record has it: a pass, or two of which the first waited.
type Showing struct {
	Lane       string
	At         Moment // of the last pass
	Passes     []Recorded
	Waited     time.Duration // between two passes
	SameHolder *bool         // of two passes; nil where that is not known
}

// Facts that the record does not keep, as Verdict.Missing names them.
const (
	FactLevel  = "level"
	FactAge    = "age"
	FactHolder = "holder"
)

// Verdict is what a policy says of an entry of the past.
type Verdict struct {
	Known   bool // else it depends on what is Missing
	Reason  Reason
	Rule    string // that takes it
	Limits  []uint // how often each of the passes admits under the rule, but for the passes' own limits; 0 is without limit
	Missing []string
}

// certainty is how sure a clause takes a pass.
type certainty int

const (
	no certainty = iota
	maybe
	yes
)

// said is what a rule says of a showing.
type said struct {
	certainty
	reason  Reason // of a no
	rule    *Rule
	limits  []uint
	missing []string
}

// better tells whether an answer is nearer to admitting.
func (s said) better(than said) bool {
	if s.certainty != than.certainty {
		return s.certainty > than.certainty
	}
	return s.certainty == no && finding{reason: s.reason}.nearer(finding{reason: than.reason})
}

// Replay asks the lane's hours and the rules what they would have said of an entry. Validity, revocation, freshness, venue
// and uses are not asked.
func (t *Terms) Replay(s Showing) Verdict {
	switch t.Mode(Lane{Name: s.Lane}, s.At) {
	case ModeClosed:
		return Verdict{Known: true, Reason: ReasonLaneClosed}
	case ModeFree:
		return Verdict{Known: true, Reason: ReasonFreePassage}
	case ModeOut:
		return Verdict{Known: true, Reason: ReasonExit}
	}
	best := said{reason: ReasonNotAccepted}
	var missing []string
	for i := range t.Policy.Accept {
		a := t.Policy.Accept[i].replay(s, t.Zone)
		missing = append(missing, a.missing...)
		if a.better(best) {
			best = a
		}
	}
	v := Verdict{Known: best.certainty != maybe, Reason: best.reason, Limits: best.limits}
	if best.certainty == yes {
		v.Reason, v.Rule = ReasonOK, best.rule.Name
	}
	if !v.Known {
		slices.Sort(missing)
		v.Reason, v.Missing = "", slices.Compact(missing)
	}
	return v
}

func (r *Rule) replay(s Showing, zone *time.Location) said {
	best := said{reason: ReasonNotAccepted}
	for k := range s.Passes {
		for i := range r.All {
			a := r.All[i].replay(&s.Passes[k])
			switch {
			case a.certainty == no && a.reason == ReasonNotAccepted:
			case len(r.Hours) > 0 && !within(r.Hours, s.At.At, zone):
				a = said{reason: ReasonOutsideHours}
			case a.certainty != no && len(r.All) == 2:
				a = r.replayPair(s, a, k, &r.All[1-i])
			}
			a.rule = r
			if a.better(best) {
				best = a
				best.limits = make([]uint, len(s.Passes))
				best.limits[k] = r.All[i].ownLimit()
				if len(r.All) == 2 && len(s.Passes) == 2 {
					best.limits[1-k] = r.All[1-i].ownLimit()
				}
			}
		}
	}
	return best
}

// replayPair asks for the other pass of a rule of two. a is what it says of the pass with the number k.
func (r *Rule) replayPair(s Showing, a said, k int, other *Clause) said {
	if len(s.Passes) != 2 || s.Waited < 0 || s.Waited > r.pairWithin() {
		return said{reason: ReasonSecondPassNeeded}
	}
	b := other.replay(&s.Passes[1-k])
	switch {
	case b.certainty == no:
		return said{reason: ReasonSecondPassNeeded}
	case r.anyHolder():
	case s.SameHolder == nil:
		b.certainty, b.missing = maybe, append(b.missing, FactHolder)
	case !*s.SameHolder:
		return said{reason: ReasonDifferentHolder}
	}
	return said{certainty: min(a.certainty, b.certainty), missing: slices.Concat(a.missing, b.missing)}
}

func (c *Clause) replay(p *Recorded) said {
	if c.Kind != p.Kind || !slices.Contains(c.Issuers, p.Issuer) {
		return said{reason: ReasonNotAccepted}
	}
	a := said{certainty: yes}
	if len(c.Level) > 0 {
		good := func(level string) bool { return slices.Contains(c.Level, level) }
		switch bad := func(level string) bool { return !good(level) }; {
		case p.Levels != nil && !slices.ContainsFunc(p.Levels, good):
			return said{reason: ReasonNotAccepted}
		case p.Levels == nil || slices.ContainsFunc(p.Levels, bad):
			a = said{certainty: maybe, missing: []string{FactLevel}}
		}
	}
	switch c.replayAge(p) {
	case no:
		return said{reason: ReasonTooOld}
	case maybe:
		a.certainty, a.missing = maybe, append(a.missing, FactAge)
	}
	return a
}

func (c *Clause) replayAge(p *Recorded) certainty {
	most, outage := time.Duration(c.MaxAge), time.Duration(c.OutageMaxAge)
	known := p.Within != 0
	switch {
	case most == 0 || known && p.Within <= most || known && p.Outage && p.Within <= outage:
		return yes
	case p.Over >= max(most, outage) || p.Over >= most && outage == 0:
		return no
	}
	return maybe
}
