// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"math"
	"time"
)

// What issuers of DCCs write where the schema wants a text, an integer or a whole number of seconds.
// All of it is signed, so that taking it in the sense it plainly has costs nothing.

const (
	tagDateText = 0
	tagEpoch    = 1
)

// looseText reads a text, also behind a tag; anything else is passed over and read as empty.
func (d *decoder) looseText() []byte {
	if d.peek() == majorTag {
		if d.head().n != tagDateText {
			d.skip()
			return nil
		}
	}
	if d.peek() != majorText {
		d.skip()
		return nil
	}
	return d.text()
}

// looseInteger reads an integer or a float that is one; anything else is passed over.
func (d *decoder) looseInteger() (n int64, ok bool) {
	switch d.peek() {
	case majorUint, majorNint:
		return d.integer(), true
	case majorOther:
		f, ok := d.float()
		if !ok || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return 0, false
		}
		return int64(f), true
	}
	d.skip()
	return 0, false
}

// looseTime reads seconds since 1970 as an integer or a finite float, also behind tag 1. What lies
// outside the years 1 to 9999 becomes the nearest time inside.
func (d *decoder) looseTime() time.Time {
	if d.peek() == majorTag {
		if d.head().n != tagEpoch {
			d.fail("a time of unknown type")
		}
	}
	var sec, frac float64
	switch d.peek() {
	case majorUint, majorNint:
		h := d.head()
		sec = float64(h.n)
		if h.major == majorNint {
			sec = -1 - sec
		}
	default:
		f, ok := d.float()
		if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
			d.fail("a time that is no number")
			return time.Time{}
		}
		sec = math.Floor(f)
		frac = f - sec
	}
	const first = -62135596799
	sec = min(max(sec, first), maxSeconds)
	return time.Unix(int64(sec), int64(frac*1e9)).UTC()
}

// float reads a float of 16, 32 or 64 bits; of other simple values ok is false.
func (d *decoder) float() (f float64, ok bool) {
	if d.peek() != majorOther {
		d.skip()
		return 0, false
	}
	switch h := d.other(); h.info {
	case info16:
		return half(uint16(h.n)), d.err == nil
	case info32:
		return float64(math.Float32frombits(uint32(h.n))), d.err == nil
	case info64:
		return math.Float64frombits(h.n), d.err == nil
	}
	return 0, false
}

// half widens a float of 16 bits (RFC 8949, appendix D).
func half(b uint16) float64 {
	exp, mant := int(b>>10&31), float64(b&1023)
	var f float64
	switch exp {
	case 0:
		f = math.Ldexp(mant, -24)
	case 31:
		if f = math.Inf(1); mant != 0 {
			return math.NaN()
		}
	default:
		f = math.Ldexp(mant+1024, exp-25)
	}
	if b>>15 != 0 {
		return -f
	}
	return f
}

// dateLayouts are the dates found in certificates; where one length has several, the likely one first.
var dateLayouts = [...]struct {
	shortest, longest int
	layout            string
}{
	{10, 10, time.DateOnly},
	{20, 35, time.RFC3339}, // any fraction of a second is taken too
	{19, 29, "2006-01-02T15:04:05"},
	{22, 34, "2006-01-02T15:04:05Z07"},
	{24, 34, "2006-01-02T15:04:05Z0700"},
	{16, 16, "2006-01-02T15:04"},
	{17, 22, "2006-01-02T15:04Z07:00"},
	{7, 7, "2006-01"},
	{4, 4, "2006"},
}

// parseDate returns the earliest moment that the text can mean, so that an age is never taken too
// small by more than a time zone; without a zone it is read as UTC. Zero is unknown.
func parseDate(b []byte) time.Time {
	for _, l := range dateLayouts {
		if len(b) < l.shortest || len(b) > l.longest {
			continue
		}
		if t, err := time.Parse(l.layout, string(b)); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
