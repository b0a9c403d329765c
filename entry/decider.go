// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Decider decides about scans. Several lanes may ask it at once.
type Decider struct {
	knowledge Knowledge
	ledger    Ledger
	history   History
	venueKey  []byte
	waiting   waiting
	spells    spells
}

// MinVenueKey is the least number of bytes of a venue key.
const MinVenueKey = 16

// NewDecider makes the decider of a kiosk. The venue key is the secret under which passes are hashed.
func NewDecider(k Knowledge, l Ledger, h History, venueKey []byte) (*Decider, error) {
	if len(venueKey) < MinVenueKey {
		return nil, fmt.Errorf("entry: the venue key has %d bytes, it needs at least %d; provision the kiosk again", len(venueKey), MinVenueKey)
	}
	return &Decider{knowledge: k, ledger: l, history: h, venueKey: venueKey}, nil
}

// Decide answers one scanned code at one lane. Whatever happens it returns a decision with a reason, and every
// decision is recorded: an admission before its Grant exists, in the transaction that takes the use, and an exit by Settle. It
// waits for the record no longer than the policy's deadline.
func (d *Decider) Decide(ctx context.Context, lane Lane, code string, now Moment) Decision {
	first := d.waiting.take(lane.Name)
	dec := d.judge(lane, code, first, now)
	dec.Waited = first != nil || dec.Reason == ReasonSecondPassNeeded
	ctx, cancel := context.WithTimeout(ctx, time.Duration(dec.record.Deadline))
	defer cancel()
	switch {
	case dec.Reason == ReasonExit:
		dec.Grant = newGrant(lane.Name, time.Now(), dec.open) // recorded when it is known whether somebody left
		return dec
	case dec.Outcome == Admit:
		d.admit(ctx, &dec)
	}
	if dec.Outcome != Admit {
		ev := dec.event()
		if dec.RecordErr = d.ledger.Record(ctx, ev); dec.RecordErr == nil {
			dec.Event = ev.Seq
		}
	}
	if dec.Reason == ReasonSecondPassNeeded {
		d.waiting.put(lane.Name, code, dec)
	}
	return dec
}

// admit takes the use and records the event; only then there is a grant. Where the policy opens late, an admission
// without a limit is given one while its event is still held in memory.
func (d *Decider) admit(ctx context.Context, dec *Decision) {
	dec.hold(StepRecord, "")
	ev := dec.event()
	var err error
	if len(dec.uses) == 0 && dec.record.Late == LateOpen {
		if err = d.ledger.Record(ctx, ev); errors.Is(err, ErrLate) {
			dec.Late, dec.RecordErr = true, err
			dec.Steps[len(dec.Steps)-1].Note = "late: " + err.Error()
			err = nil
		}
	} else {
		err = d.ledger.Reserve(ctx, ev, dec.uses...)
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
	if dec.Reason == ReasonExit {
		return d.departed(ctx, dec, p)
	}
	if dec.Outcome != Admit || dec.Event == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(dec.record.Deadline))
	defer cancel()
	if p == PassageUnknown && !dec.lane.Sensor || dec.open.free && (p == PassageUnknown || p == NotPassed) {
		return nil
	}
	ev := &Event{At: now.At, Clock: now.Clock, Kind: EventPassage, Lane: dec.lane.Name, Passage: p, Of: dec.Event}
	var err error
	if dec.lane.Sensor && len(dec.uses) != 0 {
		err = d.ledger.Settle(ctx, ev)
	} else {
		err = d.ledger.Record(ctx, ev)
	}
	if err != nil {
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
