// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// Messages are signed as documents are and for one kiosk, and put nothing in force: an order to it, what it recorded, and
// that this has arrived. Each kind has external data of its own, so none passes for another or for a document.
const (
	messageCommand = RoleCommand
	messageReceipt = RoleCollector
	messageRecords = "records" // signed by the kiosk's own key
)

// maxMessage bounds a message before its signature is known to be good: a batch of records, and some.
const maxMessage = 64 << 10

// message is the payload, which is signed.
type message struct {
	Issued uint64          `cbor:"issued"` // seconds since 1970 (UTC)
	Body   cbor.RawMessage `cbor:"body"`
}

// signMessage makes a message of a kind for one kiosk.
func signMessage(kind string, to Place, issued time.Time, body any, keys ...SigningKey) ([]byte, error) {
	wrap := func(err error) error { return fmt.Errorf("fleet: sign %s of %s: %w", kind, to, err) }
	if err := to.Validate(); err != nil {
		return nil, wrap(err)
	}
	b, err := encMode.Marshal(body)
	if err != nil {
		return nil, wrap(err)
	}
	payload, err := encMode.Marshal(message{Issued: uint64(max(issued.Unix(), 0)), Body: b})
	if err != nil {
		return nil, wrap(err)
	}
	external, err := externalOf(kind, to.Scopes()[2])
	if err != nil {
		return nil, wrap(err)
	}
	raw, err := envelope{Payload: payload}.sign(external, keys)
	if err != nil {
		return nil, wrap(err)
	}
	if len(raw) > maxMessage {
		return nil, wrap(fmt.Errorf("%w: %d bytes; at most %d are read", ErrMalformed, len(raw), maxMessage))
	}
	return raw, nil
}

// openMessage reads a message that enough of these keys signed, into body.
func openMessage(raw []byte, kind string, to Place, keys map[KeyID]RootKey, role Role, body any) (issued time.Time, err error) {
	if len(raw) > maxMessage {
		return issued, fmt.Errorf("%w: a message of %d bytes; at most %d are read", ErrMalformed, len(raw), maxMessage)
	}
	e, err := readEnvelope(raw)
	if err != nil {
		return issued, err
	}
	external, err := externalOf(kind, to.Scopes()[2])
	if err != nil {
		return issued, fmt.Errorf("fleet: %w", err)
	}
	var m message
	if err := decodeStrict(e.Payload, &m); err != nil {
		return issued, err
	}
	if m.Issued == 0 || m.Issued > maxTime {
		return issued, fmt.Errorf("%w: signed time %d is out of range", ErrMalformed, m.Issued)
	}
	if n := e.countSigners(external, m.Issued, keys, role); role.Threshold == 0 || uint(n) < role.Threshold {
		return issued, fmt.Errorf("%w: %s of %s: %d good signatures of %d", ErrSignature, kind, to, n, role.Threshold)
	}
	return time.Unix(int64(m.Issued), 0).UTC(), decodeStrict(m.Body, body)
}

// openByRole reads a message that the root allows to be said.
func (r *Root) openByRole(raw []byte, kind string, to Place, body any) (issued time.Time, err error) {
	keys, err := r.keyring()
	if err != nil {
		return issued, err
	}
	role, ok := r.Roles[kind]
	if !ok {
		return issued, fmt.Errorf("%w: the root has no role %q", ErrSignature, kind)
	}
	issued, err = openMessage(raw, kind, to, keys, role, body)
	if err != nil {
		return issued, err
	}
	if from, until := r.Valid(); issued.Before(from) || issued.After(until) {
		return issued, fmt.Errorf("%w: %s of %s: signed at %s, when the root was not valid", ErrSignature, kind, to, issued.Format(time.RFC3339))
	}
	return issued, nil
}

// openByKiosk reads a message that a kiosk signed with its own key.
func openByKiosk(raw []byte, kind string, from Place, public ed25519.PublicKey, body any) (issued time.Time, err error) {
	id, err := KeyIDOf(public)
	if err != nil {
		return issued, err
	}
	return openMessage(raw, kind, from, map[KeyID]RootKey{id: {Public: public}}, Role{Keys: []KeyID{id}, Threshold: 1}, body)
}
