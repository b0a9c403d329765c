// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"crypto/sha256"
	"math"
)

// COSE header labels (RFC 9052, section 3.1) and CBOR tags (RFC 9052, section 2; RFC 8392, section 6).
const (
	headerAlgorithm = 1
	headerCritical  = 2
	headerKeyID     = 4

	tagSign1 = 18
	tagCWT   = 61
)

// envelope is a COSE_Sign1 (RFC 9052, section 4.2) taken apart.
type envelope struct {
	protected []byte    // the bytes as they were signed
	payload   []byte    // never nil: a detached payload is refused
	signature []byte    // not empty
	algorithm Algorithm // 0 where the header names none
	kid       []byte    // nil where the header names none
}

// header is what is read of one of the two header maps.
type header struct {
	algorithm Algorithm
	kid       []byte
	others    bool // it holds more than a kid
}

// openEnvelope takes a COSE_Sign1 apart. In the wild the kid is found in either header; the protected one
// wins. Strict wants deterministic encoding, the kid in one place and the algorithm in the protected header.
func openEnvelope(b []byte, strict bool) (e envelope, err error) {
	d := &decoder{buf: b, strict: strict}
	openTags(d)
	if h := d.expect(majorArray, "not a COSE_Sign1"); !h.indefinite() && h.n != 4 || h.indefinite() {
		d.fail("not a COSE_Sign1")
	}
	e.protected = d.bytes()
	var outer, inner header
	if len(e.protected) > 0 {
		p := &decoder{buf: e.protected, strict: strict}
		inner = readHeader(p)
		if err := p.end(); err != nil && d.err == nil {
			d.err = err
		}
	}
	outer = readHeader(d)
	e.payload = d.bytes()
	e.signature = d.bytes()
	if len(e.signature) == 0 {
		d.fail("no signature")
	}
	if strict && (inner.algorithm == 0 || outer.others || inner.kid != nil && outer.kid != nil) {
		d.fail("unsigned headers where signed ones are due")
	}
	e.algorithm, e.kid = inner.algorithm, inner.kid
	if e.algorithm == 0 {
		e.algorithm = outer.algorithm
	}
	if e.kid == nil {
		e.kid = outer.kid
	}
	return e, d.end()
}

// openTags takes the tags [18], [61 18] or none: libraries write a CWT in each of these ways, and all say the
// same (RFC 8392, sections 6 and 7.2).
func openTags(d *decoder) {
	if d.peek() != majorTag {
		return
	}
	tag := d.head().n
	if tag == tagCWT {
		tag = d.expect(majorTag, "no COSE_Sign1 tag").n
	}
	if tag != tagSign1 {
		d.fail("not a COSE_Sign1 tag")
	}
}

func readHeader(d *decoder) (h header) {
	m := d.pairs()
	for m.next() {
		switch {
		case m.isText:
			h.others = true
			d.skip()
		case m.number == headerAlgorithm:
			h.others = true
			n := d.integer()
			if n == 0 || n < math.MinInt32 || n > math.MaxInt32 {
				d.fail("an impossible algorithm")
			}
			h.algorithm = Algorithm(n)
		case m.number == headerCritical:
			d.fail("critical headers, and none is understood")
		case m.number == headerKeyID:
			if h.kid = d.bytes(); len(h.kid) > maxKeyID {
				d.fail("a key identifier of more than 64 bytes")
			}
		default:
			h.others = true
			d.skip()
		}
	}
	return h
}

// toBeSigned appends the Sig_structure of RFC 9052, section 4.4, with no external data, to b.
func (e *envelope) toBeSigned(b []byte) []byte {
	b = append(b, "\x84\x6aSignature1"...)
	b = appendBytes(b, e.protected)
	b = appendBytes(b, nil)
	return appendBytes(b, e.payload)
}

// usualToBeSigned is room on the stack for all but a long Sig_structure.
const usualToBeSigned = 1024

// seal is the inverse of openEnvelope in its strict form, for a header that is {alg, kid}.
func (e *envelope) seal() []byte {
	b := appendHead(nil, majorTag, tagSign1)
	b = appendHead(b, majorArray, 4)
	b = appendBytes(b, e.protected)
	b = appendHead(b, majorMap, 0)
	b = appendBytes(b, e.payload)
	return appendBytes(b, e.signature)
}

// protectedHeader encodes {1: alg, 4: kid}.
func protectedHeader(a Algorithm, kid []byte) []byte {
	b := appendHead(nil, majorMap, 2)
	b = appendInt(appendInt(b, headerAlgorithm), int64(a))
	return appendBytes(appendInt(b, headerKeyID), kid)
}

// payloadHash is the identity of a pass that has no identifier of its own.
func (e *envelope) payloadHash() []byte {
	sum := sha256.Sum256(e.payload)
	return sum[:]
}
