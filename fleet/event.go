// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"

	"gatehouse/entry"
)

// EncodeEvent writes an event as a ledger keeps it and a collector gets it: deterministic CBOR (RFC 8949, section 4.2) with
// the time in microseconds, without its number.
func EncodeEvent(ev *entry.Event) ([]byte, error) {
	body, err := eventEncoding.Marshal(ev)
	if err != nil {
		return nil, fmt.Errorf("fleet: encode an event: %w", err)
	}
	return body, nil
}

// DecodeEvent reads what EncodeEvent wrote. Fields that this version does not know are left: a newer kiosk says more.
func DecodeEvent(seq uint64, body []byte) (ev entry.Event, err error) {
	if err := eventDecoding.Unmarshal(body, &ev); err != nil {
		return entry.Event{}, fmt.Errorf("%w: an event: %w", ErrMalformed, err)
	}
	ev.Seq = seq
	if !ev.At.IsZero() {
		// Seconds as a float come back a fraction of a microsecond off.
		ev.At = ev.At.Round(time.Microsecond).UTC()
	}
	return ev, nil
}

// The two modes are immutable.
var (
	eventEncoding = mustEnc(cbor.EncOptions{
		Sort: cbor.SortBytewiseLexical, ShortestFloat: cbor.ShortestFloatNone, NaNConvert: cbor.NaNConvertReject,
		InfConvert: cbor.InfConvertReject, IndefLength: cbor.IndefLengthForbidden, Time: cbor.TimeUnixMicro,
	})
	eventDecoding = mustDec(cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden})
)

func mustEnc(o cbor.EncOptions) cbor.EncMode {
	m, err := o.EncMode()
	if err != nil {
		panic(err) // options are constants
	}
	return m
}

func mustDec(o cbor.DecOptions) cbor.DecMode {
	m, err := o.DecMode()
	if err != nil {
		panic(err) // options are constants
	}
	return m
}
