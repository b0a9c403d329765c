// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package torture

import (
	"errors"
	"testing"

	"gatehouse/entry"
)

// The account finds each way in which a killed kiosk can be wrong: else a thousand kills show nothing.
func TestAccount(t *testing.T) {
	ticket, pair, staff := &pass{hash: entry.PassHash{1}, limit: 1}, &pass{hash: entry.PassHash{2}, limit: 2}, &pass{hash: entry.PassHash{3}}
	event := func(a *account, p *pass, lane string) {
		a.read(entry.Event{Seq: uint64(a.admitted) + 1, Kind: entry.EventDecision, Outcome: entry.Admit, Lane: lane, Pass: p.hash})
	}
	admit := func(a *account, p *pass, lane string) {
		event(a, p, lane)
		a.rose(p, lane)
	}
	for _, c := range []struct {
		name string
		do   func(*account)
		want error
	}{
		{"right", func(a *account) {
			admit(a, ticket, "in-1")
			admit(a, pair, "in-1")
			admit(a, pair, "in-2")
			for range 3 {
				admit(a, staff, "in-1")
			}
		}, nil},
		{"refused", func(a *account) {
			a.read(entry.Event{Kind: entry.EventDecision, Outcome: entry.Deny, Lane: "in-1", Pass: ticket.hash})
		}, nil},
		{"died before the relay rose", func(a *account) { event(a, ticket, "in-1"); a.kills++ }, nil},
		{"twice at one lane", func(a *account) { admit(a, ticket, "in-1"); admit(a, ticket, "in-1") }, errTwice},
		{"at two lanes", func(a *account) { admit(a, ticket, "in-1"); admit(a, ticket, "in-2") }, errTwice},
		{"a pair of three", func(a *account) { admit(a, pair, "in-1"); admit(a, pair, "in-1"); admit(a, pair, "in-2") }, errTwice},
		{"opened again for one event", func(a *account) { admit(a, ticket, "in-1"); a.rose(ticket, "in-1") }, errLost},
		{"opened for nothing", func(a *account) { a.rose(staff, "in-1") }, errLost},
		{"recorded at another lane", func(a *account) { event(a, staff, "in-2"); a.rose(staff, "in-1") }, errLost},
		{"revoked", func(a *account) { a.bar(ticket); admit(a, ticket, "in-1") }, errRevoked},
		{"did not pass, and came again", func(a *account) {
			admit(a, ticket, "in-1")
			a.read(entry.Event{Seq: 2, Kind: entry.EventPassage, Passage: entry.NotPassed, Of: 1})
			event(a, ticket, "in-1")
			a.rose(ticket, "in-1")
		}, nil},
		{"uses without openings", func(a *account) { event(a, ticket, "in-1"); event(a, pair, "in-1"); event(a, staff, "in-2"); a.kills++ }, errIdle},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAccount()
			c.do(a)
			if err := a.check(2); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}
