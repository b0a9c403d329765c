// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

const hc1Prefix = "HC1:"

// claimHealth holds the certificate of a DCC ("hcert", Digital Green Certificates volume 3, section 3).
const (
	claimHealth = -260
	healthEUv1  = 1
)

// Test results of a DCC (SNOMED CT).
const (
	snomedNotDetected = "260415000"
	snomedDetected    = "260373001"
)

// decodeHC1 reads an EU Digital COVID Certificate: base45 of zlib of a COSE_Sign1 over a CWT with iss,
// iat, exp and the certificate. CBOR need not be deterministic, times may be floats and a group that
// is absent may be null, for all of these are in use. Required are exp, a name, dob, ver and exactly one
// entry in exactly one of v, t and r (DCC schema 1.3.0). The dates in which a recovery claims
// to count (df, du) are a matter of rules and are not looked at.
func decodeHC1(body string) (*statement, error) {
	b, err := decodeBase45(body)
	if err != nil {
		return nil, err
	}
	if b, err = inflate(b); err != nil {
		return nil, err
	}
	return openStatement(b, false, (*statement).readHC1)
}

func (s *statement) readHC1(payload []byte) error {
	d := &decoder{buf: payload}
	p := &s.pass
	p.Format, p.Kind = HC1, KindHealth
	var c certificate
	m := d.pairs()
	for m.next() {
		if m.isText {
			d.skip()
			continue
		}
		switch m.number {
		case claimIssuer:
			p.revocation.country = string(d.looseText())
		case claimExpires:
			p.Expires = d.looseTime()
		case claimNotBefore:
			p.NotBefore = d.looseTime()
		case claimIssued:
			p.Issued = d.looseTime()
		case claimHealth:
			h := d.pairs()
			for h.next() {
				if !h.isText && h.number == healthEUv1 {
					c.read(d)
				} else {
					d.skip()
				}
			}
		default:
			d.skip()
		}
	}
	if err := d.end(); err != nil {
		return err
	}
	if p.Expires.IsZero() {
		return errors.New("no exp")
	}
	if err := c.check(); err != nil {
		return err
	}
	s.usage = c.usage
	p.Level, p.Since, p.Holder = c.level(), parseDate(c.entry.date), c.holder()
	p.revocation.uci = string(c.entry.uci)
	if p.ID = bytes.Clone(c.entry.uci); len(p.ID) == 0 {
		p.ID = s.cose.payloadHash()
	}
	return nil
}

// certificate is the part of a DCC that a decision needs. Its texts are part of the decoded code and
// must not outlive it: names and birth date leave only as a digest.
type certificate struct {
	versioned bool
	names     [4][]byte // fnt, gnt, fn, gn
	birth     []byte
	born      bool // dob is there, which may be empty
	usage     DCCUsage
	entries   int
	entry     entry
}

type entry struct {
	uci, date, result []byte
	dose, doses       int64
	dosed             int // how many of dn and sd were there
}

func (c *certificate) read(d *decoder) {
	m := d.pairs()
	for m.next() {
		switch string(m.text) {
		case "ver":
			c.versioned = len(d.looseText()) > 0
		case "dob":
			c.birth, c.born = d.looseText(), true
		case "nam":
			c.readName(d)
		case "v":
			c.readGroup(d, DCCVaccination, "dt")
		case "t":
			c.readGroup(d, DCCTest, "sc")
		case "r":
			c.readGroup(d, DCCRecovery, "fr")
		default:
			d.skip()
		}
	}
}

func (c *certificate) readName(d *decoder) {
	m := d.pairs()
	for m.next() {
		switch string(m.text) {
		case "fnt":
			c.names[0] = d.looseText()
		case "gnt":
			c.names[1] = d.looseText()
		case "fn":
			c.names[2] = d.looseText()
		case "gn":
			c.names[3] = d.looseText()
		default:
			d.skip()
		}
	}
}

// readGroup reads v, t or r, whose entries date from the given member. A group that is null or
// empty is not there.
func (c *certificate) readGroup(d *decoder, usage DCCUsage, date string) {
	if d.peek() == majorOther {
		if h := d.other(); h.info != simpleNull {
			d.fail("a group that is no array")
		}
		return
	}
	l := d.array()
	for l.next() {
		c.usage |= usage
		c.entries++
		c.entry.read(d, date)
	}
}

func (e *entry) read(d *decoder, date string) {
	m := d.pairs()
	for m.next() {
		switch string(m.text) {
		case "ci":
			e.uci = d.looseText()
		case "tr":
			e.result = d.looseText()
		case "dn":
			e.dose = e.count(d)
		case "sd":
			e.doses = e.count(d)
		default:
			if string(m.text) == date {
				e.date = d.looseText()
			} else {
				d.skip()
			}
		}
	}
}

func (e *entry) count(d *decoder) int64 {
	n, ok := d.looseInteger()
	if ok {
		e.dosed++
	}
	return n
}

func (c *certificate) check() error {
	switch {
	case c.entries == 0:
		return errors.New("no vaccination, test or recovery")
	case c.entries > 1:
		return errors.New("more than one vaccination, test or recovery")
	case !c.versioned:
		return errors.New("no ver")
	case !c.born:
		return errors.New("no dob")
	case len(c.names[0])+len(c.names[1])+len(c.names[2])+len(c.names[3]) == 0:
		return errors.New("no name")
	}
	return nil
}

// level is "" for a test result that is neither positive nor negative and for doses that make no
// sense, so that no rule takes them for something else.
func (c *certificate) level() string {
	switch e := &c.entry; {
	case c.usage == DCCRecovery:
		return LevelRecovered
	case c.usage == DCCTest && string(e.result) == snomedNotDetected:
		return LevelNegative
	case c.usage == DCCTest && string(e.result) == snomedDetected:
		return LevelPositive
	case c.usage != DCCVaccination || e.dosed != 2:
		return ""
	case e.dose < e.doses:
		return LevelPartial
	case e.doses < 1:
		return ""
	}
	return LevelVaccinated
}

// holder is a digest of the transliterated name (ICAO 9303, which countries write alike), or of the
// name itself where that is missing, and of the birth date; it lives in memory only, to compare two passes
// of one entry.
func (c *certificate) holder() []byte {
	family, given := c.names[0], c.names[1]
	if len(family)+len(given) == 0 {
		family, given = c.names[2], c.names[3]
	}
	var room [256]byte
	b := room[:0]
	for _, part := range [][]byte{family, given, c.birth} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	sum := sha256.Sum256(b)
	return sum[:]
}
