// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry_test

import (
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/entry/entrytest"
)

// doors is a desk with a lane in and a lane out.
type doors struct {
	*desk
	t       *testing.T
	in, out entry.Lane
	now     entry.Moment
}

func newDoors(t *testing.T, sensors bool) *doors {
	d := &doors{newDesk(t), t, entry.Lane{Name: "in-1", Sensor: sensors}, entry.Lane{Name: "out-1", Sensor: sensors}, entrytest.Now()}
	d.know.Agreed.Policy.Lanes = map[string]entry.LaneTerms{"out-1": {Direction: entry.DirectionOut}}
	if err := d.know.Agreed.Policy.Validate(); err != nil {
		t.Fatal(err)
	}
	return d
}

// goes shows a code at a lane and, where it opens, ends the passage.
func (d *doors) goes(lane entry.Lane, code string, want entry.Reason, p entry.Passage) entry.Decision {
	d.t.Helper()
	dec := d.Decide(d.t.Context(), lane, code, d.now)
	if dec.Reason != want || (dec.Grant != nil) != (want.Outcome() == entry.Admit) {
		d.t.Fatalf("%s with grant %v, want %s; steps %+v", dec.Reason, dec.Grant, want, dec.Steps)
	}
	if err := d.Settle(d.t.Context(), dec, p, d.now); err != nil {
		d.t.Fatal(err)
	}
	return dec
}

// A wish of rivals' users: whoever left by this kiosk comes in again on the same pass, and nobody else does.
func TestExitAndReentry(t *testing.T) {
	for name, sensors := range map[string]bool{"with sensors": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			d := newDoors(t, sensors)
			end := entry.PassageUnknown
			if sensors {
				end = entry.Passed
			}
			code := d.issuer.Pass(credential.Claims{})
			for range 3 {
				d.goes(d.in, code, "ok", end)
				d.goes(d.in, code, "already_used", "")
				d.goes(d.out, code, "exit", end)
			}
			d.goes(d.out, code, "exit", end) // once more gives nothing more
			d.goes(d.in, code, "ok", end)
			d.goes(d.in, code, "already_used", "")
			var exits int
			for _, ev := range d.ledger.Events() {
				if ev.Reason == entry.ReasonExit {
					exits++
					if ev.Passage != end || ev.Lane != "out-1" || ev.Outcome != entry.Admit || ev.Pass == (entry.PassHash{}) {
						t.Errorf("recorded %+v", ev)
					}
				}
			}
			if exits != 4 {
				t.Errorf("%d exits recorded, want 4", exits)
			}
		})
	}
}

// A use comes back only for somebody who was seen to leave: else a pass would be handed out over the barrier.
func TestExitThatNobodyTook(t *testing.T) {
	for _, p := range []entry.Passage{entry.NotPassed, entry.Fault, entry.PassageUnknown} {
		d := newDoors(t, true)
		code := d.issuer.Pass(credential.Claims{})
		d.goes(d.in, code, "ok", entry.Passed)
		d.goes(d.out, code, "exit", p)
		d.goes(d.in, code, "already_used", "")
		d.goes(d.out, code, "exit", entry.Passed)
		d.goes(d.in, code, "ok", entry.Passed)
	}
}

// Each exit gives back one use, of the pass that was shown.
func TestExitOfAGroupsPass(t *testing.T) {
	d := newDoors(t, true)
	three := uint(3)
	d.know.Agreed.Policy.Accept[0].All[0].Uses = &three
	group, other := d.issuer.Pass(credential.Claims{}), d.issuer.Pass(credential.Claims{Uses: 1})
	for range 3 {
		d.goes(d.in, group, "ok", entry.Passed)
	}
	d.goes(d.in, other, "ok", entry.Passed)
	for range 2 {
		d.goes(d.out, group, "exit", entry.Passed)
	}
	d.goes(d.in, group, "ok", entry.Passed)
	d.goes(d.in, group, "ok", entry.Passed)
	d.goes(d.in, group, "already_used", "")
	d.goes(d.in, other, "already_used", "") // the issuer's own limit, until it leaves
	d.goes(d.out, other, "exit", entry.Passed)
	d.goes(d.in, other, "ok", entry.Passed)
}

// Whoever is at the gate in has not come in yet, so that nothing of his is given back; whoever was there when the kiosk
// ended, and leaves, was in.
func TestExitOfAPassThatIsAtTheGate(t *testing.T) {
	d := newDoors(t, true)
	code := d.issuer.Pass(credential.Claims{})
	dec := d.Decide(t.Context(), d.in, code, d.now)
	d.goes(d.out, code, "exit", entry.Passed)
	d.goes(d.in, code, "already_used", "")
	if err := d.Settle(t.Context(), dec, entry.Passed, d.now); err != nil {
		t.Fatal(err)
	}
	d.goes(d.in, code, "already_used", "")
	d.goes(d.out, code, "exit", entry.Passed)
	d.Decide(t.Context(), d.in, code, d.now)
	d.ledger.Restart()
	d.goes(d.in, code, "passback", "")
	d.goes(d.out, code, "exit", entry.Passed)
	d.goes(d.in, code, "ok", entry.Passed)
}

// Nobody is kept in, whatever he shows and whatever is wrong with the kiosk.
func TestWhoeverLeavesIsLetOut(t *testing.T) {
	d := newDoors(t, true)
	id := []byte("0123456789abcdef")
	d.know.Gone[hex.EncodeToString(id)] = true
	for name, code := range map[string]string{
		"a shop's code": "https://example.org/menu", "nothing": "", "half a pass": d.issuer.Pass(credential.Claims{})[:40],
		"expired":          d.issuer.Pass(credential.Claims{Expires: entrytest.Start}),
		"withdrawn":        d.issuer.Pass(credential.Claims{ID: id}),
		"another venue's":  d.issuer.Pass(credential.Claims{Scope: []string{"pool"}}),
		"another issuer's": entrytest.NewIssuer(t, "elsewhere").Pass(credential.Claims{}),
		"no rule's":        d.issuer.Pass(credential.Claims{Kind: "staff"}),
	} {
		if dec := d.goes(d.out, code, "exit", entry.Passed); dec.Event != 0 {
			t.Errorf("%s: event %d before somebody left", name, dec.Event)
		}
	}
	d.know.Agreed.HardAfter, d.now.Clock = d.now.At, entry.ClockBehind
	d.know.Agreed.Policy.ReferUntrustedClock = true
	d.goes(d.out, d.issuer.Pass(credential.Claims{}), "exit", entry.Passed)
	d.ledger.Fail(entrytest.ErrInjected, nil)
	dec := d.Decide(t.Context(), d.out, d.issuer.Pass(credential.Claims{}), d.now)
	if dec.Grant == nil || dec.Grant.Spend("out-1", time.Now()) != nil {
		t.Error("kept in by a disk that is full")
	}
	if err := d.Settle(t.Context(), dec, entry.Passed, d.now); !errors.Is(err, entrytest.ErrInjected) {
		t.Errorf("the record: %v", err)
	}
}

// A use that was given back makes no pass good that has expired meanwhile.
func TestReentryGoesByTheRules(t *testing.T) {
	d := newDoors(t, true)
	code := d.issuer.Pass(credential.Claims{Expires: entrytest.Start.Add(hour)})
	d.goes(d.in, code, "ok", entry.Passed)
	d.now.At = d.now.At.Add(2 * hour)
	d.goes(d.out, code, "exit", entry.Passed)
	d.goes(d.in, code, "expired", "")
	d.now.At = d.now.At.Add(-2 * hour) // the clock was wrong
	d.goes(d.in, code, "ok", entry.Passed)
	d.now.At = d.now.At.Add(-24 * hour)
	early := d.issuer.Pass(credential.Claims{NotBefore: entrytest.Start})
	d.goes(d.in, early, "not_yet_valid", "")
	d.goes(d.out, early, "exit", entry.Passed)
	if events := d.ledger.Events(); events[len(events)-1].Pass == (entry.PassHash{}) {
		t.Error("a pass that is not valid yet was not read")
	}
}

func TestExitOpensWideAndKeepsPrivateKindsPrivate(t *testing.T) {
	d := newDoors(t, true)
	one := uint(1)
	d.know.Agreed.Policy.Accept = []entry.Rule{{Name: "health", All: []entry.Clause{{Kind: "health", Issuers: []string{"arena"}, Level: []string{"green"}, Uses: &one}}}}
	code := d.issuer.Pass(credential.Claims{Kind: "health", Level: "green", Grant: "wide"})
	d.goes(d.in, code, "ok", entry.Passed)
	d.goes(d.in, code, "already_used", "")
	if dec := d.goes(d.out, code, "exit", entry.Passed); !dec.Grant.Wide() || dec.Level != "" {
		t.Errorf("wide %v, level %q", dec.Grant.Wide(), dec.Level)
	}
	d.goes(d.in, code, "ok", entry.Passed)
	for _, ev := range d.ledger.Events() {
		if ev.Pass != (entry.PassHash{}) || ev.Level != "" {
			t.Errorf("event of a health pass holds %s and level %q", ev.Pass, ev.Level)
		}
	}
}
