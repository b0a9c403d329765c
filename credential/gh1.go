// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"bytes"
	"time"
)

const gh1Prefix = "GH1:"

// The claims of a Gatehouse pass. The first six are those of a CWT (RFC 8392, section 4), status is
// registered by draft-ietf-oauth-status-list, the rest are private (RFC 8392, section 9.1.1).
const (
	claimIssuer    = 1
	claimExpires   = 4
	claimNotBefore = 5
	claimIssued    = 6
	claimID        = 7
	claimStatus    = 65535
	claimKind      = -70001
	claimScope     = -70002
	claimUses      = -70003
	claimLevel     = -70004
	claimGrant     = -70005
	claimHolder    = -70006
)

// Bounds of the claims.
const (
	minPassID, maxPassID = 8, 16
	holderSize           = 16
	maxWord              = 32 // kind, level, grant
	maxScopes            = 32
	maxStatusURI         = 256
	maxUses              = 1<<31 - 1
	maxSeconds           = 253402300799 // 9999-12-31T23:59:59Z
)

// decodeGH1 reads a Gatehouse pass.
//
// It is base45 of a COSE_Sign1, which may bear the tags [18], [61 18] or none, as any CWT. What is inside
// the tags has one encoding: deterministic CBOR (RFC 8949, section 4.2.1), the algorithm in the protected
// header, and the kid there (or alone in the unprotected one).
// Claims iss, exp and cti are required. Claims that are not known here are passed over, so that
// issuers can add their own; a status of a mechanism that is not known is refused, for the pass
// could not be checked for revocation. Floats and tags occur nowhere.
func decodeGH1(body string) (*statement, error) {
	b, err := decodeBase45(body)
	if err != nil {
		return nil, err
	}
	return openStatement(b, true, (*statement).readGH1)
}

func (s *statement) readGH1(payload []byte) error {
	d := &decoder{buf: payload, strict: true}
	p := &s.pass
	p.Format = GH1
	m := d.pairs()
	for m.next() {
		if m.isText {
			d.skip()
			continue
		}
		switch m.number {
		case claimIssuer:
			s.issuer = d.word(maxIssuer, "iss")
		case claimExpires:
			p.Expires = d.seconds()
		case claimNotBefore:
			p.NotBefore = d.seconds()
		case claimIssued:
			p.Issued = d.seconds()
			p.Since = p.Issued
		case claimID:
			if p.ID = bytes.Clone(d.bytes()); len(p.ID) < minPassID || len(p.ID) > maxPassID {
				d.fail("cti has not 8 to 16 bytes")
			}
		case claimKind:
			p.Kind = d.word(maxWord, "kind")
		case claimScope:
			p.Scope = d.scope()
		case claimUses:
			n := d.unsigned()
			if n == 0 || n > maxUses {
				d.fail("uses is out of range")
			}
			p.Uses = uint(n)
		case claimLevel:
			p.Level = d.word(maxWord, "level")
		case claimGrant:
			p.Grant = d.word(maxWord, "grant")
		case claimHolder:
			if p.Holder = bytes.Clone(d.bytes()); len(p.Holder) != holderSize {
				d.fail("holder has not 16 bytes")
			}
		case claimStatus:
			p.Status = d.status()
		default:
			d.skip()
		}
	}
	switch {
	case d.err != nil:
	case s.issuer == "":
		d.fail("no iss")
	case p.ID == nil:
		d.fail("no cti")
	case p.Expires.IsZero():
		d.fail("no exp")
	}
	return d.end()
}

// word reads a text of 1 to limit bytes.
func (d *decoder) word(limit int, claim string) string {
	t := d.text()
	if len(t) == 0 || len(t) > limit {
		d.fail(claim + " is empty or too long")
	}
	return string(t)
}

// seconds reads a time in whole seconds; 0 cannot be told from an absent time and is refused.
func (d *decoder) seconds() time.Time {
	n := d.unsigned()
	if n == 0 || n > maxSeconds {
		d.fail("a time out of range")
		return time.Time{}
	}
	return time.Unix(int64(n), 0).UTC()
}

func (d *decoder) scope() (scope []string) {
	l := d.array()
	for l.next() {
		s := string(d.text())
		if !validScope(s) || len(scope) == maxScopes {
			d.fail("scope is not up to 32 times venue or venue/zone")
		}
		scope = append(scope, s)
	}
	if len(scope) == 0 {
		d.fail("scope is empty; leave it out instead")
	}
	return scope
}

func (d *decoder) status() (ref *StatusRef) {
	m := d.pairs()
	for m.next() {
		if string(m.text) == "status_list" {
			ref = d.statusList()
		} else {
			d.skip()
		}
	}
	if ref == nil {
		d.fail("status has no status_list")
	}
	return ref
}

func (d *decoder) statusList() *StatusRef {
	ref, indexed := new(StatusRef), false
	m := d.pairs()
	for m.next() {
		switch string(m.text) {
		case "idx":
			ref.Index, indexed = d.unsigned(), true
		case "uri":
			ref.URI = d.word(maxStatusURI, "uri of the status list")
		default:
			d.skip()
		}
	}
	if !indexed || ref.URI == "" {
		d.fail("status_list needs idx and uri")
	}
	return ref
}

// encodeGH1 writes the claims in the bytewise order of their encoded keys (RFC 8949, section 4.2.1).
func encodeGH1(issuer string, c *Claims) []byte {
	b, n := []byte(nil), uint64(0)
	key := func(k int64) {
		b = appendInt(b, k)
		n++
	}
	moment := func(k int64, t time.Time) {
		if !t.IsZero() {
			key(k)
			b = appendInt(b, t.Unix())
		}
	}
	word := func(k int64, s string) {
		if s != "" {
			key(k)
			b = appendText(b, s)
		}
	}
	word(claimIssuer, issuer)
	moment(claimExpires, c.Expires)
	moment(claimNotBefore, c.NotBefore)
	moment(claimIssued, c.Issued)
	key(claimID)
	b = appendBytes(b, c.ID)
	if c.Status != nil {
		key(claimStatus)
		b = appendText(appendHead(b, majorMap, 1), "status_list")
		b = appendHead(appendText(appendHead(b, majorMap, 2), "idx"), majorUint, c.Status.Index)
		b = appendText(appendText(b, "uri"), c.Status.URI)
	}
	word(claimKind, c.Kind)
	if len(c.Scope) > 0 {
		key(claimScope)
		b = appendHead(b, majorArray, uint64(len(c.Scope)))
		for _, s := range c.Scope {
			b = appendText(b, s)
		}
	}
	if c.Uses > 0 {
		key(claimUses)
		b = appendHead(b, majorUint, uint64(c.Uses))
	}
	word(claimLevel, c.Level)
	word(claimGrant, c.Grant)
	if c.Holder != nil {
		key(claimHolder)
		b = appendBytes(b, c.Holder)
	}
	return append(appendHead(nil, majorMap, n), b...)
}
