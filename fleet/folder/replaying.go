// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"time"

	"gatehouse/entry"
)

// replaying is one replay under way.
type replaying struct {
	*Replay
	terms     *entry.Terms
	changed   *entry.Terms      // without the rules that are as they were; nil where none was signed
	former    *entry.Policy     // that was signed last; nil where none was
	signed    map[string]string // versions of its layers, by scope
	believes  map[string]string // versions of config that the kiosk put in force so far, by scope
	byNumber  map[uint64]*recordedEvent
	completed map[uint64]bool // first passes that a second one followed
	returned  map[uint64]bool // admissions that nobody used
	used      map[string]uint // uses that the policy would have taken, by the pass's short hash
}

// configVersion finds the config documents in the note of a trust event.
var configVersion = regexp.MustCompile(`\bconfig of ([a-z0-9/-]+), version ([0-9]+)`)

func (r *replaying) event(ev *recordedEvent) {
	r.Events++
	switch entry.EventKind(ev.Kind) {
	case entry.EventTrust:
		for _, m := range configVersion.FindAllStringSubmatch(ev.Note, -1) {
			r.believes[m[1]] = m[2]
		}
	case entry.EventPassage:
		r.passage(ev)
	case entry.EventDecision:
		r.decision(ev)
	}
}

// passage gives a use back that nobody needed, and takes it again where the guest walked through late.
func (r *replaying) passage(ev *recordedEvent) {
	of := r.byNumber[ev.Of]
	if of == nil || of.Pass == "" {
		return
	}
	switch entry.Passage(ev.Passage) {
	case entry.NotPassed:
		r.giveBack(of.Pass)
		r.returned[ev.Of] = true
	case entry.Passed:
		if r.returned[ev.Of] {
			r.used[of.Pass]++
		}
	}
}

func (r *replaying) giveBack(pass string) {
	if r.used[pass] > 0 {
		r.used[pass]--
	}
}

// known tells whether the kiosk decided by the config that was signed last.
func (r *replaying) known() bool {
	return r.former != nil && maps.Equal(r.believes, r.signed)
}

// decision asks again of a decision that the rules, or the uses, have made.
func (r *replaying) decision(ev *recordedEvent) {
	if r.From.IsZero() {
		r.From = ev.At
	}
	r.Until = ev.At
	reason, admitted := entry.Reason(ev.Reason), ev.Outcome == string(entry.Admit)
	switch {
	case reason == entry.ReasonExit:
		r.giveBack(ev.Pass)
		r.LeftOut++
		return
	case admitted && (reason == entry.ReasonOK || reason == entry.ReasonFreePassage):
		r.Admissions++
	case !admitted && (asked(reason) && slices.Contains(ev.Steps, string(entry.StepVenue)) || reason == entry.ReasonLaneClosed):
		if reason == entry.ReasonSecondPassNeeded && r.completed[ev.Number] {
			return // it is told of with the second pass
		}
		r.Refusals++
	default:
		r.LeftOut++
		return
	}
	r.Believed = r.Believed || r.known()
	v := r.again(ev, reason)
	line := Another{
		Number: ev.Number, At: ev.At, Lane: ev.Lane, Kind: ev.PassKind, Issuer: ev.Issuer, Pass: ev.Pass,
		Was: ev.Reason, WasRule: ev.Rule, Now: string(v.Reason), Rule: v.Rule, Missing: v.Missing,
	}
	switch would := v.Reason.Outcome() == entry.Admit; {
	case !v.Known:
		r.Unknown = append(r.Unknown, line)
	case admitted && !would:
		r.Refused = append(r.Refused, line)
	case !admitted && would:
		r.Admitted = append(r.Admitted, line)
	}
}

// asked tells whether the rules or the uses have given a reason.
func asked(r entry.Reason) bool {
	return slices.Contains([]entry.Reason{
		entry.ReasonNotAccepted, entry.ReasonOutsideHours, entry.ReasonTooOld, entry.ReasonNotYetValid,
		entry.ReasonSecondPassNeeded, entry.ReasonDifferentHolder, entry.ReasonAlreadyUsed,
	}, r)
}

// again is what the policy says now. Only what a pass was admitted by bounds what is known of it.
func (r *replaying) again(ev *recordedEvent, was entry.Reason) entry.Verdict {
	s := entry.Showing{Lane: ev.Lane, At: entry.Moment{At: ev.At, Clock: entry.ClockState(ev.Clock)}}
	var rule *entry.Rule
	if was == entry.ReasonOK && r.known() {
		i := slices.IndexFunc(r.former.Accept, func(f entry.Rule) bool { return f.Name == ev.Rule })
		if i >= 0 {
			rule = &r.former.Accept[i]
		}
	}
	shown := []*recordedEvent{ev}
	if first := r.byNumber[ev.Of]; ev.Of != 0 && first != nil {
		shown, s.Waited = []*recordedEvent{first, ev}, ev.At.Sub(first.At)
		if same := was == entry.ReasonOK; same && !ev.AnyHolder || was == entry.ReasonDifferentHolder {
			s.SameHolder = &same
		}
	}
	for _, e := range shown {
		s.Passes = append(s.Passes, recorded(e, rule, ev.Outage))
	}
	unread := ev.Issuer == "" // the lane asked for no pass
	terms := r.terms
	if was != entry.ReasonOK && was != entry.ReasonAlreadyUsed && r.known() {
		terms = r.changed // the other rules have given their answer
	}
	v := terms.Replay(s)
	if !v.Known && rule != nil && r.stays(rule) {
		v = entry.Verdict{Known: true, Reason: entry.ReasonOK, Rule: rule.Name, Limits: v.Limits}
	}
	if v.Reason == entry.ReasonLaneClosed || v.Reason == entry.ReasonFreePassage || v.Reason == entry.ReasonExit {
		return v
	}
	switch {
	case unread:
		return entry.Verdict{Missing: []string{factPass}}
	case r.zoneMoved(ev.Lane):
		return entry.Verdict{Missing: append(v.Missing, "scope")}
	case v.Known && v.Reason == entry.ReasonOK:
		return r.take(shown, v, was)
	}
	return v
}

// stays tells whether a rule of the config that was signed last is in the folder's as it was.
func (r *replaying) stays(rule *entry.Rule) bool {
	same := func(now entry.Rule) bool { return reflect.DeepEqual(now, *rule) }
	return slices.ContainsFunc(r.terms.Policy.Accept, same) && (len(rule.Hours) == 0 || r.former.TimeZone == r.terms.Policy.TimeZone)
}

// without leaves the rules out that were in the config that was signed last: what they said then they say again.
func (r *replaying) without() *entry.Terms {
	policy := *r.terms.Policy
	policy.Accept = slices.DeleteFunc(slices.Clone(policy.Accept), func(rule entry.Rule) bool {
		return r.stays(&rule) && slices.ContainsFunc(r.former.Accept, func(was entry.Rule) bool { return reflect.DeepEqual(was, rule) })
	})
	terms := *r.terms
	terms.Policy = &policy
	return &terms
}

// zoneMoved tells whether the lane is known to have led elsewhere: for which zones a pass is, the record does not say.
func (r *replaying) zoneMoved(lane string) bool {
	return r.known() && r.former.Lanes[lane].Zone != r.terms.Policy.Lanes[lane].Zone
}

// take counts the uses of passes that a rule takes, as far as the record goes back.
func (r *replaying) take(shown []*recordedEvent, v entry.Verdict, was entry.Reason) entry.Verdict {
	var counted []string
	for i, limit := range v.Limits {
		pass := shown[i].Pass
		switch {
		case limit == 0 && was == entry.ReasonAlreadyUsed, limit != 0 && pass == "":
			// The pass may have a limit of its own; and of a private kind nobody can tell which pass it was.
			return entry.Verdict{Missing: []string{factUses}}
		case limit == 0:
		case r.used[pass] >= limit:
			return entry.Verdict{Known: true, Reason: entry.ReasonAlreadyUsed, Rule: v.Rule}
		case was == entry.ReasonAlreadyUsed:
			return entry.Verdict{Missing: []string{factUses}}
		default:
			counted = append(counted, pass)
		}
	}
	for _, pass := range counted {
		r.used[pass]++
	}
	return v
}

// recorded is what is known of a pass: what its event says, and what the rule that took it wanted.
func recorded(ev *recordedEvent, rule *entry.Rule, outage bool) entry.Recorded {
	p := entry.Recorded{Kind: ev.PassKind, Issuer: ev.Issuer}
	if ev.Pass != "" { // a kind whose events tell of the pass
		p.Levels = []string{ev.Level}
	}
	if rule == nil {
		return p
	}
	var could []entry.Clause
	for _, c := range rule.All {
		if c.Kind == ev.PassKind && slices.Contains(c.Issuers, ev.Issuer) {
			could = append(could, c)
		}
	}
	if len(could) != 1 { // as which of the two it was taken, nobody can tell
		return p
	}
	c := could[0]
	if p.Levels == nil && len(c.Level) > 0 {
		p.Levels = c.Level
	}
	p.Within = time.Duration(c.MaxAge)
	if outage {
		p.Within = max(p.Within, time.Duration(c.OutageMaxAge))
	}
	if outage && len(rule.All) == 1 { // of two passes, nobody can tell which was the older one
		p.Over, p.Outage = time.Duration(c.MaxAge), true
	}
	return p
}
