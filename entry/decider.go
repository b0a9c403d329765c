// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatehouse/credential"
)

// Decider decides about scans. Several lanes may ask it at once.
type Decider struct {
	knowledge Knowledge
	ledger    Ledger
	history   History
	venueKey  []byte
}

// MinVenueKey is the least number of bytes of a venue key.
const MinVenueKey = 16

// NewDecider makes the decider of a kiosk. The venue key is the secret under which passes are hashed.
func NewDecider(k Knowledge, l Ledger, h History, venueKey []byte) (*Decider, error) {
	if len(venueKey) < MinVenueKey {
		return nil, fmt.Errorf("entry: the venue key has %d bytes, it needs at least %d; provision the kiosk again", len(venueKey), MinVenueKey)
	}
	return &Decider{k, l, h, venueKey}, nil
}

// Decide answers one scanned code at one lane. Whatever happens it returns a decision with a reason, and every
// decision is recorded: an admission before its Grant exists, in the transaction that takes the use. It waits for the
// record no longer than the policy's deadline.
func (d *Decider) Decide(ctx context.Context, lane Lane, code string, now Moment) Decision {
	dec := d.judge(lane, code, now)
	ctx, cancel := context.WithTimeout(ctx, time.Duration(dec.record.Deadline))
	defer cancel()
	if dec.Outcome == Admit {
		d.admit(ctx, &dec)
	}
	if dec.Outcome != Admit {
		ev := dec.event()
		if dec.RecordErr = d.ledger.Record(ctx, ev); dec.RecordErr == nil {
			dec.Event = ev.Seq
		}
	}
	return dec
}

// judge asks every question that needs no writing.
func (d *Decider) judge(lane Lane, code string, now Moment) Decision {
	dec := Decision{At: now.At, Clock: now.Clock, lane: lane, Steps: make([]Step, 0, 8), record: (*Policy)(nil).recording()}
	belief, err := d.knowledge.Belief()
	if err != nil {
		dec.refuse(StepBelief, ReasonOutOfOrder, err.Error())
		return dec
	}
	terms := belief.Terms()
	if terms == nil || terms.Policy == nil {
		dec.refuse(StepBelief, ReasonOutOfOrder, "no policy is in force")
		return dec
	}
	dec.hold(StepBelief, "")
	dec.record = terms.Policy.recording()

	pass, err := credential.Verify(code, belief, now.At)
	dec.describe(pass, err, terms.Policy)
	if err != nil {
		dec.refuse(StepVerify, ReasonOf(err), err.Error())
		return dec
	}
	dec.hold(StepVerify, "")
	dec.use = HashPass(d.venueKey, pass)
	dec.until = pass.Expires
	if !terms.Policy.isPrivate(pass.Kind) {
		dec.PassHash = dec.use
	}

	if !dec.notRevoked(belief, pass) || !dec.fresh(terms.Bands(pass.Issuer), now) || !dec.forHere(terms, lane, pass) {
		return dec
	}
	if now.Clock == ClockBehind && terms.Policy.ReferUntrustedClock {
		dec.refuse(StepClock, ReasonClockUntrusted, "the clock is behind what this kiosk knows that it is")
		return dec
	}
	rule, clause := terms.Policy.match(pass)
	if rule == nil {
		dec.refuse(StepRule, ReasonNotAccepted, "")
		return dec
	}
	dec.Rule = rule.Name
	dec.limit = clause.limit(pass)
	dec.hold(StepRule, rule.Name)
	if !d.unused(&dec) {
		return dec
	}
	dec.Outcome, dec.Reason = Admit, ReasonOK
	dec.open = terms.Policy.opening(lane.Name, pass)
	return dec
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

// unused looks before the ledger is asked to write: a used pass then costs no transaction, and staff learn when and
// where. The ledger counts again in the transaction that takes the use.
func (d *Decider) unused(dec *Decision) bool {
	if dec.limit == 0 {
		dec.hold(StepUses, "without limit")
		return true
	}
	past, err := d.history.Uses(dec.use)
	if err != nil {
		dec.refuse(StepUses, ReasonOutOfOrder, err.Error())
		return false
	}
	taken := counted(past)
	switch {
	case taken >= dec.limit && leftOpen(past, dec.At):
		dec.refuse(StepUses, ReasonPassback, "the kiosk ended while this guest was at the gate; look whether somebody went through")
	case taken >= dec.limit:
		dec.refuse(StepUses, ReasonAlreadyUsed, fmt.Sprintf("%d of %d taken", taken, dec.limit))
	case givenBack(past):
		dec.refuse(StepUses, ReasonPassback, "let in twice, and nobody went through")
	default:
		dec.hold(StepUses, "")
		return true
	}
	dec.Past = past
	return false
}

// openedAgo is how long after a restart a guest who stood at the gate is taken to be the one who shows the pass again.
const openedAgo = 10 * time.Minute

// leftOpen tells of a pass whose last use nobody saw the end of, moments ago.
func leftOpen(past []PastUse, now time.Time) bool {
	last := past[len(past)-1]
	return last.State == UseUncertain && now.Sub(last.At) < openedAgo
}

// givenBack tells of a pass whose last two uses were both annulled: a third guest on the same pass, or a sensor that is
// walked around.
func givenBack(past []PastUse) bool {
	n := len(past)
	return n >= 2 && past[n-1].State == UseAnnulled && past[n-2].State == UseAnnulled
}

// counted is how many uses stand; an annulled one does not.
func counted(past []PastUse) (n uint) {
	for _, u := range past {
		if u.State != UseAnnulled {
			n++
		}
	}
	return n
}

// admit takes the use and records the event; only then there is a grant. Where the policy opens late, an admission
// without a limit is given one while its event is still held in memory.
func (d *Decider) admit(ctx context.Context, dec *Decision) {
	dec.hold(StepRecord, "")
	ev := dec.event()
	var err error
	if dec.limit == 0 && dec.record.Late == LateOpen {
		if err = d.ledger.Record(ctx, ev); errors.Is(err, ErrLate) {
			dec.Late, dec.RecordErr = true, err
			dec.Steps[len(dec.Steps)-1].Note = "late: " + err.Error()
			err = nil
		}
	} else {
		err = d.ledger.Reserve(ctx, Use{Pass: dec.use, Limit: dec.limit, Expires: dec.until, Final: !dec.lane.Sensor}, ev)
	}
	if err == nil {
		dec.Event = ev.Seq
		dec.Grant = newGrant(dec.lane.Name, time.Now(), dec.open)
		return
	}
	dec.Steps = dec.Steps[:len(dec.Steps)-1]
	var used *UsedError
	switch {
	case errors.As(err, &used):
		dec.Past = used.Past
		dec.refuse(StepRecord, ReasonAlreadyUsed, "another lane took the last use a moment ago")
	case errors.Is(err, ErrLedgerLost):
		dec.refuse(StepUses, ReasonOutOfOrder, err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		dec.Late = true
		dec.refuse(StepRecord, ReasonRecordFailed, fmt.Sprintf("late: the disk did not write within %v: %v", time.Duration(dec.record.Deadline), err))
		dec.Outcome = Wait // the disk may be back in a moment
	default:
		dec.refuse(StepRecord, ReasonRecordFailed, err.Error())
	}
}

// Settle ends an admission with what the gate reported at a moment; for one that nobody used, and that somebody walked
// through late, it is called again. Where no sensor is wired there is nothing to write but a fault. It waits for the disk
// as Decide does; with ErrLate the end is held in memory.
func (d *Decider) Settle(ctx context.Context, dec Decision, p Passage, now Moment) error {
	if dec.Outcome != Admit || dec.Event == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(dec.record.Deadline))
	defer cancel()
	if p == PassageUnknown && !dec.lane.Sensor {
		return nil
	}
	ev := &Event{At: now.At, Clock: now.Clock, Kind: EventPassage, Lane: dec.lane.Name, Passage: p, Of: dec.Event}
	write := d.ledger.Record
	if dec.lane.Sensor && dec.limit != 0 {
		write = d.ledger.Settle
	}
	if err := write(ctx, ev); err != nil {
		return fmt.Errorf("entry: the end of event %d: %w", dec.Event, err)
	}
	return nil
}

// Record appends an event that is no decision, and waits for the disk as Decide does: with ErrLate it is held in memory.
func (d *Decider) Record(ctx context.Context, ev *Event) error {
	var policy *Policy
	if b, err := d.knowledge.Belief(); err == nil && b.Terms() != nil {
		policy = b.Terms().Policy
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(policy.recording().Deadline))
	defer cancel()
	return d.ledger.Record(ctx, ev)
}
