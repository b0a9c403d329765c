// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/veraison/go-cose"
)

// KeyID names a fleet key: the first 8 bytes of the SHA-256 of its SubjectPublicKeyInfo (DER).
type KeyID [8]byte

// String gives 16 hexadecimal digits.
func (id KeyID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText gives 16 hexadecimal digits.
func (id KeyID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads 16 hexadecimal digits in lower case.
func (id *KeyID) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(id) || hex.EncodeToString(b) != string(text) {
		return fmt.Errorf("fleet: %q is not a key id; write 16 hexadecimal digits", text)
	}
	copy(id[:], b)
	return nil
}

// KeyIDOf is the name of an Ed25519 public key.
func KeyIDOf(public ed25519.PublicKey) (KeyID, error) {
	if len(public) != ed25519.PublicKeySize {
		return KeyID{}, fmt.Errorf("fleet: an Ed25519 public key has %d bytes, not %d", ed25519.PublicKeySize, len(public))
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return KeyID{}, fmt.Errorf("fleet: %w", err)
	}
	sum := sha256.Sum256(der)
	return KeyID(sum[:8]), nil
}

// SigningKey signs fleet documents. There is one algorithm, Ed25519; the private half may live in a token.
type SigningKey struct {
	id     KeyID
	public ed25519.PublicKey
	signer crypto.Signer
}

// NewSigningKey takes an Ed25519 signer.
func NewSigningKey(signer crypto.Signer) (SigningKey, error) {
	if signer == nil {
		return SigningKey{}, errors.New("fleet: no signer")
	}
	public, ok := signer.Public().(ed25519.PublicKey)
	if !ok {
		return SigningKey{}, fmt.Errorf("fleet: documents are signed with Ed25519, not with %T", signer.Public())
	}
	id, err := KeyIDOf(public)
	return SigningKey{id: id, public: public, signer: signer}, err
}

// ID is the key's name.
func (k SigningKey) ID() KeyID { return k.id }

// Public is the key's public half.
func (k SigningKey) Public() ed25519.PublicKey { return k.public }

// externalOf is the external_aad of every signature: it ties it to this protocol, kind and scope.
func externalOf(kind string, scope Scope) ([]byte, error) {
	return encMode.Marshal([]string{"gatehouse/1", kind, string(scope)})
}

func (s *statement) external() ([]byte, error) { return externalOf(string(s.Kind), s.Scope) }

// Sign makes a document and signs it with each of the keys. It is the operator's half and a test's: it checks form,
// not sense, so that what a kiosk must refuse can be made as well. body is encoded as deterministic CBOR; issued is cut to
// whole seconds.
func Sign(kind Kind, scope Scope, version uint64, issued time.Time, body any, keys ...SigningKey) (Document, error) {
	b, err := encMode.Marshal(body)
	if err != nil {
		return Document{}, fmt.Errorf("fleet: sign %s of %s: %w", kind, scope, err)
	}
	s := statement{Kind: kind, Scope: scope, Version: version, Issued: uint64(max(issued.Unix(), 0)), Body: b}
	if err := s.validate(); err != nil {
		return Document{}, err
	}
	payload, err := encMode.Marshal(s)
	if err != nil {
		return Document{}, fmt.Errorf("fleet: sign %s of %s: %w", kind, scope, err)
	}
	return sign(s, payload, nil, keys)
}

// Cosign adds signatures to a document, so that keys that never meet on one machine can sign the same one.
func (d Document) Cosign(keys ...SigningKey) (Document, error) {
	return sign(d.said, d.payload, d.signatures, keys)
}

func sign(s statement, payload []byte, signatures [][]byte, keys []SigningKey) (Document, error) {
	external, err := s.external()
	if err != nil {
		return Document{}, fmt.Errorf("fleet: sign %s of %s: %w", s.Kind, s.Scope, err)
	}
	raw, err := envelope{Payload: payload, Signatures: signatures}.sign(external, keys)
	if err != nil {
		return Document{}, fmt.Errorf("fleet: sign %s of %s: %w", s.Kind, s.Scope, err)
	}
	return ParseDocument(raw)
}

// sign adds signatures and returns the envelope as it travels.
func (e envelope) sign(external []byte, keys []SigningKey) ([]byte, error) {
	e.Signatures = append([][]byte{}, e.Signatures...)
	for _, k := range keys {
		sig, err := signOne(k, e.Payload, external)
		if err != nil {
			return nil, fmt.Errorf("with key %s: %w", k.id, err)
		}
		e.Signatures = append(e.Signatures, sig)
	}
	return encMode.Marshal(e)
}

func signOne(k SigningKey, payload, external []byte) ([]byte, error) {
	if k.signer == nil {
		return nil, errors.New("not a key made by NewSigningKey")
	}
	signer, err := cose.NewSigner(cose.AlgorithmEdDSA, k.signer)
	if err != nil {
		return nil, err
	}
	m := cose.UntaggedSign1Message{Payload: payload, Headers: cose.Headers{Protected: protectedHeader(k.id)}}
	if err := m.Sign(nil, external, signer); err != nil {
		return nil, err
	}
	m.Payload = nil // detached: the envelope has it once
	return m.MarshalCBOR()
}

func protectedHeader(id KeyID) cose.ProtectedHeader {
	return cose.ProtectedHeader{cose.HeaderLabelAlgorithm: cose.AlgorithmEdDSA, cose.HeaderLabelKeyID: id[:]}
}

// countSigners counts the distinct keys of a role that signed while they were valid. A signature that is not ours to
// judge, or is not good, counts for nothing; it cannot spoil the others, for the envelope is not signed.
func (e envelope) countSigners(external []byte, issued uint64, keys map[KeyID]RootKey, role Role) int {
	signed := map[KeyID]bool{}
	for _, raw := range e.Signatures {
		id, m, ok := readSignature(raw)
		key, known := keys[id]
		if !ok || !known || signed[id] || !role.has(id) || !key.validAt(issued) {
			continue
		}
		if e.goodSignature(m, key.Public, external) {
			signed[id] = true
		}
	}
	return len(signed)
}

func (e envelope) goodSignature(m *cose.UntaggedSign1Message, public, external []byte) bool {
	v, err := cose.NewVerifier(cose.AlgorithmEdDSA, ed25519.PublicKey(public))
	if err != nil {
		return false
	}
	m.Payload = e.Payload
	return m.Verify(external, v) == nil
}

// countSigners counts the distinct keys of a role that signed the document while they were valid.
func (d Document) countSigners(keys map[KeyID]RootKey, role Role) int {
	external, err := d.said.external()
	if err != nil {
		return 0
	}
	return envelope{d.payload, d.signatures}.countSigners(external, d.said.Issued, keys, role)
}

// readSignature takes a detached signature only in the one form that signOne writes: algorithm and key in the
// protected header and nothing else anywhere.
func readSignature(raw []byte) (KeyID, *cose.UntaggedSign1Message, bool) {
	var m cose.UntaggedSign1Message
	if err := m.UnmarshalCBOR(raw); err != nil || m.Payload != nil || len(m.Signature) != ed25519.SignatureSize {
		return KeyID{}, nil, false
	}
	kid, ok := m.Headers.Protected[cose.HeaderLabelKeyID].([]byte)
	if !ok || len(kid) != len(KeyID{}) || len(m.Headers.Unprotected) != 0 {
		return KeyID{}, nil, false
	}
	id := KeyID(kid)
	want, err := protectedHeader(id).MarshalCBOR()
	return id, &m, err == nil && bytes.Equal(want, m.Headers.RawProtected)
}

// Signers lists the keys that the document's signatures name, verified or not, for a person to read.
func (d Document) Signers() []KeyID {
	var ids []KeyID
	for _, raw := range d.signatures {
		if id, _, ok := readSignature(raw); ok {
			ids = append(ids, id)
		}
	}
	return ids
}
