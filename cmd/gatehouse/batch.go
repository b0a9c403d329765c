// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"gatehouse/credential"
	"gatehouse/entry"
)

// batch is the batch verifier: what holds for every line, and the trust lists seen so far.
type batch struct {
	trust       *trustList
	now         func() time.Time
	diagnostics io.Writer
	lists       map[string]*trustList // by their JSON: most lines of a file repeat one list
	listed      int                   // bytes of JSON in lists
}

// maxListed bounds the trust lists that are kept, in bytes of JSON.
const maxListed = 32 << 20

// question is a line of input. Members are read one by one, so that the id comes back whatever is
// wrong with the others.
type question struct {
	ID      json.RawMessage `json:"id"`
	Code    json.RawMessage `json:"code"`
	At      json.RawMessage `json:"at"`
	Trust   json.RawMessage `json:"trust"`
	Revoked json.RawMessage `json:"revoked"`
}

// answer is a line of output. All members are always there.
type answer struct {
	ID      json.RawMessage   `json:"id"`
	Outcome string            `json:"outcome"`
	Reason  entry.Reason      `json:"reason"`
	Format  credential.Format `json:"format"`
	Issuer  string            `json:"issuer"`
	KID     string            `json:"kid"`
}

func (b *batch) answer(number int, line []byte) answer {
	var q question
	err := json.Unmarshal(line, &q)
	a := answer{ID: q.echo(), Outcome: "invalid", Reason: entry.ReasonMalformed}
	var parts, withdrawn []string
	at := b.now()
	if err == nil {
		parts, err = q.parts()
		err = errors.Join(err, optional(q.At, &at), optional(q.Revoked, &withdrawn))
	}
	if err != nil {
		// What was wrong is said without the line, which holds a pass.
		fmt.Fprintf(b.diagnostics, "gatehouse: line %d is not as `gatehouse verify --help` says\n", number)
		return a
	}
	pass, err := verify(parts, b.trustOf(number, q.Trust), at)
	a.Reason = entry.ReasonOf(err)
	var refusal *credential.Refusal
	switch {
	case errors.As(err, &refusal):
		a.Format, a.Issuer, a.KID = refusal.Format, refusal.Issuer, hex.EncodeToString(refusal.KeyID)
	case err == nil:
		a.Format, a.Issuer, a.KID = pass.Format, pass.Issuer, hex.EncodeToString(pass.KeyID)
		if a.Outcome = "valid"; revoked(pass, withdrawn) {
			a.Outcome, a.Reason = "invalid", entry.ReasonRevoked
		}
	}
	return a
}

// errNoCode says that a line has no text where a code or one of its parts is due.
var errNoCode = errors.New("no code")

// parts is the text of a code, or the texts of a code that comes in parts. A null is none of either, though
// encoding/json takes it for both.
func (q *question) parts() ([]string, error) {
	var one *string
	if json.Unmarshal(q.Code, &one) == nil && one != nil {
		return []string{*one}, nil
	}
	var texts []*string
	if err := json.Unmarshal(q.Code, &texts); err != nil {
		return nil, err
	}
	parts := make([]string, len(texts))
	for i, t := range texts {
		if t == nil {
			return nil, errNoCode
		}
		parts[i] = *t
	}
	if len(parts) == 0 {
		return nil, errNoCode
	}
	return parts, nil
}

// optional reads a member that may be absent or null, which leave v as it is.
func optional(text json.RawMessage, v any) error {
	if len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, v)
}

// echo is the id as it came, if it is a text of whole characters or a number.
func (q *question) echo() json.RawMessage {
	if len(q.ID) > 0 && utf8.Valid(q.ID) && strings.ContainsRune("\"-0123456789", rune(q.ID[0])) {
		return q.ID
	}
	return json.RawMessage(`""`)
}

// verify checks a code of one part. No format of this version comes in several.
func verify(parts []string, trust credential.Trust, at time.Time) (*credential.Pass, error) {
	if len(parts) != 1 {
		return nil, &credential.Refusal{Err: credential.ErrUnrecognised, Detail: "no known format comes in parts"}
	}
	return credential.Verify(parts[0], trust, at)
}

func revoked(p *credential.Pass, ids []string) bool {
	if len(ids) == 0 {
		return false
	}
	for _, own := range p.RevocationIDs() {
		for _, id := range ids {
			if strings.EqualFold(own, id) {
				return true
			}
		}
	}
	return false
}

// trustOf returns the keys of a line: its own list if it has one, else the list for all.
func (b *batch) trustOf(number int, text json.RawMessage) *trustList {
	if len(text) == 0 || string(text) == "null" {
		return b.trust
	}
	if list, ok := b.lists[string(text)]; ok {
		return list
	}
	list, faults, err := parseTrust(text)
	if err != nil {
		list, faults = &trustList{}, []string{err.Error()}
	}
	for _, f := range faults {
		fmt.Fprintf(b.diagnostics, "gatehouse: line %d: %s\n", number, f)
	}
	if b.listed += len(text); b.listed > maxListed {
		clear(b.lists)
		b.listed = len(text)
	}
	b.lists[string(text)] = list
	return list
}
