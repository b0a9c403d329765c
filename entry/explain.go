// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

// Explanation is a decision that was not made: what a code would be answered now, and what that rests on.
type Explanation struct {
	Decision        // without a Grant and without an event
	Terms    *Terms // that it was judged by; nil where nothing is believed
	Limit    uint   // of a pass that would be admitted: how often it admits in all; 0 is without limit
}

// Explain judges a code as Decide does and changes nothing: no use is taken, nothing is recorded, and no lane waits. That
// the record can be written is not asked.
func (d *Decider) Explain(lane Lane, code string, now Moment) Explanation {
	belief, err := d.knowledge.Belief()
	dry := &Decider{knowledge: settled{belief, err}, ledger: d.ledger, history: d.history, venueKey: d.venueKey}
	ex := Explanation{Decision: dry.judge(lane, code, now)}
	if ex.Outcome == Admit {
		ex.Limit = ex.limit
	}
	if err == nil {
		ex.Terms = belief.Terms()
	}
	return ex
}

// settled is one view, whatever is believed meanwhile.
type settled struct {
	belief Belief
	err    error
}

// Belief implements Knowledge.
func (s settled) Belief() (Belief, error) { return s.belief, s.err }
