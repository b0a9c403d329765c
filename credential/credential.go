// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package credential recognises, decodes and verifies the codes that people show.
//
// Two formats are known, each in a file of its own:
//
//   - GH1, the Gatehouse pass: "GH1:" and base45 (RFC 9285) of a COSE_Sign1 (RFC 9052) over
//     a CWT (RFC 8392), signed with Ed25519 or ES256. See gh1.go for its claims.
//   - HC1, the EU Digital COVID Certificate: "HC1:" and base45 of zlib of a COSE_Sign1, signed
//     with ES256 or PS256 by a document signing certificate. See hc1.go.
//
// [Verify] takes a code, what is trusted and a time, and ends in a [Pass] or in one of a closed
// set of errors. The algorithm is the one bound to the trusted key, never the one that the code
// asks for, and no key is tried that the code's key identifier does not name. Everything read from
// a code is bounded: its length, its inflated size, and the depth and count of its CBOR.
//
// The package is pure. It deliberately knows no storage, no network, no clock of its own, no
// revocation and no rule of a venue: a verified pass is genuine, allowed to its issuer and in date,
// which is not yet a reason to open a gate.
package credential

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Format names a kind of code. The values are stable: they appear in documents, events and output.
type Format string

// The formats known to this version.
const (
	GH1 Format = "gh1" // Gatehouse pass
	HC1 Format = "hc1" // EU Digital COVID Certificate
)

// The closed set of outcomes of a verification that did not end well. Every error of Verify is a
// *Refusal around exactly one of them.
var (
	// ErrUnrecognised: no known format begins like this. Deny, and tell the guest that this is not
	// a pass; nothing needs repair.
	ErrUnrecognised = errors.New("not a pass of a known format")
	// ErrMalformed: the format is known but the code breaks its rules or a bound. Deny; let the
	// guest show the code again, for a misread code ends here too.
	ErrMalformed = errors.New("malformed pass")
	// ErrUnknownIssuer: nothing is known of the issuer that the pass names. Deny; if that issuer
	// should be accepted, add it to the fleet's issuers.
	ErrUnknownIssuer = errors.New("unknown issuer")
	// ErrUnknownKey: no trusted key bears the identifier that the pass names. Deny; if the issuer
	// has rotated its keys, bring the trust list up to date.
	ErrUnknownKey = errors.New("unknown signing key")
	// ErrBadSignature: a trusted key bears the identifier, and the signature is not its own under
	// the key's own algorithm. Deny; treat it as a forgery.
	ErrBadSignature = errors.New("signature does not verify")
	// ErrKeyNotAllowed: the signature is good, but that key may not sign such a pass (format, kind,
	// scope, key usage, or issued outside the key's validity). Deny; ask the issuer to use the right key.
	ErrKeyNotAllowed = errors.New("key not allowed to sign this pass")
	// ErrNotYetValid: genuine, and its time has not come. Deny; the guest may come back, and a
	// kiosk that answers this often has a wrong clock.
	ErrNotYetValid = errors.New("not valid yet")
	// ErrExpired: genuine, and its time has passed. Deny; the guest needs a new pass.
	ErrExpired = errors.New("expired")
	// ErrTrustUnavailable: the trust list could not be read, so nothing can be said of the pass.
	// Answer "out of order", never "unknown key", and repair the store.
	ErrTrustUnavailable = errors.New("trust list cannot be read")
)

// Refusal is the error of Verify. Its text is safe for logs: it holds nothing of the pass but the
// issuer's name and the key's identifier.
type Refusal struct {
	Err    error  // one of the sentinels above
	Format Format // "" when the code was not recognised
	Issuer string // as the pass names it, or the key's where the key was found; "" if unknown
	KeyID  []byte // as the pass names it; nil if it was not read
	Detail string // for technicians: what exactly was wrong; never content of the pass

	cause error // what the trust store said, for ErrTrustUnavailable
}

// Error implements error.
func (r *Refusal) Error() string {
	var b strings.Builder
	b.WriteString("credential: ")
	if r.Format != "" {
		fmt.Fprintf(&b, "%s: ", r.Format)
	}
	b.WriteString(r.Err.Error())
	if r.Issuer != "" {
		fmt.Fprintf(&b, " (issuer %q)", r.Issuer)
	}
	if len(r.KeyID) > 0 {
		fmt.Fprintf(&b, " (key %x)", r.KeyID)
	}
	if r.Detail != "" {
		b.WriteString(": " + r.Detail)
	}
	if r.cause != nil {
		b.WriteString(": " + r.cause.Error())
	}
	return b.String()
}

// Unwrap gives errors.Is the sentinel and, for ErrTrustUnavailable, the store's own error.
func (r *Refusal) Unwrap() []error {
	if r.cause == nil {
		return []error{r.Err}
	}
	return []error{r.Err, r.cause}
}

// Trust is what Verify asks for keys. An implementation must be safe for concurrent use if Verify
// is called concurrently; Verify neither keeps nor changes the keys.
type Trust interface {
	// Keys returns the keys that (format, issuer, kid) names; issuer is "" where the format names
	// none (HC1). No such key: empty and a nil error. ErrUnknownIssuer when that issuer is not
	// known at all. Any other error means that the store could not be read, and Verify wraps it in
	// ErrTrustUnavailable.
	Keys(f Format, issuer string, kid []byte) ([]*Key, error)
}

// maxCode bounds the text of a code: the most that one QR code can carry (ISO/IEC 18004, version
// 40-L, 4296 alphanumeric characters).
const maxCode = 4296

// Verify recognises code by its prefix, decodes it within bounds, asks trust for the keys that the
// code's key identifier names, checks the signature with the algorithm bound to the key, and then
// asks whether the key may sign such a pass and whether the pass is in date at the time at.
//
// The code is taken exactly: no space is trimmed, no letter case changed (a space is a digit of base45).
//
// The error is nil or always a *Refusal. Where the signature was good (ErrKeyNotAllowed,
// ErrNotYetValid, ErrExpired) the pass is returned beside the error, so that the refusal can be
// explained; in every other refusal the pass is nil.
func Verify(code string, trust Trust, at time.Time) (*Pass, error) {
	for _, f := range formats {
		body, ok := strings.CutPrefix(code, f.prefix)
		if !ok {
			continue
		}
		if len(code) > maxCode {
			return nil, &Refusal{Err: ErrMalformed, Format: f.name, Detail: fmt.Sprintf("longer than %d characters", maxCode)}
		}
		s, err := f.decode(body)
		if err != nil {
			return nil, &Refusal{Err: ErrMalformed, Format: f.name, Detail: err.Error()}
		}
		return s.verify(trust, at)
	}
	return nil, &Refusal{Err: ErrUnrecognised}
}

// formats is the table of what can be recognised; prefixes are exact and none begins another.
var formats = [...]struct {
	name   Format
	prefix string
	decode func(body string) (*statement, error)
}{
	{GH1, gh1Prefix, decodeGH1},
	{HC1, hc1Prefix, decodeHC1},
}
