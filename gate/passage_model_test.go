// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate_test

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/entry/entrytest"
	"gatehouse/gate/gatetest"
)

// What guests do at a turnstile that locks again turnstileWait after its pulse began: none of it may let more people in on a
// pass than it has uses, whatever the sensor does, as long as it is not silent for good.
const turnstileWait = awaited - 2*time.Second

func TestNoMorePeopleThanUses(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		acts := rapid.SliceOfN(rapid.Custom(drawAct), 1, 25).Draw(rt, "acts")
		synctest.Test(t, func(t *testing.T) {
			m := newPassageModel(t)
			for _, a := range acts {
				m.play(a)
				if t.Failed() {
					break
				}
			}
			time.Sleep(awaited + 4*time.Second) // no reading hangs any more
			if err := m.end(); err != nil {
				t.Error(err)
			}
		})
		if t.Failed() {
			rt.FailNow()
		}
	})
}

// act is one guest who shows a pass.
type act struct {
	pass    int
	walks   bool
	after   time.Duration // from the relay to the walk
	blind   time.Duration // from the relay to when the sensor fails; 0 is never
	blinded time.Duration // how long
	mode    gatetest.Mode
	restart bool // the kiosk dies after the relay rose
}

func drawAct(rt *rapid.T) act {
	ms := func(name string, from, to int) time.Duration {
		return time.Duration(rapid.IntRange(from, to).Draw(rt, name)) * time.Millisecond
	}
	return act{
		pass:  rapid.IntRange(0, 2).Draw(rt, "pass"),
		walks: rapid.Bool().Draw(rt, "walks"), after: ms("after", 0, int(turnstileWait/time.Millisecond)-1),
		blind: ms("blind", -4000, int(awaited/time.Millisecond)), blinded: ms("blinded", 1, 3000),
		mode:    rapid.SampledFrom([]gatetest.Mode{gatetest.FailNothingMoved, gatetest.Hang}).Draw(rt, "mode"),
		restart: rapid.IntRange(0, 9).Draw(rt, "restart") == 0,
	}
}

type passageModel struct {
	*turnstile
	ledger  *entrytest.Ledger
	decider *entry.Decider
	codes   []string
	inside  []int
}

func newPassageModel(t *testing.T) *passageModel {
	issuer := entrytest.NewIssuer(t, "arena")
	m := &passageModel{turnstile: onTurnstile(t), ledger: entrytest.NewLedger(), inside: make([]int, 3)}
	m.decider = entrytest.NewDecider(t, entrytest.NewKnowledge(issuer), m.ledger)
	for range m.inside {
		m.codes = append(m.codes, issuer.Pass(credential.Claims{}))
	}
	return m
}

// play has one guest show a pass, as a lane answers, and walk where the turnstile lets him.
func (m *passageModel) play(a act) {
	lane := entry.Lane{Name: "north", Sensor: true}
	dec := m.decider.Decide(m.t.Context(), lane, m.codes[a.pass], entrytest.Now())
	if dec.Grant == nil {
		return
	}
	done := m.admit(m.t.Context(), dec.Grant)
	if a.blind > 0 {
		time.AfterFunc(a.blind, func() { m.board.Fail("north", gatetest.Passage, a.mode, gatetest.Lasting) })
		time.AfterFunc(a.blind+a.blinded, func() { m.board.Clear("north", gatetest.Passage) })
	}
	if a.walks {
		time.Sleep(a.after)
		m.walk()
		if m.inside[a.pass]++; m.inside[a.pass] > 1 {
			m.t.Errorf("%d people are inside on pass %d", m.inside[a.pass], a.pass)
		}
	}
	o := <-done
	if a.restart {
		m.ledger.Restart()
	} else if err := m.decider.Settle(m.t.Context(), dec, o.passage, entrytest.Now()); err != nil {
		m.t.Error(err)
	}
	if a.walks && o.passage == entry.NotPassed {
		m.t.Errorf("a guest who walked through after %v was not seen", a.after)
	}
	time.Sleep(5 * time.Second) // the sensor is whole again, and the next guest comes
}
