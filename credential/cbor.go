// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"bytes"
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

// The major types of CBOR (RFC 8949, section 3.1).
const (
	majorUint  = 0
	majorNint  = 1
	majorBytes = 2
	majorText  = 3
	majorArray = 4
	majorMap   = 5
	majorTag   = 6
	majorOther = 7
)

// Bounds of what is read. The largest real certificate has 3 levels below its claims and 13 pairs in a map.
const (
	maxDepth = 12
	maxPairs = 64
	maxItems = 1024
)

// The additional information of a head (RFC 8949, section 3).
const (
	info8, info16, info32, info64 = 24, 25, 26, 27
	infoIndefinite                = 31
	simpleNull                    = 22
	cborBreak                     = 0xff
)

// decoder pulls items out of CBOR, within the bounds above and with map keys that are integers or
// texts, none twice. Its first error sticks: later calls return zero values, so that a caller
// asks once, at the end.
//
// A strict decoder accepts the core deterministic encoding only (RFC 8949, section 4.2.1), and of
// the simple values only false, true and null; tags are for the caller to expect.
type decoder struct {
	buf    []byte
	pos    int
	depth  int
	items  int
	strict bool
	err    error
}

// head is the start of an item: for major type 7 n holds the raw bits of a float or the simple value.
type head struct {
	major, info byte
	n           uint64
}

func (h head) indefinite() bool { return h.info == infoIndefinite }

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = errors.New(what)
	}
}

// end reports the first error, or that something is left over.
func (d *decoder) end() error {
	if d.err == nil && d.pos != len(d.buf) {
		return errTrailing
	}
	return d.err
}

// peek returns the major type of the next item.
func (d *decoder) peek() byte {
	if d.err != nil || d.pos >= len(d.buf) {
		d.fail("ends early")
		return majorOther
	}
	return d.buf[d.pos] >> 5
}

func (d *decoder) head() (h head) {
	if d.items++; d.items > maxItems {
		d.fail("too many items")
	}
	if d.err != nil || d.pos >= len(d.buf) {
		d.fail("ends early")
		return head{major: majorOther, info: simpleNull}
	}
	b := d.buf[d.pos]
	d.pos++
	h = head{major: b >> 5, info: b & 31, n: uint64(b & 31)}
	switch {
	case h.info < info8:
	case h.info <= info64:
		size := 1 << (h.info - info8)
		if len(d.buf)-d.pos < size {
			d.fail("ends early")
			return h
		}
		h.n = 0
		for _, c := range d.buf[d.pos : d.pos+size] {
			h.n = h.n<<8 | uint64(c)
		}
		d.pos += size
		if d.strict && h.major != majorOther && !h.shortest() {
			d.fail("not the shortest encoding")
		}
	case h.info == infoIndefinite && !d.strict && h.major >= majorBytes && h.major <= majorMap:
	default:
		d.fail("a reserved or indefinite head")
	}
	return h
}

func (h head) shortest() bool {
	switch h.info {
	case info8:
		return h.n >= info8
	case info16:
		return h.n >= 1<<8
	case info32:
		return h.n >= 1<<16
	case info64:
		return h.n >= 1<<32
	}
	return true
}

// expect reads a head of that major type.
func (d *decoder) expect(major byte, what string) head {
	h := d.head()
	if h.major != major {
		d.fail(what)
	}
	return h
}

// integer reads an integer of 64 bits with sign.
func (d *decoder) integer() int64 {
	h := d.head()
	if h.major > majorNint || h.n > 1<<63-1 {
		d.fail("not an integer")
	}
	if d.err != nil {
		return 0
	}
	if h.major == majorNint {
		return -1 - int64(h.n)
	}
	return int64(h.n)
}

// unsigned reads an integer that is not negative.
func (d *decoder) unsigned() uint64 { return d.expect(majorUint, "not an unsigned integer").n }

// bytes reads a byte string; the result may be part of the buffer.
func (d *decoder) bytes() []byte {
	return d.stringOf(d.expect(majorBytes, "not a byte string"))
}

// text reads a text string as its bytes, which are valid UTF-8; they may be part of the buffer.
func (d *decoder) text() []byte {
	return d.stringOf(d.expect(majorText, "not a text"))
}

func (d *decoder) stringOf(h head) []byte {
	var s []byte
	if h.indefinite() {
		for !d.atBreak() {
			c := d.expect(h.major, "a chunk of another type")
			if c.indefinite() {
				d.fail("a chunk of indefinite length")
			}
			s = append(s, d.take(c.n)...)
		}
	} else {
		s = d.take(h.n)
	}
	if h.major == majorText && !utf8.Valid(s) {
		d.fail("a text that is not UTF-8")
	}
	if d.err != nil {
		return nil
	}
	return s
}

func (d *decoder) take(n uint64) []byte {
	if d.err != nil || n > uint64(len(d.buf)-d.pos) {
		d.fail("ends early")
		return nil
	}
	d.pos += int(n)
	return d.buf[d.pos-int(n) : d.pos : d.pos]
}

// atBreak consumes the end of an indefinite item; it is true after an error too, so that loops end.
func (d *decoder) atBreak() bool {
	if d.err != nil || d.pos >= len(d.buf) {
		d.fail("ends early")
		return true
	}
	if d.buf[d.pos] == cborBreak {
		d.pos++
		return true
	}
	return false
}

func (d *decoder) enter() {
	if d.depth++; d.depth > maxDepth {
		d.fail("nested too deeply")
	}
}

// list walks an array: l := d.array(), then for l.next() { read one item }.
type list struct {
	d     *decoder
	left  uint64
	until bool // the break, rather than left
}

func (d *decoder) array() list {
	h := d.expect(majorArray, "not an array")
	d.enter()
	return list{d: d, left: h.n, until: h.indefinite()}
}

func (l *list) next() bool {
	if l.d.err != nil {
		return false
	}
	if l.until && l.d.atBreak() || !l.until && l.left == 0 {
		l.d.depth--
		return false
	}
	l.left--
	return true
}

// pairs walks a map: m := d.pairs(), then for m.next() { read the value of m's key }. Declared in the
// for statement it would be copied for each turn.
type pairs struct {
	list
	isText bool
	text   []byte         // the key, if it is a text
	number int64          // the key, if it is an integer
	keys   [maxPairs]span // of a strict decoder only the last one
	count  int
	marks  uint64 // of the keys so far, a bit each: a new mark is a new key
}

// span is a part of the decoder's buffer.
type span struct{ start, end uint32 }

func (d *decoder) pairs() pairs {
	h := d.expect(majorMap, "not a map")
	d.enter()
	return pairs{list: list{d: d, left: h.n, until: h.indefinite()}}
}

func (m *pairs) next() bool {
	if !m.list.next() {
		return false
	}
	d, start := m.d, m.d.pos
	m.isText = d.peek() == majorText
	m.text, m.number = nil, 0
	// A key has one encoding even where values have several, so that equal keys are equal bytes.
	strict := d.strict
	d.strict = true
	if m.isText {
		m.text = d.text()
	} else {
		m.number = d.integer()
	}
	d.strict = strict
	if m.count == maxPairs {
		d.fail("a map of too many pairs")
	}
	if d.err != nil {
		return false
	}
	m.admit(span{uint32(start), uint32(d.pos)})
	return d.err == nil
}

// admit refuses a key that is there already or, of a strict decoder, out of order.
func (m *pairs) admit(at span) {
	d := m.d
	key := d.buf[at.start:at.end]
	if d.strict {
		if last := m.keys[0]; m.count > 0 && bytes.Compare(d.buf[last.start:last.end], key) >= 0 {
			d.fail("map keys out of order or twice")
		}
		m.keys[0] = at
	} else {
		mark := uint64(1) << ((key[0] + 5*key[len(key)/2] + key[len(key)-1]) & 63)
		if m.marks&mark != 0 {
			for _, k := range m.keys[:m.count] {
				if bytes.Equal(d.buf[k.start:k.end], key) {
					d.fail("a map key twice")
				}
			}
		}
		m.marks |= mark
		m.keys[m.count] = at
	}
	m.count++
}

// skip checks the next item and passes over it.
func (d *decoder) skip() {
	switch d.peek() {
	case majorUint, majorNint:
		d.head()
	case majorBytes, majorText:
		d.stringOf(d.head())
	case majorArray:
		l := d.array()
		for l.next() {
			d.skip()
		}
	case majorMap:
		m := d.pairs()
		for m.next() {
			d.skip()
		}
	case majorTag:
		d.head()
		if d.strict {
			d.fail("a tag")
		}
		d.enter()
		d.skip()
		d.depth--
	case majorOther:
		d.other()
	}
}

// other reads a simple value or a float.
func (d *decoder) other() head {
	h := d.head()
	switch {
	case d.strict && (h.info < 20 || h.info > simpleNull):
		d.fail("a float or an unknown simple value")
	case h.info == info8 && h.n < 32:
		d.fail("a malformed simple value")
	}
	return h
}

// appendHead appends the shortest head of an item (RFC 8949, section 4.2.1).
func appendHead(b []byte, major byte, n uint64) []byte {
	m := major << 5
	switch {
	case n < info8:
		return append(b, m|byte(n))
	case n < 1<<8:
		return append(b, m|info8, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, m|info16), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, m|info32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, m|info64), n)
}

func appendInt(b []byte, n int64) []byte {
	if n < 0 {
		return appendHead(b, majorNint, uint64(-(n + 1)))
	}
	return appendHead(b, majorUint, uint64(n))
}

func appendText(b []byte, s string) []byte {
	return append(appendHead(b, majorText, uint64(len(s))), s...)
}

func appendBytes(b, s []byte) []byte {
	return append(appendHead(b, majorBytes, uint64(len(s))), s...)
}
