// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"time"

	"gatehouse/credential"
)

// StepCode names one question that a decision asks.
type StepCode string

// The steps in the order in which they are asked.
const (
	StepLane       StepCode = "lane"       // only where it does not: does the lane let in by pass now?
	StepBelief     StepCode = "belief"     // are there signed documents to decide by?
	StepVerify     StepCode = "verify"     // format, key, signature, claims and validity
	StepRevocation StepCode = "revocation" // withdrawn by its issuer?
	StepFreshness  StepCode = "freshness"  // is what the kiosk believes young enough?
	StepClock      StepCode = "clock"      // does the venue want a person to look when the clock is wrong?
	StepVenue      StepCode = "venue"      // issued for here?
	StepRule       StepCode = "rule"       // does a rule of the venue take it?
	StepUses       StepCode = "uses"       // has it a use left?
	StepSecond     StepCode = "second"     // where the rule wants two passes: is the other here, and the same person's?
	StepRecord     StepCode = "record"     // is the admission on the disk?
)

// Step is one question and its answer.
type Step struct {
	Code StepCode
	Held bool
	Note string // for a technician; never anything of the pass that identifies
}

// Decision is the answer to one scan.
type Decision struct {
	Outcome Outcome
	Reason  Reason
	Steps   []Step
	At      time.Time // what the clock believed
	Clock   ClockState

	// What the pass said, as far as its signature was good. None of it identifies.
	Format   credential.Format
	Issuer   string
	KeyID    []byte
	Kind     string
	Level    string
	Rule     string   // the rule that took it
	PassHash PassHash // zero for a private kind

	Stale  bool // decided on data past its fresh band
	Outage bool // the pass is older than the rule's max_age, and its outage_max_age took it
	// Waited: a pass waited at the lane for a second one, or does so now. Codes that were answered there before may have
	// another answer from now on.
	Waited bool
	// AnyHolder: the rule wants two passes and not that they are one person's.
	AnyHolder bool
	Late      bool      // the disk did not write within the policy's deadline
	Past      []PastUse // for already_used and passback: when and where

	Grant *Grant // to open the lane; nil unless Outcome is Admit
	Event uint64 // its event's number in the ledger; 0 when it could not be recorded, or not in time

	// RecordErr is why a refusal, or an admission where the policy opens late, could not be recorded in time; with ErrLate
	// its event is held in memory. The decision stands; the kiosk must raise a condition.
	RecordErr error

	lane   Lane
	uses   []Use         // that an admission takes, of passes that have a limit
	left   []PassHash    // the pass of who leaves, where it could be read
	first  uint64        // the event of the first of two passes
	wait   time.Duration // how long this one may wait for a second
	open   opening
	record RecordTerms
}

// opening is how a gate opens for an admission.
type opening struct {
	pulse time.Duration
	wide  bool
	free  bool
}

// hold notes a step that held.
func (d *Decision) hold(code StepCode, note string) {
	d.Steps = append(d.Steps, Step{code, true, note})
}

// refuse ends the decision at a step.
func (d *Decision) refuse(code StepCode, reason Reason, note string) {
	d.Steps = append(d.Steps, Step{code, false, note})
	d.Reason = reason
	d.Outcome = reason.Outcome()
}

// event is what the ledger keeps of the decision.
func (d *Decision) event() *Event {
	ev := &Event{
		At: d.At, Clock: d.Clock, Kind: EventDecision, Lane: d.lane.Name, Outcome: d.Outcome, Reason: d.Reason,
		Pass: d.PassHash, Format: string(d.Format), Issuer: d.Issuer, KeyID: d.KeyID,
		PassKind: d.Kind, Level: d.Level, Rule: d.Rule, Outage: d.Outage, AnyHolder: d.AnyHolder,
		Of: d.first, Steps: make([]StepCode, 0, len(d.Steps)),
	}
	for _, s := range d.Steps {
		if s.Held {
			ev.Steps = append(ev.Steps, s.Code)
		}
	}
	return ev
}
