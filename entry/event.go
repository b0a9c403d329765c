// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"gatehouse/credential"
)

// PassHash stands for a pass at rest, in logs and in events: HMAC-SHA-256 of its identity under the venue's key, cut to
// 16 bytes. Zero means none.
type PassHash [16]byte

// HashPass makes the PassHash of a pass. The venue key is a secret of the venue's kiosks: without it nobody can test
// whether a known pass is in a ledger.
func HashPass(venueKey []byte, p *credential.Pass) PassHash {
	mac := hmac.New(sha256.New, venueKey)
	mac.Write(p.Identity())
	var h PassHash
	copy(h[:], mac.Sum(nil))
	return h
}

// String is the first four bytes in hex: enough to tell lines of a log apart, too little to look a pass up.
func (h PassHash) String() string {
	if h == (PassHash{}) {
		return "-"
	}
	return fmt.Sprintf("%x", h[:4])
}

// Use is one use of a pass about to be taken.
type Use struct {
	Pass    PassHash
	Limit   uint      // how many uses the pass has in all; 0 is without limit, and no use is counted or taken
	Expires time.Time // of the pass; its uses are kept at least until then
	Final   bool      // no passage will be reported: committed at once, as unknown
}

// UseState is where a use stands.
type UseState string

// The states of a use. An annulled use counts no more, nor does one that was returned: its guest left by this kiosk. An
// uncertain one was reserved when the kiosk ended, and committed when it started again: nobody knows whether the guest went
// through.
const (
	UseReserved  UseState = "reserved"
	UseCommitted UseState = "committed"
	UseAnnulled  UseState = "annulled"
	UseUncertain UseState = "uncertain"
	UseReturned  UseState = "returned"
)

// Stands tells whether a use in this state counts towards a limit.
func (s UseState) Stands() bool { return s != UseAnnulled && s != UseReturned }

// PastUse is a previous use of a pass.
type PastUse struct {
	Seq   uint64 // of the event that admitted it
	At    time.Time
	Lane  string
	State UseState
}

// ErrUsed is matched by every *UsedError.
var ErrUsed = errors.New("entry: the pass was used as often as it may be")

// ErrLedgerLost: the record of former uses is lost and nobody accepted that yet, so no use can be taken.
var ErrLedgerLost = errors.New("entry: the record of former uses is lost")

// ErrLate: a write was not durable when its caller's context ended. It is held in memory and written when the disk takes
// writes again.
var ErrLate = errors.New("entry: the record was not on the disk in time, and is held in memory")

// UsedError says that a pass has no use left, and when and where they were taken.
type UsedError struct {
	Past []PastUse
}

func (e *UsedError) Error() string { return ErrUsed.Error() }

// Is makes errors.Is(err, ErrUsed) hold.
func (e *UsedError) Is(target error) bool { return target == ErrUsed }

// Passage is how an admission ended at the gate.
type Passage string

// The ends of an admission. Unknown is what a lane without a sensor reports.
const (
	Passed         Passage = "passed"
	NotPassed      Passage = "not_passed"
	PassageUnknown Passage = "unknown"
	Fault          Passage = "fault"
)

// EventKind says what an event records.
type EventKind string

// The kinds of event.
const (
	EventDecision EventKind = "decision"
	EventPassage  EventKind = "passage"
	EventIncident EventKind = "incident"
	EventTrust    EventKind = "trust"
	EventStart    EventKind = "start"
	EventClosed   EventKind = "closed"   // staff closed a lane
	EventReleased EventKind = "released" // staff had a lane that they closed decide again
)

// Event is one line of the record. It keeps the facts that a decision needs, codes rather than texts, and nothing that
// identifies a person: no code, no name, no id; for a private kind no hash and no level either.
type Event struct {
	Seq     uint64    `cbor:"-"` // given by the ledger; its key
	At      time.Time `cbor:"1,keyasint"`
	Kind    EventKind `cbor:"2,keyasint"`
	Lane    string    `cbor:"3,keyasint,omitempty"`
	Outcome Outcome   `cbor:"4,keyasint,omitempty"`
	Reason  Reason    `cbor:"5,keyasint,omitempty"`
	Pass    PassHash  `cbor:"6,keyasint"`
	Format  string    `cbor:"7,keyasint,omitempty"`
	Issuer  string    `cbor:"8,keyasint,omitempty"`
	KeyID   []byte    `cbor:"9,keyasint,omitempty"`
	// PassKind and Level are the pass's claims, Rule the name of the rule that admitted it.
	PassKind string     `cbor:"10,keyasint,omitempty"`
	Level    string     `cbor:"11,keyasint,omitempty"`
	Rule     string     `cbor:"12,keyasint,omitempty"`
	Steps    []StepCode `cbor:"13,keyasint,omitempty"` // the steps that held, in order
	Passage  Passage    `cbor:"14,keyasint,omitempty"`
	Of       uint64     `cbor:"15,keyasint,omitempty"` // the event that this one is about; of a decision by two passes, that of the first
	Note     string     `cbor:"16,keyasint,omitempty"`
	Clock    ClockState `cbor:"17,keyasint,omitempty"` // how far At can be trusted
	Late     bool       `cbor:"18,keyasint,omitempty"` // it, or the event that it is about, was durable after it was acted on
	Outage   bool       `cbor:"19,keyasint,omitempty"` // a rule took it by its outage_max_age
	// AnyHolder: the rule wants two passes, and does not compare their holders.
	AnyHolder bool `cbor:"20,keyasint,omitempty"`
}
