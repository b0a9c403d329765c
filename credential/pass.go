// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"
)

// The kind and the levels of an HC1 pass. Other kinds and levels are the issuers' own words.
const (
	KindHealth = "health"

	LevelVaccinated = "vaccinated" // the series is complete
	LevelPartial    = "partial"    // doses are missing
	LevelNegative   = "negative"   // test
	LevelPositive   = "positive"   // test: a valid certificate of an infected person
	LevelRecovered  = "recovered"
)

// StatusRef is a pass's place in a Token Status List (draft-ietf-oauth-status-list, section 6).
type StatusRef struct {
	Index uint64
	URI   string
}

// Pass is what a verified code says. It never holds a name or a birth date, and it prints without
// its identifiers.
type Pass struct {
	Format Format
	Issuer string // GH1: its iss claim; HC1: the issuer of the key that verified
	KeyID  []byte
	// ID is the identity that the issuer gave: cti (GH1), UCI (HC1), or the SHA-256 of the signed
	// payload where there is none.
	ID    []byte
	Kind  string // HC1: KindHealth
	Level string // HC1: one of the levels above, or "" for a test result that is neither
	// Issued, NotBefore and Expires are UTC and zero where the pass says nothing.
	Issued, NotBefore, Expires time.Time
	// Since is what max_age counts from: the time of issue (GH1); the sample, vaccination or first
	// positive test (HC1). Zero is unknown and must be taken as too old.
	Since time.Time
	// Scope lists "venue" or "venue/zone". A pass that names none has the scope of its key: nil
	// means every venue that accepts the issuer.
	Scope  []string
	Uses   uint   // the issuer's own limit; 0 = none given
	Grant  string // "wide" = longer opening
	Holder []byte // GH1: the holder claim; HC1: a digest of name and birth date; nil = none
	Status *StatusRef

	revocation revocationInputs
}

// revocationInputs is what an HC1 revocation list may name, besides the identity.
type revocationInputs struct {
	uci       string // "" where the certificate has none
	country   string // the CWT's own iss, which need not be the key's country
	signature []byte // R for ECDSA, the whole signature for RSA
}

// Identity returns bytes that are equal for two passes exactly when format, issuer and ID are. Uses
// and events are keyed on it. It identifies a person's pass: outside memory it appears only behind an HMAC.
//
// The shape is length-prefixed: for each of format, issuer and ID two bytes of big-endian length, then the bytes.
func (p *Pass) Identity() []byte {
	b := make([]byte, 0, 6+len(p.Format)+len(p.Issuer)+len(p.ID))
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(p.Format))), p.Format...)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(p.Issuer))), p.Issuer...)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(p.ID))), p.ID...)
}

// RevocationIDs returns every name under which a revocation list may hold this pass. GH1: the cti in
// hex. HC1: "SIGNATURE:", "UCI:" and "COUNTRYCODEUCI:", each with the first 16 bytes of a SHA-256 in
// hex, over the signature (ECDSA: its R half, since S can be changed by anyone), the UCI, and the CWT's
// issuer followed by the UCI (EU DCC revocation, Implementing Decision (EU) 2021/1073 as amended, Annex VI).
func (p *Pass) RevocationIDs() []string {
	if p.Format != HC1 {
		return []string{hex.EncodeToString(p.ID)}
	}
	r := &p.revocation
	ids := []string{"SIGNATURE:" + shortHash(r.signature)}
	if r.uci != "" {
		ids = append(ids, "UCI:"+shortHash([]byte(r.uci)), "COUNTRYCODEUCI:"+shortHash([]byte(r.country+r.uci)))
	}
	return ids
}

func shortHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// String gives format, issuer, kind and level, and nothing that identifies the pass or its holder.
func (p Pass) String() string {
	return fmt.Sprintf("%s pass of %q, kind %q, level %q", p.Format, p.Issuer, p.Kind, p.Level)
}

// GoString keeps %#v as discreet as String.
func (p Pass) GoString() string { return "credential.Pass{" + p.String() + "}" }

// LogValue implements slog.LogValuer with the same discretion as String.
func (p Pass) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("format", string(p.Format)),
		slog.String("issuer", p.Issuer),
		slog.String("kind", p.Kind),
		slog.String("level", p.Level),
	)
}
