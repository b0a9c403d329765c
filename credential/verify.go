// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"time"
)

// maxKeys bounds the keys that are tried for one kid. Several issuers may share a kid by chance or
// mistake; a list where more do is broken, and trying them all would hold up the lane.
const maxKeys = 8

// statement is what a code says, decoded within bounds, before anyone vouches for it.
type statement struct {
	cose   envelope
	pass   Pass     // its claims; issuer, key and scope are completed from the key
	issuer string   // whom to ask the keys of; "" where the format names none
	usage  DCCUsage // what a document signing certificate must allow (HC1)
}

// verify finds the key that signed s and says what the pass is worth at the time at.
func (s *statement) verify(trust Trust, at time.Time) (*Pass, error) {
	// What outlives this call is copied: the decoded code holds names.
	kid := bytes.Clone(s.cose.kid)
	refuse := func(err error, detail string) *Refusal {
		return &Refusal{Err: err, Format: s.pass.Format, Issuer: s.issuer, KeyID: kid, Detail: detail}
	}
	if len(kid) == 0 {
		return nil, refuse(ErrUnknownKey, "the code names no key")
	}
	keys, err := trust.Keys(s.pass.Format, s.issuer, kid)
	switch {
	case errors.Is(err, ErrUnknownIssuer):
		return nil, refuse(ErrUnknownIssuer, "")
	case err != nil:
		r := refuse(ErrTrustUnavailable, "")
		r.cause = err
		return nil, r
	}
	signer, forbidden, err := s.signer(keys)
	if err != nil {
		return nil, refuse(err, "")
	}

	p := s.pass
	p.Issuer, p.KeyID = signer.Issuer, kid
	if len(p.Scope) == 0 {
		p.Scope = append([]string(nil), signer.Scopes...)
	}
	p.revocation.signature = bytes.Clone(s.cose.signature)
	if signer.Algorithm == ES256 {
		p.revocation.signature = p.revocation.signature[:es256Half]
	}
	refuse = func(err error, detail string) *Refusal {
		return &Refusal{Err: err, Format: p.Format, Issuer: p.Issuer, KeyID: p.KeyID, Detail: detail}
	}
	if forbidden != "" {
		return &p, refuse(ErrKeyNotAllowed, forbidden)
	}
	if detail, err := p.inDate(signer, at); err != nil {
		return &p, refuse(err, detail)
	}
	return &p, nil
}

// openStatement takes the COSE_Sign1 in b apart and reads the claims within; strict asks for one encoding.
func openStatement(b []byte, strict bool, read func(*statement, []byte) error) (s *statement, err error) {
	s = new(statement)
	if s.cose, err = openEnvelope(b, strict); err != nil {
		return nil, err
	}
	if len(s.cose.payload) == 0 {
		return nil, errors.New("no claims")
	}
	if err := read(s, s.cose.payload); err != nil {
		return nil, err
	}
	return s, nil
}

// signer returns the key whose signature this is. Of several it prefers one that may sign the pass;
// if none may, forbidden says why. The error is ErrUnknownKey or ErrBadSignature.
func (s *statement) signer(keys []*Key) (signer *Key, forbidden string, err error) {
	tried := 0
	err = ErrUnknownKey
	for _, k := range keys {
		// A store that answers with more than was asked must not widen what is tried.
		if k == nil || !bytes.Equal(k.ID, s.cose.kid) || s.issuer != "" && k.Issuer != s.issuer {
			continue
		}
		err = ErrBadSignature
		if tried++; tried > maxKeys {
			break
		}
		if !s.cose.signedBy(k) {
			continue
		}
		why := k.forbids(&s.pass, s.usage)
		if why == "" {
			return k, "", nil
		}
		if signer == nil {
			signer, forbidden = k, why
		}
	}
	if signer != nil {
		err = nil
	}
	return signer, forbidden, err
}

// inDate compares the pass's own times, and those of its key, with at. A pass expires at the very
// second that exp names (RFC 8392, section 3.1.4).
func (p *Pass) inDate(k *Key, at time.Time) (detail string, err error) {
	switch {
	case !p.Expires.IsZero() && !at.Before(p.Expires):
		return "expired at " + stamp(p.Expires), ErrExpired
	case !p.NotBefore.IsZero() && at.Before(p.NotBefore):
		return "valid from " + stamp(p.NotBefore), ErrNotYetValid
	case !k.NotBefore.IsZero() && at.Before(k.NotBefore):
		return "the key is valid from " + stamp(k.NotBefore), ErrKeyNotAllowed
	case !k.NotAfter.IsZero() && at.After(k.NotAfter):
		return "the key was valid until " + stamp(k.NotAfter), ErrKeyNotAllowed
	}
	return "", nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// signedBy checks the signature under k and k's own algorithm. A header that names another algorithm
// is refused: the algorithm is never chosen by the code.
func (e *envelope) signedBy(k *Key) bool {
	if e.algorithm != 0 && e.algorithm != k.Algorithm {
		return false
	}
	var room [usualToBeSigned]byte
	message := e.toBeSigned(room[:0])
	switch k.Algorithm {
	case EdDSA:
		pub, ok := k.Public.(ed25519.PublicKey)
		return ok && len(pub) == ed25519.PublicKeySize && ed25519.Verify(pub, message, e.signature)
	case ES256:
		pub, ok := k.Public.(*ecdsa.PublicKey)
		if !ok || pub == nil || pub.Curve != elliptic.P256() || len(e.signature) != 2*es256Half {
			return false
		}
		digest := sha256.Sum256(message)
		var der [derSignatureMax]byte
		return ecdsa.VerifyASN1(pub, digest[:], appendDERSignature(der[:0], e.signature))
	case PS256:
		pub, ok := k.Public.(*rsa.PublicKey)
		if !ok || pub == nil || pub.N == nil || pub.N.BitLen() < minRSABits {
			return false
		}
		digest := sha256.Sum256(message)
		// RFC 8230, section 2: the salt is as long as the hash.
		return rsa.VerifyPSS(pub, crypto.SHA256, digest[:], e.signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
	}
	return false
}

const (
	es256Half       = 32
	derSignatureMax = 2 + 2*(2+1+es256Half)
)

// appendDERSignature turns R‖S (RFC 9053, section 2.1) into the ASN.1 that crypto/ecdsa takes.
func appendDERSignature(b, raw []byte) []byte {
	b = append(b, 0x30, 0)
	for _, half := range [][]byte{raw[:es256Half], raw[es256Half:]} {
		half = bytes.TrimLeft(half, "\x00")
		switch {
		case len(half) == 0:
			b = append(b, 0x02, 1, 0)
		case half[0] >= 0x80:
			b = append(b, 0x02, byte(len(half)+1), 0)
		default:
			b = append(b, 0x02, byte(len(half)))
		}
		b = append(b, half...)
	}
	b[1] = byte(len(b) - 2)
	return b
}
