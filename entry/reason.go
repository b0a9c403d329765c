// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"errors"
	"maps"
	"slices"

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
	ReasonFreePassage      Reason = "free_passage"
)

// Severity is how much a reason matters to those who run the gate.
type Severity string

// The severities. A warning is one that staff should look at, an error one that a technician should.
const (
	SeverityInfo    Severity = "info"
	SeverityWarning Severity = "warning"
	SeverityError   Severity = "error"
)

// Language is a language in which people are told (BCP 47).
type Language string

// The languages.
const (
	Chinese Language = "zh" // simplified
	English Language = "en"
)

type sentence struct{ chinese, english string }

func (s sentence) in(l Language) string {
	if l == Chinese {
		return s.chinese
	}
	return s.english
}

// reasonRow is what a reason means.
type reasonRow struct {
	outcome      Outcome
	severity     Severity
	guest, staff sentence
	remedy       string // for a technician; "" where there is nothing to do
}

// row is that of a reason. A string that is none is referred to a person.
func (r Reason) row() reasonRow {
	if row, ok := reasons[r]; ok {
		return row
	}
	return reasonRow{Refer, SeverityError, sentence{"请联系工作人员。", "Please ask the staff."},
		sentence{"未知原因：" + string(r), "An unknown reason: " + string(r)}, "Is the program of this screen older than the kiosk's? gatehouse status"}
}

// Reasons are all of them, by name.
func Reasons() []Reason { return slices.Sorted(maps.Keys(reasons)) }

// Outcome is what a reason means for the guest.
func (r Reason) Outcome() Outcome { return r.row().outcome }

// Severity is how much it matters.
func (r Reason) Severity() Severity { return r.row().severity }

// Guest is what the guest is told, in English where the language is no other that is known.
func (r Reason) Guest(l Language) string { return r.row().guest.in(l) }

// Staff is what staff are told.
func (r Reason) Staff(l Language) string { return r.row().staff.in(l) }

// Remedy is what a technician or operator does about it, in English; "" where there is nothing to do.
func (r Reason) Remedy() string { return r.row().remedy }

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
