// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential

import "crypto/sha256"

// envelope is a COSE_Sign1 (RFC 9052, section 4.2) taken apart.
type envelope struct {
	protected []byte // the bytes as they were signed
	payload   []byte // never nil: a detached payload is refused
	signature []byte
	algorithm Algorithm // 0 where the header names none
	kid       []byte    // nil where the header names none
}

// toBeSigned is the Sig_structure of RFC 9052, section 4.4, with no external data.
func (e *envelope) toBeSigned() []byte {
	const context = "\x84\x6aSignature1"
	b := make([]byte, 0, len(context)+len(e.protected)+len(e.payload)+16)
	b = append(b, context...)
	b = appendHead(b, majorBytes, uint64(len(e.protected)))
	b = append(b, e.protected...)
	b = appendHead(b, majorBytes, 0)
	b = appendHead(b, majorBytes, uint64(len(e.payload)))
	return append(b, e.payload...)
}

// payloadHash is the identity of a pass that has no identifier of its own.
func (e *envelope) payloadHash() []byte {
	sum := sha256.Sum256(e.payload)
	return sum[:]
}
