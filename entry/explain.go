// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

import "time"

// Explanation is a decision that was not made: what a code would be answered now, and what that rests on.
type Explanation struct {
	Decision        // without a Grant and without an event
	Terms    *Terms // that it was judged by; nil where nothing is believed
	Uses     []Use  // that an admission would take; none of a pass that admits without limit
	// Rules are what each rule says of the pass, in order, up to the one that holds. None where the pass did not come so far.
	Rules []RuleAnswer
	Since time.Time // from when the pass counts its age; zero where it does not say
	Named bool      // the pass names a holder
}

// RuleAnswer is what one rule says.
type RuleAnswer struct {
	Rule   *Rule   // it is shared and never changes
	Clause *Clause // that is for passes of this kind, issuer and level; nil where none is
	Reason Reason
}

// Explain judges codes as Decide does and changes nothing: no use is taken, nothing is recorded, and no lane waits. That
// the record can be written is not asked.
//
// One code is shown to the lane as it is, with a pass that waits there for a second one. Of several the first is shown to a
// lane where none waits, and each other one right after the one before. The first that is not asked for a second pass ends
// it, and those after it have no answer.
func (d *Decider) Explain(lane Lane, now Moment, codes ...string) (told []Explanation) {
	belief, err := d.knowledge.Belief()
	dry := &Decider{knowledge: settled{belief, err}, ledger: d.ledger, history: d.history, venueKey: d.venueKey}
	var first *waitingPass
	if len(codes) == 1 {
		first = d.waiting.peek(lane.Name)
	}
	for _, code := range codes {
		ex := Explanation{Decision: dry.judge(lane, code, first, now)}
		ex.Uses = ex.uses
		if err == nil {
			ex.Terms = belief.Terms()
			dry.ask(&ex, belief, code, first, now)
		}
		if told = append(told, ex); ex.Reason != ReasonSecondPassNeeded {
			break
		}
		first = &waitingPass{code: code, at: now.At}
	}
	return told
}

// ask has each rule say what it makes of a pass that comes so far.
func (d *Decider) ask(ex *Explanation, belief Belief, code string, first *waitingPass, now Moment) {
	if ex.Terms == nil || ex.Terms.Policy == nil || ex.Terms.Mode(ex.lane, now) != ModeIn {
		return
	}
	again := Decision{record: ex.record}
	pass := d.examine(&again, belief, ex.lane, code, now)
	if pass == nil {
		return
	}
	ex.Since, ex.Named = pass.Since, len(pass.Holder) > 0
	s := d.showing(belief, ex.lane, pass, first, now)
	for i := range ex.Terms.Policy.Accept {
		rule := &ex.Terms.Policy.Accept[i]
		said := RuleAnswer{Rule: rule, Reason: rule.judge(s).reason}
		for j := range rule.All {
			if rule.All[j].takes(pass.Pass) {
				said.Clause = &rule.All[j]
				break
			}
		}
		if ex.Rules = append(ex.Rules, said); said.Reason == ReasonOK {
			return
		}
	}
}

// settled is one view, whatever is believed meanwhile.
type settled struct {
	belief Belief
	err    error
}

// Belief implements Knowledge.
func (s settled) Belief() (Belief, error) { return s.belief, s.err }
