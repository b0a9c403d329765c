// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"gatehouse/entry/entrytest"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
)

// Whatever comes to a lane, in whatever order, and whatever of it fails or hangs but the relay itself: during a fire it is at
// its level for that and nowhere else, and out of a fire it is never active for longer than MaxActive.
func TestFireWinsAndNoLineStaysActive(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		onFire := rapid.SampledFrom([]gate.Inert{gate.Released, gate.Secured}).Draw(rt, "on fire")
		moves := rapid.SliceOfN(rapid.Custom(drawMove), 1, 30).Draw(rt, "moves")
		var broken []string
		synctest.Test(t, func(t *testing.T) {
			m := &lineModel{machine: &machine{wayOut: newWayOut(t), leave: func() {}}, onFire: onFire}
			m.run(func(_ *wayOut, cfg *gate.Config) { cfg.OnFire = onFire })
			for _, mv := range moves {
				m.play(mv)
			}
			m.halt()
			m.judge()
			broken = m.broken
			time.Sleep(longestMove) // nothing hangs any more
		})
		if len(broken) > 0 {
			rt.Fatal(strings.Join(broken, "\n"))
		}
	})
}

// move is something that happens to the lane.
type move struct {
	what  string
	of    gate.Output // of a fault
	mode  gatetest.Mode
	lasts time.Duration
	pause time.Duration // until the next one
}

const longestMove = 12 * time.Second

func drawMove(rt *rapid.T) move {
	return move{
		what: rapid.SampledFrom([]string{"admit", "wide", "refuse", "exit", "exit", "fire", "fire", "walk", "leave", "fault", "hang", "relay"}).Draw(rt, "what"),
		of: rapid.SampledFrom([]gate.Output{gate.Green, gate.Red, gate.Output(gate.Exit), gate.Output(gate.Passage),
			gate.Output(gate.Fire)}).Draw(rt, "of"),
		mode:  rapid.SampledFrom([]gatetest.Mode{gatetest.FailNothingMoved, gatetest.FailYetMoved, gatetest.Hang}).Draw(rt, "mode"),
		lasts: rapid.SampledFrom([]time.Duration{10 * time.Millisecond, 300 * time.Millisecond, time.Second, 3 * time.Second, longestMove}).Draw(rt, "lasts"),
		pause: rapid.SampledFrom([]time.Duration{time.Millisecond, 60 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second, 7 * time.Second}).Draw(rt, "pause"),
	}
}

// stretch is a time in which something was so.
type stretch struct{ from, to time.Time }

type lineModel struct {
	*machine
	onFire  gate.Inert
	burning bool
	fires   []stretch // settled: from when the lane has to be at its level
	broken  []string  // what was promised and not kept
}

// aware is how long a lane may take to see a fire, and to act on it where its loop hangs in a lamp.
const aware = 2 * time.Second

func (m *lineModel) play(mv move) {
	switch mv.what {
	case "admit":
		m.let(entrytest.Grant(m.t, "north"))
	case "wide":
		m.let(entrytest.WideGrant(m.t, "north"))
	case "refuse":
		m.refuse()
	case "walk":
		m.walk()
	case "leave":
		m.leave()
	case "exit":
		m.board.SetInput("north", gate.Exit, true)
		time.AfterFunc(mv.lasts, func() { m.board.SetInput("north", gate.Exit, false) })
	case "fire":
		m.toggle()
	case "relay":
		m.board.Fail("north", gate.Relay, gatetest.FailNothingMoved, 1)
	case "hang": // of the loop, in a lamp
		m.board.Fail("north", gate.Red, gatetest.Hang, gatetest.Lasting)
		time.AfterFunc(mv.lasts, func() { m.board.Clear("north", gate.Red) })
		m.refuse()
	case "fault":
		m.board.Fail("north", mv.of, mv.mode, gatetest.Lasting)
		if mv.of == gate.Output(gate.Fire) { // a level that nobody reads is none
			time.Sleep(mv.lasts)
			m.board.Clear("north", mv.of)
			time.Sleep(noticed)
		} else {
			time.AfterFunc(mv.lasts, func() { m.board.Clear("north", mv.of) })
		}
	}
	time.Sleep(mv.pause)
}

// toggle has the alarm go on or off.
func (m *lineModel) toggle() {
	m.burning = !m.burning
	m.fire(m.burning)
	if m.burning {
		m.fires = append(m.fires, stretch{from: time.Now().Add(aware)})
		time.Sleep(aware)
		return
	}
	m.fires[len(m.fires)-1].to = time.Now().Add(-noticed)
}

// judge holds the record of the relay to what is promised.
func (m *lineModel) judge() {
	end := time.Now()
	if m.burning {
		m.fires[len(m.fires)-1].to = end
	}
	var active []stretch
	for _, e := range m.board.Edges() {
		switch {
		case e.Output != gate.Relay:
		case e.Active:
			active = append(active, stretch{e.Time, end})
		default:
			active[len(active)-1].to = e.Time
		}
	}
	if m.onFire == gate.Secured {
		for _, a := range active {
			for _, f := range m.fires {
				if a.from.Before(f.to) && f.from.Before(a.to) {
					m.breaks("the lane was open at %v, in a fire", later(a.from, f.from).Sub(m.began))
				}
			}
			m.wantBounded(a)
		}
		return
	}
	for _, f := range m.fires {
		within := false
		for _, a := range active {
			within = within || !a.from.After(f.from) && !a.to.Before(f.to)
		}
		if !within {
			m.breaks("the lane was not open all the time from %v to %v, in a fire", f.from.Sub(m.began), f.to.Sub(m.began))
		}
	}
	for _, a := range active { // what is before the fires and between them
		for _, f := range m.fires {
			if !f.from.After(a.to) && !f.to.Before(a.from) {
				m.wantBounded(stretch{a.from, f.from.Add(-aware)})
				a.from = f.to
			}
		}
		m.wantBounded(a)
	}
}

func (m *lineModel) breaks(format string, args ...any) {
	m.broken = append(m.broken, fmt.Sprintf(format, args...))
}

func (m *lineModel) wantBounded(active stretch) {
	if d := active.to.Sub(active.from); d > gate.MaxActive {
		m.breaks("the relay was active for %v from %v on", d, active.from.Sub(m.began))
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
