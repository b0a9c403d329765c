// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"fmt"
	"slices"
	"time"
)

// unused looks before the ledger is asked to write: a used pass then costs no transaction, and staff learn when and
// where. The ledger counts again in the transaction that takes the use.
func (d *Decider) unused(dec *Decision) bool {
	for _, use := range dec.uses {
		if !d.left(dec, use) {
			return false
		}
	}
	note := ""
	if len(dec.uses) == 0 {
		note = "without limit"
	}
	dec.hold(StepUses, note)
	return true
}

// left tells whether a pass has a use left.
func (d *Decider) left(dec *Decision, use Use) bool {
	past, err := d.history.Uses(use.Pass)
	if err != nil {
		dec.refuse(StepUses, ReasonOutOfOrder, err.Error())
		return false
	}
	taken := counted(past)
	switch {
	case taken >= use.Limit && leftOpen(past, dec.At):
		dec.refuse(StepUses, ReasonPassback, "the kiosk ended while this guest was at the gate; look whether somebody went through")
	case taken >= use.Limit:
		dec.refuse(StepUses, ReasonAlreadyUsed, fmt.Sprintf("%d of %d taken, %s", taken, use.Limit, lastUse(past, dec.At)))
	case givenBack(past):
		dec.refuse(StepUses, ReasonPassback, "let in twice, and nobody went through")
	default:
		return true
	}
	dec.Past = past
	return false
}

// lastUse tells where, when and how long ago a pass took its last use: the guest's own question, and whoever else is on
// the pass is told by it.
func lastUse(past []PastUse, now time.Time) string {
	for _, u := range slices.Backward(past) {
		if u.State.Stands() {
			return fmt.Sprintf("the last %s ago at lane %s (event %d, %s)", Duration(now.Sub(u.At)).Rough(), u.Lane, u.Seq, u.At.UTC().Format(time.RFC3339))
		}
	}
	return "none"
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

// counted is how many uses stand.
func counted(past []PastUse) (n uint) {
	for _, u := range past {
		if u.State.Stands() {
			n++
		}
	}
	return n
}
