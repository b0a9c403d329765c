// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// ErrNoReason: a lane is opened, closed and released by hand only for a reason that can be recorded.
var ErrNoReason = errors.New("entry: what is done by hand needs a reason")

// maxReason is how long a reason is at most, in bytes.
const maxReason = 200

// Override opens a lane for staff: by is who asks, as the machine knows him, and why is his reason. It asks neither belief
// nor pass, but the event must be on the disk before there is a Grant: an opening by hand that nobody can find later is
// what a thief would want. The error is ErrNoReason; a record that fails is a decision, record_failed.
func (d *Decider) Override(ctx context.Context, lane Lane, by, why string, now Moment) (Decision, error) {
	if err := checkReason(why); err != nil {
		return Decision{}, err
	}
	d.waiting.take(lane.Name) // whoever is let in now is not asked for a second pass, and nobody after him is paired with his
	dec := Decision{At: now.At, Clock: now.Clock, lane: lane, record: (*Policy)(nil).recording(), Outcome: Admit, Reason: ReasonOverride}
	if belief, err := d.knowledge.Belief(); err == nil {
		if t := belief.Terms(); t != nil && t.Policy != nil {
			dec.record = t.Policy.recording()
			dec.open = opening{pulse: time.Duration(t.Policy.Lanes[lane.Name].Pulse)}
		}
	}
	dec.hold(StepRecord, "")
	ev := dec.event()
	ev.Note = by + ": " + why
	ctx, cancel := context.WithTimeout(ctx, time.Duration(dec.record.Deadline))
	defer cancel()
	if err := d.ledger.Reserve(ctx, ev); err != nil {
		dec.Steps = nil
		dec.RecordErr = err
		dec.refuse(StepRecord, ReasonRecordFailed, err.Error())
		return dec, nil
	}
	dec.Event = ev.Seq
	dec.Grant = newGrant(lane.Name, time.Now(), dec.open)
	return dec, nil
}

func checkReason(why string) error {
	if len(why) > maxReason {
		return fmt.Errorf("%w of at most %d bytes", ErrNoReason, maxReason)
	}
	for _, r := range why {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return fmt.Errorf("%w of one line of text", ErrNoReason)
		}
	}
	if !strings.ContainsFunc(why, unicode.IsLetter) {
		return fmt.Errorf("%w in words", ErrNoReason)
	}
	return nil
}
