// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"gatehouse/credential"
)

// judge asks every question that needs no writing. first is the pass that waits at the lane; nil where none does.
func (d *Decider) judge(lane Lane, code string, first *waitingPass, now Moment) Decision {
	dec := Decision{At: now.At, Clock: now.Clock, lane: lane, Steps: make([]Step, 0, 8), record: (*Policy)(nil).recording()}
	belief, err := d.knowledge.Belief()
	var terms *Terms
	if err == nil {
		terms = belief.Terms()
	}
	mode := terms.Mode(lane, now)
	switch {
	case lane.Closed && mode == ModeClosed: // also where nothing is believed
		dec.refuse(StepLane, ReasonLaneClosed, "closed by hand; gatehouse lanes tells by whom and why")
		return dec
	case err != nil:
		dec.refuse(StepBelief, ReasonOutOfOrder, err.Error())
		return dec
	case terms == nil || terms.Policy == nil:
		dec.refuse(StepBelief, ReasonOutOfOrder, "no policy is in force")
		return dec
	}
	dec.hold(StepBelief, "")
	dec.record = terms.Policy.recording()
	if mode != ModeIn {
		d.pass(&dec, mode, belief, code, now)
		return dec
	}

	pass := d.examine(&dec, belief, lane, code, now)
	if pass == nil {
		return dec
	}
	dec.wait = terms.Policy.longestPair()
	found := terms.Policy.match(d.showing(belief, lane, pass, first, now))
	if !dec.taken(found) || !d.unused(&dec) || !dec.complete(found, first) {
		return dec
	}
	dec.Outcome, dec.Reason = Admit, ReasonOK
	dec.open = terms.Policy.opening(lane.Name, found.passes()...)
	return dec
}

// taken notes the rule that takes the pass, and the uses that it would cost.
func (d *Decision) taken(f finding) bool {
	if !f.takes() {
		d.refuse(StepRule, f.reason, f.note)
		return false
	}
	d.Rule, d.Outage, d.AnyHolder = f.rule.Name, f.outage, f.rule.anyHolder()
	for _, t := range f.taken {
		d.Stale = d.Stale || t.pass.stale
		if limit := t.clause.limit(t.pass.Pass); limit != 0 {
			d.uses = append(d.uses, Use{Pass: t.pass.hash, Limit: limit, Expires: t.pass.Expires, Final: !d.lane.Sensor})
		}
	}
	d.hold(StepRule, f.note)
	return true
}

// complete asks for the second pass where the rule wants two. first is what was shown before.
func (d *Decision) complete(f finding, first *waitingPass) bool {
	if len(f.taken) == 2 {
		d.first = first.event
	}
	switch {
	case f.reason == ReasonSecondPassNeeded:
		d.refuse(StepSecond, f.reason, fmt.Sprintf("within %v", f.rule.pairWithin()))
		return false
	case f.reason == ReasonDifferentHolder:
		d.refuse(StepSecond, f.reason, "")
		return false
	case f.rule.anyHolder():
		d.hold(StepSecond, "same_holder is off: the holders were not compared")
	case len(f.taken) == 2:
		d.hold(StepSecond, "")
	}
	return true
}

// shown is a pass that somebody shows at the lane: verified, not withdrawn, issued for here, by data that counts.
type shown struct {
	*credential.Pass
	hash   PassHash // also for a private kind, for the uses and to tell two passes apart
	stale  bool     // known by data past its fresh band
	outage string   // why outage_max_age counts for it; "" where max_age does
}

// examine asks what can be asked of one pass before the rules. Without a pass that counts it returns nil, and the decision
// is refused.
func (d *Decider) examine(dec *Decision, belief Belief, lane Lane, code string, now Moment) *shown {
	terms := belief.Terms()
	pass, err := credential.Verify(code, belief, now.At)
	dec.describe(pass, err, terms.Policy)
	if err != nil {
		dec.refuse(StepVerify, ReasonOf(err), err.Error())
		return nil
	}
	dec.hold(StepVerify, "")
	hash := HashPass(d.venueKey, pass)
	if !terms.Policy.isPrivate(pass.Kind) {
		dec.PassHash = hash
	}

	if !dec.notRevoked(belief, pass) || !dec.fresh(terms.Bands(pass.Issuer), now) || !dec.forHere(terms, lane, pass) {
		return nil
	}
	if now.Clock == ClockBehind && terms.Policy.ReferUntrustedClock {
		dec.refuse(StepClock, ReasonClockUntrusted, "the clock is behind what this kiosk knows that it is")
		return nil
	}
	return &shown{pass, hash, dec.Stale, terms.outage(pass.Issuer, dec.Stale)}
}

// showing is a pass at a lane, with the one that waits there where it still counts.
func (d *Decider) showing(belief Belief, lane Lane, pass *shown, first *waitingPass, now Moment) showing {
	s := showing{pass: pass, at: now.At, zone: belief.Terms().Zone}
	if first != nil {
		s.first, s.waited = d.again(belief, lane, first, now), now.At.Sub(first.at)
	}
	return s
}

// again examines the pass that waits once more: its time may be over since, or it was withdrawn. Then it is as if it had
// not been shown.
func (d *Decider) again(belief Belief, lane Lane, first *waitingPass, now Moment) *shown {
	var dec Decision
	return d.examine(&dec, belief, lane, first.code, now)
}

// describe notes what the pass said; of a pass without a good signature only the names that the refusal tells.
func (d *Decision) describe(p *credential.Pass, err error, policy *Policy) {
	var refusal *credential.Refusal
	if errors.As(err, &refusal) {
		d.Format, d.Issuer, d.KeyID = refusal.Format, refusal.Issuer, refusal.KeyID
	}
	if p == nil {
		return
	}
	d.Format, d.Issuer, d.KeyID, d.Kind = p.Format, p.Issuer, p.KeyID, p.Kind
	if !policy.isPrivate(p.Kind) {
		d.Level = p.Level
	}
}

func (d *Decision) notRevoked(b Belief, p *credential.Pass) bool {
	state, err := b.Revoked(p)
	switch {
	case err != nil:
		d.refuse(StepRevocation, ReasonOutOfOrder, err.Error())
	case state == Revoked:
		d.refuse(StepRevocation, ReasonRevoked, "")
	case state == NotRevoked:
		d.hold(StepRevocation, "")
		return true
	default:
		d.refuse(StepRevocation, ReasonStaleData, "the revocations that apply to this pass are not on this kiosk")
	}
	return false
}

// fresh asks how old the data is. A clock that nothing keeps right cannot say that it is fresh: it is at best stale.
func (d *Decision) fresh(b Bands, now Moment) bool {
	switch b.Freshness(now) {
	case Hard:
		d.refuse(StepFreshness, ReasonStaleData, "signed "+b.Signed.UTC().Format(time.RFC3339)+", hard since "+b.HardAfter.UTC().Format(time.RFC3339))
		return false
	case Stale:
		d.Stale = true
		d.hold(StepFreshness, fmt.Sprintf("stale since %s, clock %s", b.FreshUntil.UTC().Format(time.RFC3339), now.Clock))
	default:
		d.hold(StepFreshness, "")
	}
	return true
}

func (d *Decision) forHere(t *Terms, lane Lane, p *credential.Pass) bool {
	if len(p.Scope) == 0 {
		d.hold(StepVenue, "every venue")
		return true
	}
	zone := t.Policy.Lanes[lane.Name].Zone
	reason := ReasonWrongVenue
	for _, s := range p.Scope {
		venue, in, zoned := strings.Cut(s, "/")
		if venue != t.Venue {
			continue
		}
		if !zoned || (zone != "" && in == zone) {
			d.hold(StepVenue, s)
			return true
		}
		reason = ReasonWrongZone
	}
	d.refuse(StepVenue, reason, "")
	return false
}
