// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gatehouse/credential"
)

// showing is what is shown at a lane, and when, by the venue's clocks.
type showing struct {
	pass   *shown
	first  *shown // the pass that waits at the lane for a second one; nil where none does
	waited time.Duration
	at     time.Time
	zone   *time.Location // nil where the venue has no time zone
}

// finding is what the rules say: ok and the rule that holds, or why the rule that came nearest does not.
type finding struct {
	reason Reason
	rule   *Rule
	taken  []taken
	outage bool   // only outage_max_age took one of them
	note   string // for a technician
}

// taken is a pass and the clause that takes it.
type taken struct {
	clause *Clause
	pass   *shown
}

// nearness orders what several rules say. The guest is told of the rule that came nearest to admitting; from
// second_pass_needed on a rule takes the pass.
var nearness = []Reason{ReasonNotAccepted, ReasonOutsideHours, ReasonTooOld, ReasonNotYetValid, ReasonSecondPassNeeded, ReasonDifferentHolder, ReasonOK}

func (f finding) nearer(than finding) bool {
	return slices.Index(nearness, f.reason) > slices.Index(nearness, than.reason)
}

// takes tells whether the rule takes the pass, though it may want a second one.
func (f finding) takes() bool {
	return f.reason == ReasonOK || f.reason == ReasonSecondPassNeeded || f.reason == ReasonDifferentHolder
}

// passes are those that the rule takes.
func (f finding) passes() (list []*credential.Pass) {
	for _, t := range f.taken {
		list = append(list, t.pass.Pass)
	}
	return list
}

// match asks the rules in order. The first that holds admits.
func (p *Policy) match(s showing) finding {
	best := finding{reason: ReasonNotAccepted}
	for i := range p.Accept {
		if f := p.Accept[i].judge(s); f.nearer(best) {
			best = f
		}
		if best.reason == ReasonOK {
			break
		}
	}
	return best
}

// judge tries the pass as each of the rule's.
func (r *Rule) judge(s showing) finding {
	best := finding{reason: ReasonNotAccepted}
	for i := range r.All {
		if f := r.judgeAs(i, s); f.nearer(best) {
			best = f
		}
	}
	return best
}

func (r *Rule) judgeAs(i int, s showing) finding {
	f := finding{rule: r, note: r.Name}
	switch clause := &r.All[i]; {
	case !clause.takes(s.pass.Pass):
		f.reason = ReasonNotAccepted
	case !r.open(s):
		f.reason = ReasonOutsideHours
	default:
		if f.take(clause, s.pass, s.at); f.reason == ReasonOK && len(r.All) == 2 {
			return r.pair(f, &r.All[1-i], s)
		}
	}
	return f
}

// pair looks for the other pass of a rule of two in what waits at the lane.
func (r *Rule) pair(f finding, other *Clause, s showing) finding {
	both := f
	f.reason = ReasonSecondPassNeeded
	if s.first == nil || s.waited < 0 || s.waited > r.pairWithin() || s.first.hash == s.pass.hash || !other.takes(s.first.Pass) {
		return f
	}
	if both.take(other, s.first, s.at); both.reason != ReasonOK {
		return f
	}
	if !r.anyHolder() && !sameHolder(s.pass.Pass, s.first.Pass) {
		both.reason = ReasonDifferentHolder
	}
	return both
}

// sameHolder tells whether both passes name a holder, and the same one.
func sameHolder(a, b *credential.Pass) bool {
	return len(a.Holder) > 0 && slices.Equal(a.Holder, b.Holder)
}

// anyHolder tells whether a rule takes the passes of two people for one entry.
func (r *Rule) anyHolder() bool { return len(r.All) == 2 && r.SameHolder != nil && !*r.SameHolder }

func (r *Rule) pairWithin() time.Duration {
	return time.Duration(cmp.Or(r.PairWithin, Duration(DefaultPairWithin)))
}

// longestPair is how long a pass may wait for a second one under any rule.
func (p *Policy) longestPair() (longest time.Duration) {
	for i := range p.Accept {
		if r := &p.Accept[i]; len(r.All) == 2 {
			longest = max(longest, r.pairWithin())
		}
	}
	return longest
}

// open tells whether the rule counts at this hour.
func (r *Rule) open(s showing) bool { return len(r.Hours) == 0 || within(r.Hours, s.at, s.zone) }

// take adds a pass that is young enough, or says why it is not.
func (f *finding) take(c *Clause, s *shown, at time.Time) {
	reason, outage := c.age(s, at)
	if f.reason = reason; reason != ReasonOK {
		return
	}
	f.taken = append(slices.Clip(f.taken), taken{c, s})
	if outage {
		f.outage = true
		f.note += fmt.Sprintf("; outage_max_age, for %s", s.outage)
	}
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
	limit := c.ownLimit()
	if p.Uses != 0 && (limit == 0 || p.Uses < limit) {
		limit = p.Uses
	}
	return limit
}

// ownLimit is how often every pass admits under this clause; 0 is without limit.
func (c *Clause) ownLimit() uint {
	switch {
	case c.Uses != nil:
		return *c.Uses
	case c.Kind == kindTicket:
		return 1
	}
	return 0
}
