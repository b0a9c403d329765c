// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package entrytest makes what tests of entry and of its neighbours need: an issuer with a real key, knowledge and a
// ledger in memory that can be told to fail, and real grants, which only a real decision makes. It is no part of a kiosk.
package entrytest

import (
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/entry"
)

// Start is the moment at which the fakes begin.
var Start = time.Date(2026, 1, 4, 7, 30, 0, 0, time.UTC)

// Now is Start by a clock that is kept right.
func Now() entry.Moment { return entry.Moment{At: Start, Clock: entry.ClockSynced} }

// VenueKey is the key under which the fakes hash passes.
func VenueKey() []byte { return []byte("0123456789abcdef0123456789abcdef") }

// Issuer signs Gatehouse passes.
type Issuer struct {
	tb  testing.TB
	key credential.SigningKey
}

// NewIssuer makes an issuer with a new Ed25519 key.
func NewIssuer(tb testing.TB, name string) *Issuer {
	tb.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	key, err := credential.NewSigningKey(name, private)
	if err != nil {
		tb.Fatal(err)
	}
	return &Issuer{tb, key}
}

// Key is the issuer's public key.
func (i *Issuer) Key() *credential.Key {
	i.tb.Helper()
	key, err := i.key.Key()
	if err != nil {
		i.tb.Fatal(err)
	}
	return &key
}

// Pass signs a pass. What the claims leave out is filled in: a fresh id, kind ticket, valid for an hour from Start.
func (i *Issuer) Pass(c credential.Claims) string {
	i.tb.Helper()
	if c.Issued.IsZero() {
		c.Issued = Start.Add(-time.Minute)
	}
	return i.Undated(c)
}

// Undated is Pass for one that does not say when it was issued.
func (i *Issuer) Undated(c credential.Claims) string {
	i.tb.Helper()
	if c.ID == nil {
		c.ID = make([]byte, 16)
		_, _ = rand.Read(c.ID) // never fails
	}
	if c.Kind == "" {
		c.Kind = "ticket"
	}
	if c.Expires.IsZero() {
		c.Expires = Start.Add(time.Hour)
	}
	code, err := credential.Sign(c, i.key)
	if err != nil {
		i.tb.Fatal(err)
	}
	return code
}

// NewKnowledge is knowledge of the venue "arena" that accepts tickets of the given issuers, fresh for a day and hard
// after a week.
func NewKnowledge(issuers ...*Issuer) *Knowledge {
	k := &Knowledge{Gone: map[string]bool{}}
	clause := entry.Clause{Kind: "ticket"}
	for _, i := range issuers {
		k.KeyList = append(k.KeyList, i.Key())
		clause.Issuers = append(clause.Issuers, i.key.Issuer)
	}
	k.Agreed = &entry.Terms{
		Venue: "arena", Kiosk: "gate-1",
		Policy: &entry.Policy{Accept: []entry.Rule{{Name: "ticket", All: []entry.Clause{clause}}}},
		Signed: Start.Add(-time.Hour), FreshUntil: Start.Add(24 * time.Hour), HardAfter: Start.Add(7 * 24 * time.Hour),
	}
	return k
}

// NewDecider makes a Decider over fakes.
func NewDecider(tb testing.TB, k entry.Knowledge, l *Ledger) *entry.Decider {
	tb.Helper()
	d, err := entry.NewDecider(k, l, l, VenueKey())
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// Grant is a fresh grant for a lane, made by a real decision about a real pass.
func Grant(tb testing.TB, lane string) *entry.Grant { return grant(tb, lane, "") }

// WideGrant is a Grant for a longer opening.
func WideGrant(tb testing.TB, lane string) *entry.Grant { return grant(tb, lane, "wide") }

// FreeGrant is a Grant for whoever comes, in a free hour of the lane.
func FreeGrant(tb testing.TB, lane string) *entry.Grant {
	tb.Helper()
	always := make([]entry.Hours, 1)
	if err := always[0].UnmarshalText([]byte("00:00-24:00")); err != nil {
		tb.Fatal(err)
	}
	k := NewKnowledge()
	k.Agreed.Zone = time.UTC
	k.Agreed.Policy.Lanes = map[string]entry.LaneTerms{lane: {Free: always}}
	return made(tb, NewDecider(tb, k, NewLedger()).Free(tb.Context(), entry.Lane{Name: lane}, Now()))
}

func grant(tb testing.TB, lane, claim string) *entry.Grant {
	tb.Helper()
	issuer := NewIssuer(tb, "arena")
	d := NewDecider(tb, NewKnowledge(issuer), NewLedger())
	return made(tb, d.Decide(tb.Context(), entry.Lane{Name: lane}, issuer.Pass(credential.Claims{Grant: claim}), Now()))
}

func made(tb testing.TB, dec entry.Decision) *entry.Grant {
	tb.Helper()
	if dec.Grant == nil {
		tb.Fatalf("entrytest: the decision made no grant: %s %+v", dec.Reason, dec.Steps)
	}
	return dec.Grant
}
