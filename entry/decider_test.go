// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry_test

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/entry/entrytest"
)

var in1 = entry.Lane{Name: "in-1"}

// desk is a decider over fakes with one issuer.
type desk struct {
	*entry.Decider
	issuer *entrytest.Issuer
	know   *entrytest.Knowledge
	ledger *entrytest.Ledger
	shut   bool             // staff closed the lane
	clock  entry.ClockState // synced if empty
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{issuer: entrytest.NewIssuer(t, "arena"), ledger: entrytest.NewLedger()}
	d.know = entrytest.NewKnowledge(d.issuer)
	d.Decider = entrytest.NewDecider(t, d.know, d.ledger)
	return d
}

func (d *desk) decide(t *testing.T, code string) entry.Decision {
	t.Helper()
	now := entrytest.Now()
	now.Clock = cmp.Or(d.clock, now.Clock)
	return d.Decide(t.Context(), entry.Lane{Name: "in-1", Closed: d.shut}, code, now)
}

// A rival checked for a previous use and inserted the new one apart: two gates admitted one ticket.
func TestUsedCheckAndInsertAreOne(t *testing.T) {
	d := newDesk(t)
	code := d.issuer.Pass(credential.Claims{})
	const gates = 16
	var wg sync.WaitGroup
	results := make([]entry.Decision, gates)
	for i := range gates {
		wg.Go(func() {
			results[i] = d.Decide(t.Context(), entry.Lane{Name: fmt.Sprintf("in-%d", i)}, code, entrytest.Now())
		})
	}
	wg.Wait()
	admitted := 0
	for _, r := range results {
		switch r.Reason {
		case entry.ReasonOK:
			admitted++
		case entry.ReasonAlreadyUsed:
			if r.Grant != nil || len(r.Past) == 0 {
				t.Errorf("refused with grant %v and past uses %v", r.Grant, r.Past)
			}
		default:
			t.Errorf("got %s", r.Reason)
		}
	}
	if admitted != 1 {
		t.Errorf("%d gates admitted one ticket", admitted)
	}
}

func TestAnnulledUseAdmitsAgainOnce(t *testing.T) {
	d := newDesk(t)
	lane := entry.Lane{Name: "in-1", Sensor: true}
	code := d.issuer.Pass(credential.Claims{})
	decide := func() entry.Decision {
		return d.Decide(t.Context(), lane, code, entrytest.Now())
	}
	first := decide()
	if err := d.Settle(t.Context(), first, entry.NotPassed, entrytest.Now()); err != nil {
		t.Fatal(err)
	}
	second := decide()
	if second.Reason != entry.ReasonOK {
		t.Fatalf("after an annulled use: %s", second.Reason)
	}
	if err := d.Settle(t.Context(), second, entry.Passed, entrytest.Now()); err != nil {
		t.Fatal(err)
	}
	if third := decide(); third.Reason != entry.ReasonAlreadyUsed {
		t.Fatalf("after a passage: %s", third.Reason)
	}
}

// Two admissions in a row that nobody used are no accident: a person looks. A passage in between begins anew.
func TestSecondAnnulRefers(t *testing.T) {
	d := newDesk(t)
	lane := entry.Lane{Name: "in-1", Sensor: true}
	many := uint(9)
	d.know.Agreed.Policy.Accept[0].All[0].Uses = &many
	code := d.issuer.Pass(credential.Claims{})
	for i, step := range []struct {
		want    entry.Reason
		passage entry.Passage
	}{
		{entry.ReasonOK, entry.NotPassed}, {entry.ReasonOK, entry.Passed},
		{entry.ReasonOK, entry.NotPassed}, {entry.ReasonOK, entry.NotPassed},
		{entry.ReasonPassback, ""}, {entry.ReasonPassback, ""},
	} {
		dec := d.Decide(t.Context(), lane, code, entrytest.Now())
		if dec.Reason != step.want || dec.Outcome != step.want.Outcome() {
			t.Fatalf("time %d: %s (%s), want %s", i+1, dec.Reason, dec.Outcome, step.want)
		}
		if dec.Outcome == entry.Refer && (len(dec.Past) != 4 || dec.Grant != nil) {
			t.Errorf("referred with past uses %v", dec.Past)
		}
		if err := d.Settle(t.Context(), dec, step.passage, entrytest.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if entry.ReasonPassback.Outcome() != entry.Refer {
		t.Error("nobody is asked to look")
	}
}

// Whoever stood at the gate when the kiosk ended shows the pass again: a person looks whether somebody went in. Later it
// is a used pass.
func TestPassOfAnAdmissionThatTheKioskDidNotSeeEnd(t *testing.T) {
	d := newDesk(t)
	lane := entry.Lane{Name: "in-1", Sensor: true}
	code := d.issuer.Pass(credential.Claims{})
	if dec := d.Decide(t.Context(), lane, code, entrytest.Now()); dec.Reason != entry.ReasonOK {
		t.Fatal(dec.Reason)
	}
	d.ledger.Restart()
	for after, want := range map[time.Duration]entry.Reason{
		30 * time.Second: entry.ReasonPassback, 9 * time.Minute: entry.ReasonPassback, -time.Hour: entry.ReasonPassback,
		10 * time.Minute: entry.ReasonAlreadyUsed, 20 * time.Minute: entry.ReasonAlreadyUsed,
	} {
		now := entrytest.Now()
		now.At = now.At.Add(after)
		if dec := d.Decide(t.Context(), lane, code, now); dec.Reason != want || len(dec.Past) != 1 {
			t.Errorf("%v later: %s, past %v; want %s", after, dec.Reason, dec.Past, want)
		}
	}
}

func TestPassageWithoutSensorCostsNoWrite(t *testing.T) {
	d := newDesk(t)
	dec := d.decide(t, d.issuer.Pass(credential.Claims{}))
	if err := d.Settle(t.Context(), dec, entry.PassageUnknown, entrytest.Now()); err != nil {
		t.Fatal(err)
	}
	if n := len(d.ledger.Events()); n != 1 {
		t.Fatalf("%d events for one admission without a sensor, want 1", n)
	}
	if err := d.Settle(t.Context(), dec, entry.Fault, entrytest.Now()); err != nil {
		t.Fatal(err)
	}
	events := d.ledger.Events()
	if len(events) != 2 || events[1].Passage != entry.Fault || events[1].Of != dec.Event {
		t.Fatalf("a fault of the gate was recorded as %+v", events[1:])
	}
}

func TestRefusalStandsWhenItCannotBeRecorded(t *testing.T) {
	d := newDesk(t)
	d.ledger.Fail(entrytest.ErrInjected, nil)
	dec := d.decide(t, "no pass")
	if dec.Reason != entry.ReasonUnrecognised || !errors.Is(dec.RecordErr, entrytest.ErrInjected) {
		t.Fatalf("got %s with record error %v", dec.Reason, dec.RecordErr)
	}
}

func TestPrivateKindLeavesNothingInTheEvent(t *testing.T) {
	d := newDesk(t)
	one := uint(1)
	d.know.Agreed.Policy.Accept = []entry.Rule{{Name: "health", All: []entry.Clause{
		{Kind: "health", Issuers: []string{"arena"}, Level: []string{"green"}, Uses: &one}}}}
	code := d.issuer.Pass(credential.Claims{Kind: "health", Level: "green"})
	if dec := d.decide(t, code); dec.Reason != entry.ReasonOK {
		t.Fatalf("got %s", dec.Reason)
	}
	if dec := d.decide(t, code); dec.Reason != entry.ReasonAlreadyUsed {
		t.Fatalf("a private kind's uses are counted all the same: got %s", dec.Reason)
	}
	if dec := d.decide(t, d.issuer.Pass(credential.Claims{Kind: "Health", Level: "red"})); dec.Reason != entry.ReasonNotAccepted {
		t.Fatalf("got %s", dec.Reason)
	}
	for _, ev := range d.ledger.Events() {
		if ev.Pass != (entry.PassHash{}) || ev.Level != "" {
			t.Errorf("event of a health pass holds %s and level %q", ev.Pass, ev.Level)
		}
	}
}

// A rival wrote the full ticket secret to its log.
func TestNoSecretInDecisionOrEvent(t *testing.T) {
	d := newDesk(t)
	id := []byte("secret-ticket-id")
	code := d.issuer.Pass(credential.Claims{ID: id, Holder: []byte("holder-pseudonym")})
	for range 2 {
		dec := d.decide(t, code)
		text := fmt.Sprintf("%+v %+v", dec, d.ledger.Events())
		for _, secret := range []string{code, code[4:40], string(id), hex.EncodeToString(id), base64.StdEncoding.EncodeToString(id), "holder-pseudonym", fmt.Sprint(id)} {
			if strings.Contains(text, strings.Trim(secret, "[]")) {
				t.Errorf("a decision or its event prints %q", secret)
			}
		}
	}
}

func TestGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if err := (*entry.Grant)(nil).Spend("in-1", time.Now()); !errors.Is(err, entry.ErrGrantInvalid) {
			t.Errorf("no grant: %v", err)
		}
		if err := new(entry.Grant).Spend("in-1", time.Now()); !errors.Is(err, entry.ErrGrantInvalid) {
			t.Errorf("zero grant: %v", err)
		}
		g := entrytest.Grant(t, "in-1")
		copied := *g
		if err := g.Spend("in-1", time.Now()); err != nil {
			t.Errorf("first use: %v", err)
		}
		if err := copied.Spend("in-1", time.Now()); !errors.Is(err, entry.ErrGrantSpent) {
			t.Errorf("second use, by a copy: %v", err)
		}
		g = entrytest.Grant(t, "in-1")
		if err := g.Spend("in-2", time.Now()); !errors.Is(err, entry.ErrGrantLane) {
			t.Errorf("another lane: %v", err)
		}
		if err := g.Spend("in-1", time.Now()); !errors.Is(err, entry.ErrGrantSpent) {
			t.Errorf("its own lane after another one: %v", err)
		}
		g = entrytest.Grant(t, "in-1")
		time.Sleep(entry.GrantLife + time.Nanosecond) // of the synctest bubble's clock
		if err := g.Spend("in-1", time.Now()); !errors.Is(err, entry.ErrGrantLate) {
			t.Errorf("late: %v", err)
		}
		if entrytest.Grant(t, "in-1").Wide() || !entrytest.WideGrant(t, "in-1").Wide() {
			t.Error("wide is not what the pass says")
		}
	})
}

// A clock that nothing keeps right cannot say that data is fresh; one that is behind goes by the floor, and refers to
// staff where the venue wants that.
func TestUntrustedClock(t *testing.T) {
	for _, c := range []struct {
		clock entry.ClockState
		refer bool
		want  entry.Reason
		stale bool
	}{
		{entry.ClockSynced, true, "ok", false},
		{entry.ClockNeverSynced, true, "ok", true},
		{entry.ClockBehind, false, "ok", true},
		{entry.ClockBehind, true, "clock_untrusted", true},
		{"", false, "ok", true},
	} {
		d := newDesk(t)
		d.know.Agreed.Policy.ReferUntrustedClock = c.refer
		dec := d.Decide(t.Context(), in1, d.issuer.Pass(credential.Claims{}), entry.Moment{At: entrytest.Start, Clock: c.clock})
		if dec.Reason != c.want || dec.Stale != c.stale || dec.Clock != c.clock || (dec.Grant != nil) != (c.want == "ok") {
			t.Errorf("clock %q, refer %v: got %s, stale %v, clock %q, grant %v", c.clock, c.refer, dec.Reason, dec.Stale, dec.Clock, dec.Grant)
		}
	}
}

func TestGrantCarriesTheSignedPulse(t *testing.T) {
	for _, c := range []struct{ pulse, widePulse, want, wantWide time.Duration }{
		{0, 0, 0, 0}, // the gate's own
		{700 * time.Millisecond, 4 * time.Second, 700 * time.Millisecond, 4 * time.Second},
		{700 * time.Millisecond, 2 * time.Second, 700 * time.Millisecond, 2 * time.Second},
		{700 * time.Millisecond, 0, 700 * time.Millisecond, entry.DefaultWidePulse},
		{0, 4 * time.Second, 0, 4 * time.Second},
		// Nobody with a wheelchair has less time than everybody else.
		{5 * time.Second, 0, 5 * time.Second, 5 * time.Second},
		{5 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second},
	} {
		d := newDesk(t)
		d.know.Agreed.Policy.Lanes = map[string]entry.LaneTerms{"in-1": {Pulse: entry.Duration(c.pulse), WidePulse: entry.Duration(c.widePulse)}}
		for claim, want := range map[string]time.Duration{"": c.want, "wide": c.wantWide, "wider": c.want} {
			grant := d.decide(t, d.issuer.Pass(credential.Claims{Grant: claim})).Grant
			if grant.Pulse() != want || grant.Wide() != (claim == "wide") {
				t.Errorf("pulse %v, wide_pulse %v, grant %q: %v, wide %v; want %v", c.pulse, c.widePulse, claim, grant.Pulse(), grant.Wide(), want)
			}
		}
	}
}

func TestVenueKeyTooShort(t *testing.T) {
	if _, err := entry.NewDecider(nil, nil, nil, []byte("short")); err == nil {
		t.Fatal("a short venue key was taken")
	}
}

func TestReasonOf(t *testing.T) {
	if entry.ReasonOf(context.Canceled) != entry.ReasonOutOfOrder {
		t.Error("an error outside the closed set is not out_of_order")
	}
	if entry.ReasonOf(fmt.Errorf("x: %w", &credential.Refusal{Err: credential.ErrTrustUnavailable})) != entry.ReasonOutOfOrder {
		t.Error("an unreadable trust list is not out_of_order")
	}
}
