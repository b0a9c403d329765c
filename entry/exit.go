// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gatehouse/credential"
)

// letOut answers at a lane out. It opens for whatever is shown: nobody is kept in for a pass that has expired or cannot be
// read. Of a pass whose signature is good it is known whose use the exit gives back.
func (d *Decider) letOut(dec *Decision, belief Belief, code string, now Moment) {
	dec.hold(StepLane, "out")
	policy := belief.Terms().Policy
	pass, err := credential.Verify(code, belief, now.At)
	dec.describe(pass, err, policy)
	if pass != nil && (err == nil || errors.Is(err, credential.ErrExpired) || errors.Is(err, credential.ErrNotYetValid)) {
		dec.hold(StepVerify, "")
		hash := HashPass(d.venueKey, pass)
		dec.left = []PassHash{hash}
		if !policy.isPrivate(pass.Kind) {
			dec.PassHash = hash
		}
	}
	dec.Outcome, dec.Reason = Admit, ReasonExit
	dec.open = policy.opening(dec.lane.Name, pass)
}

// departed records an exit when it is known how it ended. A use is given back where somebody was seen to leave; where no sensor
// is wired, the scan is all that there is to see.
func (d *Decider) departed(ctx context.Context, dec Decision, p Passage) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(dec.record.Deadline))
	defer cancel()
	ev := dec.event()
	ev.Passage = p
	left := dec.left
	if p != Passed && (p != PassageUnknown || dec.lane.Sensor) {
		left = nil
	}
	if err := d.ledger.Settle(ctx, ev, left...); err != nil {
		return fmt.Errorf("entry: an exit: %w", err)
	}
	return nil
}
