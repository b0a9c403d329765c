// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"
)

// LedgerID is a ledger's random identity. An event is known by kiosk, ledger and number.
type LedgerID [16]byte

// String gives 32 hexadecimal digits.
func (id LedgerID) String() string { return hex.EncodeToString(id[:]) }

// Link is the hash of a chain of events at one of them: SHA-256 over a fixed word, the ledger's id, the link before
// (zeros before the first), the event's number and its bytes. Whoever changes, drops, adds or moves an event changes
// every link from there on; whoever holds one link of a ledger can tell.
type Link [sha256.Size]byte

// linkWord keeps these hashes apart from all others.
const linkWord = "gatehouse event 1"

// Next is the link of the event that follows, with this number and these bytes.
func (l Link) Next(ledger LedgerID, seq uint64, event []byte) (next Link) {
	h := sha256.New()
	h.Write([]byte(linkWord))
	h.Write(ledger[:])
	h.Write(l[:])
	h.Write(binary.BigEndian.AppendUint64(nil, seq))
	h.Write(event)
	h.Sum(next[:0])
	return next
}

// Bounds of a batch of records. MaxRecordBytes is what the events add up to; one alone is never longer.
const (
	MaxRecords     = 64
	MaxRecordBytes = 32 << 10
)

// ErrAhead: a receipt for an event that this ledger has not written. The ledger was put back to an earlier state, or the
// receipt is another's.
var ErrAhead = errors.New("fleet: a receipt for events that are not in this ledger")

// Records are consecutive events of one kiosk's ledger, as they were recorded.
type Records struct {
	Ledger LedgerID `cbor:"ledger"`
	First  uint64   `cbor:"first"`  // number of the first, from 1
	Oldest uint64   `cbor:"oldest"` // number of the oldest event that the kiosk still has
	Before Link     `cbor:"before"` // the link before the first
	Events [][]byte `cbor:"events"` // 1 to MaxRecords
}

// Last is the number of the last event.
func (r *Records) Last() uint64 { return r.First + uint64(len(r.Events)) - 1 }

// Links are the links at each event.
func (r *Records) Links() []Link {
	links := make([]Link, len(r.Events))
	at := r.Before
	for i, ev := range r.Events {
		at = at.Next(r.Ledger, r.First+uint64(i), ev)
		links[i] = at
	}
	return links
}

func (r *Records) check() error {
	if n := len(r.Events); n == 0 || n > MaxRecords {
		return fmt.Errorf("%w: %d records; a batch has 1 to %d", ErrMalformed, n, MaxRecords)
	}
	if r.First == 0 || r.First > math.MaxInt64-MaxRecords || r.Oldest == 0 || r.Oldest > r.First {
		return fmt.Errorf("%w: record number %d is out of range", ErrMalformed, r.First)
	}
	if r.First == 1 && r.Before != (Link{}) {
		return fmt.Errorf("%w: something before the first record", ErrMalformed)
	}
	size := 0
	for _, ev := range r.Events {
		size += len(ev)
	}
	if size > MaxRecordBytes {
		return fmt.Errorf("%w: records of %d bytes; at most %d are read", ErrMalformed, size, MaxRecordBytes)
	}
	return nil
}

// SignRecords makes the message that carries records to the collector. key is the kiosk's own, and at what its clock says. A
// clock may say anything, and records leave all the same: a time that no message can bear becomes the nearest one that can.
func SignRecords(from Place, at time.Time, r Records, key SigningKey) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	if earliest, latest := time.Unix(1, 0), time.Unix(maxTime, 0); at.Before(earliest) {
		at = earliest
	} else if at.After(latest) {
		at = latest
	}
	return signMessage(messageRecords, from, at, r, key)
}

// OpenRecords reads records that this kiosk signed. public is the kiosk's key.
func OpenRecords(raw []byte, from Place, public ed25519.PublicKey) (*Records, error) {
	var r Records
	if _, err := openByKiosk(raw, messageRecords, from, public, &r); err != nil {
		return nil, err
	}
	return &r, r.check()
}

// Receipt says that the collector has all events of a ledger up to one, and the link there.
type Receipt struct {
	Ledger LedgerID `cbor:"ledger"`
	Seq    uint64   `cbor:"seq"` // 0: none yet
	Link   Link     `cbor:"link"`
}

// SignReceipt makes the message that acknowledges a kiosk's events.
func SignReceipt(to Place, at time.Time, r Receipt, keys ...SigningKey) ([]byte, error) {
	return signMessage(messageReceipt, to, at, r, keys...)
}

// OpenReceipt reads a receipt that the root's collectors signed for this kiosk.
func (r *Root) OpenReceipt(raw []byte, to Place) (receipt Receipt, err error) {
	_, err = r.openByRole(raw, messageReceipt, to, &receipt)
	return receipt, err
}
