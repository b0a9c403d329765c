// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package scanner

import (
	"bytes"
	"time"
)

// MaxFrame is the longest code that is delivered, in bytes.
const MaxFrame = 4096

// Frame is what a Framer found on the line: a code, or the notice that one was too long.
type Frame struct {
	Code      string    // as in Scan; "" where Oversized
	Symbology string    // as in Scan
	Raw       string    // the code with what the scanner put around it, without CR or LF; "" where Oversized
	End       byte      // the CR or LF that ended it; 0 is an idle gap
	At        time.Time // of the read that brought the last byte
	Oversized bool      // a code of more than MaxFrame bytes began; its bytes are dropped to its end
}

// Framer cuts the bytes of a serial line into frames; each protocol is one. It is told the time, does no
// I/O, is used by one goroutine and for one connection. It keeps none of the bytes it is fed by reference.
type Framer interface {
	// Feed takes bytes that were read at that moment, in any portions, and calls found for each frame
	// that they end, in order.
	Feed(p []byte, at time.Time, found func(Frame))
	// Idle tells that nothing was there to be read at that moment.
	Idle(at time.Time, found func(Frame))
}

// Text frames the plain text that scanners send as they leave the factory: a code, then CR, LF, CR LF or
// nothing but an idle gap.
//
// CR and LF are taken off and nothing else: base45 holds spaces, and control or non-ASCII bytes are for
// whoever reads the code to refuse. Empty frames are ignored. Of a frame beyond MaxFrame one Oversized is
// reported and its bytes are dropped up to the next CR, LF or idle gap. AIM identifiers and ECI prefixes
// are taken off as unwrap describes.
//
// Only Idle ends a frame by time. Bytes that come late are never taken for a new frame by Feed: it may be
// this program that was late to read them.
type Text struct {
	gap     time.Duration
	buf     []byte
	last    time.Time // of the last byte of a frame that has not ended
	discard bool      // the frame is oversized and has not ended
}

// NewText makes a Text that ends a frame after gap without a byte.
func NewText(gap time.Duration) *Text {
	return &Text{gap: gap, buf: make([]byte, 0, MaxFrame)}
}

// Feed implements Framer.
func (t *Text) Feed(p []byte, at time.Time, found func(Frame)) {
	for len(p) > 0 {
		end := terminator(p)
		if end < 0 {
			t.take(p, at, found)
			return
		}
		t.take(p[:end], at, found)
		t.end(at, p[end], found)
		p = p[end+1:]
	}
}

// terminator returns the index of the first CR or LF, or -1.
func terminator(p []byte) int {
	cr := bytes.IndexByte(p, '\r')
	if cr >= 0 {
		p = p[:cr]
	}
	if lf := bytes.IndexByte(p, '\n'); lf >= 0 {
		return lf
	}
	return cr
}

// Idle implements Framer.
func (t *Text) Idle(at time.Time, found func(Frame)) {
	if (len(t.buf) > 0 || t.discard) && at.Sub(t.last) >= t.gap {
		t.end(t.last, 0, found)
	}
}

// take adds bytes without CR or LF to the frame.
func (t *Text) take(p []byte, at time.Time, found func(Frame)) {
	if len(p) == 0 {
		return
	}
	t.last = at
	if t.discard {
		return
	}
	if len(t.buf)+len(p) > MaxFrame {
		t.buf, t.discard = t.buf[:0], true
		found(Frame{At: at, Oversized: true})
		return
	}
	t.buf = append(t.buf, p...)
}

// end ends the frame, whose last byte came at that moment, by a terminator or 0.
func (t *Text) end(at time.Time, by byte, found func(Frame)) {
	raw := string(t.buf)
	code, symbology := unwrap(raw)
	t.buf, t.discard = t.buf[:0], false
	if code != "" {
		found(Frame{Code: code, Symbology: symbology, Raw: raw, End: by, At: at})
	}
}
