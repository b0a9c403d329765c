// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"errors"

	"gatehouse/credential"
)

// Outcome is what happens to the guest.
type Outcome string

// The outcomes. Refer sends the guest to a person: the kiosk cannot or must not decide this.
const (
	Admit Outcome = "admit"
	Deny  Outcome = "deny"
	Wait  Outcome = "wait"
	Refer Outcome = "refer"
)

// Reason is why, as a stable string: API, screen, log and tests use the same.
type Reason string

// The reasons. The table below gives each its outcome and its sentence.
const (
	ReasonOK               Reason = "ok"
	ReasonUnrecognised     Reason = "unrecognised"
	ReasonMalformed        Reason = "malformed"
	ReasonUnknownIssuer    Reason = "unknown_issuer"
	ReasonUnknownKey       Reason = "unknown_key"
	ReasonBadSignature     Reason = "bad_signature"
	ReasonKeyNotAllowed    Reason = "key_not_allowed"
	ReasonNotYetValid      Reason = "not_yet_valid"
	ReasonExpired          Reason = "expired"
	ReasonClockUntrusted   Reason = "clock_untrusted"
	ReasonRevoked          Reason = "revoked"
	ReasonSuspended        Reason = "suspended"
	ReasonWrongVenue       Reason = "wrong_venue"
	ReasonWrongZone        Reason = "wrong_zone"
	ReasonOutsideHours     Reason = "outside_hours"
	ReasonNotAccepted      Reason = "not_accepted"
	ReasonSecondPassNeeded Reason = "second_pass_needed"
	ReasonDifferentHolder  Reason = "different_holder"
	ReasonTooOld           Reason = "too_old"
	ReasonStaleData        Reason = "stale_data"
	ReasonAlreadyUsed      Reason = "already_used"
	ReasonPassback         Reason = "passback"
	ReasonFull             Reason = "full"
	ReasonWait             Reason = "wait"
	ReasonLaneClosed       Reason = "lane_closed"
	ReasonOutOfOrder       Reason = "out_of_order"
	ReasonRecordFailed     Reason = "record_failed"
	ReasonOverride         Reason = "override"
	ReasonCommand          Reason = "command"
	ReasonExit             Reason = "exit"
)

type reasonRow struct {
	outcome Outcome
	staff   string
}

// reasons has a row for each reason; a test holds that none is missing.
var reasons = map[Reason]reasonRow{
	ReasonOK:               {Admit, "Admitted."},
	ReasonUnrecognised:     {Deny, "This code is no pass that the gate knows."},
	ReasonMalformed:        {Deny, "This code is damaged or incomplete; ask for the original."},
	ReasonUnknownIssuer:    {Deny, "This venue does not know the issuer of this pass."},
	ReasonUnknownKey:       {Deny, "The issuer is known, the key that signed this pass is not."},
	ReasonBadSignature:     {Deny, "The signature is wrong: this pass was changed or forged."},
	ReasonKeyNotAllowed:    {Deny, "The issuer's key may not sign this kind of pass."},
	ReasonNotYetValid:      {Deny, "The pass is not valid yet."},
	ReasonExpired:          {Deny, "The pass has expired."},
	ReasonClockUntrusted:   {Refer, "The kiosk does not know the time well enough; check the dates by eye."},
	ReasonRevoked:          {Deny, "The issuer has withdrawn this pass."},
	ReasonSuspended:        {Deny, "The issuer has suspended this pass."},
	ReasonWrongVenue:       {Deny, "The pass is for another venue."},
	ReasonWrongZone:        {Deny, "The pass is for another entrance or zone."},
	ReasonOutsideHours:     {Deny, "The pass does not admit at this hour."},
	ReasonNotAccepted:      {Deny, "The pass is genuine, and no rule of this venue accepts it."},
	ReasonSecondPassNeeded: {Wait, "One more pass is needed."},
	ReasonDifferentHolder:  {Deny, "The two passes belong to different people."},
	ReasonTooOld:           {Deny, "The pass is older than this venue accepts."},
	ReasonStaleData:        {Refer, "The kiosk's data is too old to decide; decide by eye or by telephone."},
	ReasonAlreadyUsed:      {Deny, "The pass was used already."},
	ReasonPassback:         {Refer, "Somebody may have gone in on this pass moments ago; look, and open by hand if not."},
	ReasonFull:             {Deny, "The venue is full."},
	ReasonWait:             {Wait, "One moment; show the pass again when the gate is free."},
	ReasonLaneClosed:       {Deny, "This lane is closed."},
	ReasonOutOfOrder:       {Refer, "The kiosk is out of order; use another lane and call a technician."},
	ReasonRecordFailed:     {Refer, "The admission could not be recorded; use another lane and call a technician."},
	ReasonOverride:         {Admit, "Opened by staff."},
	ReasonCommand:          {Admit, "Opened by command."},
	ReasonExit:             {Admit, "Opened for someone leaving."},
}

// Outcome is what a reason means for the guest; a string that is no reason is referred to a person.
func (r Reason) Outcome() Outcome {
	if row, ok := reasons[r]; ok {
		return row.outcome
	}
	return Refer
}

// Sentence is what staff are told, in English.
func (r Reason) Sentence() string { return reasons[r].staff }

// ReasonOf gives the reason for the outcome of credential.Verify: ok for nil, out_of_order for what is none of its
// closed set of errors.
func ReasonOf(err error) Reason {
	if err == nil {
		return ReasonOK
	}
	for _, row := range verifyReasons {
		if errors.Is(err, row.err) {
			return row.reason
		}
	}
	return ReasonOutOfOrder
}

var verifyReasons = []struct {
	err    error
	reason Reason
}{
	{credential.ErrUnrecognised, ReasonUnrecognised},
	{credential.ErrMalformed, ReasonMalformed},
	{credential.ErrUnknownIssuer, ReasonUnknownIssuer},
	{credential.ErrUnknownKey, ReasonUnknownKey},
	{credential.ErrBadSignature, ReasonBadSignature},
	{credential.ErrKeyNotAllowed, ReasonKeyNotAllowed},
	{credential.ErrNotYetValid, ReasonNotYetValid},
	{credential.ErrExpired, ReasonExpired},
}
