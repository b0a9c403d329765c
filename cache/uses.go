// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"
	"go.etcd.io/bbolt"

	"gatehouse/entry"
)

// useRecord is what the ledger keeps of one pass.
type useRecord struct {
	Expires int64      `cbor:"1,keyasint"` // Unix seconds; kept at least until then
	Uses    []useEntry `cbor:"2,keyasint"` // oldest first
}

// never is the expiry of a pass that has none.
const never = math.MaxInt64

// useEntry is one use of a pass.
type useEntry struct {
	_     struct{} `cbor:",toarray"`
	Seq   uint64   // of the event that took it
	At    int64    // Unix microseconds
	Lane  string
	State useState
}

// useState is entry.UseState as it is stored.
type useState uint8

const (
	stateReserved  useState = 1
	stateCommitted useState = 2
	stateAnnulled  useState = 3
	stateUncertain useState = 4
	stateReturned  useState = 5
)

func (s useState) entry() entry.UseState {
	switch s {
	case stateReserved:
		return entry.UseReserved
	case stateAnnulled:
		return entry.UseAnnulled
	case stateUncertain:
		return entry.UseUncertain
	case stateReturned:
		return entry.UseReturned
	}
	return entry.UseCommitted
}

// standing is how many uses count.
func (r *useRecord) standing() (n uint) {
	for _, u := range r.Uses {
		if u.State.entry().Stands() {
			n++
		}
	}
	return n
}

func (r *useRecord) find(seq uint64) *useEntry {
	for i := range r.Uses {
		if r.Uses[i].Seq == seq {
			return &r.Uses[i]
		}
	}
	return nil
}

// giveBack marks the newest use that stands as returned, and tells whether there was one. Of a guest who is at a gate now
// nobody knows yet. A pass may come and go for years: of what it got back the newest is kept, and events tell the rest.
func (r *useRecord) giveBack() bool {
	newest := -1
	for i, u := range r.Uses {
		if u.State == stateCommitted || u.State == stateUncertain {
			newest = i
		}
	}
	if newest < 0 {
		return false
	}
	seq := r.Uses[newest].Seq
	r.Uses = slices.DeleteFunc(r.Uses, func(u useEntry) bool { return u.State == stateReturned })
	r.find(seq).State = stateReturned
	return true
}

// keepUntil moves the expiry later, never earlier: a pass may have been issued again with another one.
func (r *useRecord) keepUntil(t time.Time) {
	expires := int64(never)
	if !t.IsZero() {
		expires = t.Unix()
	}
	r.Expires = max(r.Expires, expires)
}

func (r *useRecord) past() []entry.PastUse {
	if r == nil || len(r.Uses) == 0 {
		return nil
	}
	past := make([]entry.PastUse, len(r.Uses))
	for i, u := range r.Uses {
		past[i] = entry.PastUse{Seq: u.Seq, At: time.UnixMicro(u.At).UTC(), Lane: u.Lane, State: u.State.entry()}
	}
	return past
}

// readUses reads the record of a pass; of a pass that was never used it is empty.
func (l *Ledger) readUses(tx *bbolt.Tx, pass entry.PassHash) (*useRecord, error) {
	body, err := find(tx.Bucket(useBucket).Cursor(), pass[:])
	if err != nil {
		return nil, l.file.damaged(err)
	}
	record := &useRecord{}
	if body != nil && storedCBOR.Unmarshal(body, record) != nil {
		return nil, l.file.damaged("the uses of a pass cannot be read")
	}
	return record, nil
}

func (l *Ledger) decodeUses(key, sealed []byte) (*useRecord, error) {
	record := &useRecord{}
	body, err := unseal(key, sealed)
	if err != nil || len(key) != len(entry.PassHash{}) || storedCBOR.Unmarshal(body, record) != nil {
		return nil, l.file.damaged("the uses of a pass cannot be read")
	}
	return record, nil
}

func writeUses(tx *bbolt.Tx, pass entry.PassHash, r *useRecord) error {
	body, err := deterministicCBOR.Marshal(r)
	if err != nil {
		return fmt.Errorf("cache: encode the uses of a pass: %w", err)
	}
	return tx.Bucket(useBucket).Put(pass[:], seal(pass[:], body))
}

// find looks a key up and returns the value within its seal, or nil when the key is absent. Absence is not believed
// blindly, because a flipped bit in a key hides it: both neighbours must lie where they belong and be whole.
func find(c *bbolt.Cursor, key []byte) ([]byte, error) {
	at, sealed := c.Seek(key)
	if at != nil {
		body, err := unseal(at, sealed)
		order := bytes.Compare(at, key)
		if err != nil || order == 0 {
			return body, err
		}
		if order < 0 {
			return nil, errKeyOrder
		}
		at, sealed = c.Prev()
	} else {
		at, sealed = c.Last()
	}
	if at == nil {
		return nil, nil
	}
	if bytes.Compare(at, key) >= 0 {
		return nil, errKeyOrder
	}
	_, err := unseal(at, sealed)
	return nil, err
}

// The encodings of what is stored: one form for one value, and bounded when it is read back.
var (
	deterministicCBOR = mustEnc(cbor.EncOptions{
		Sort: cbor.SortBytewiseLexical, ShortestFloat: cbor.ShortestFloatNone, NaNConvert: cbor.NaNConvertReject,
		InfConvert: cbor.InfConvertReject, IndefLength: cbor.IndefLengthForbidden, Time: cbor.TimeUnixMicro,
	})
	storedCBOR = mustDec(cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden})
)

// mustEnc panics on options that contradict each other, which no input can cause.
func mustEnc(o cbor.EncOptions) cbor.EncMode {
	m, err := o.EncMode()
	if err != nil {
		panic(err)
	}
	return m
}

func mustDec(o cbor.DecOptions) cbor.DecMode {
	m, err := o.DecMode()
	if err != nil {
		panic(err)
	}
	return m
}
