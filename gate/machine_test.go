// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/entry"
	"gatehouse/entry/entrytest"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
)

// machine is a gate with every contact, and the caller of its newest admission.
type machine struct {
	*wayOut
	leave   context.CancelFunc
	stopped bool
}

// atState brings a machine that is secured into each state of docs/gate.md.
var atState = map[string]func(m *machine){
	"fault": func(m *machine) {
		m.fail()
		m.let(entrytest.Grant(m.t, "north"))
	},
	"secured": func(*machine) {},
	"refused": func(m *machine) { m.refuse() },
	"open":    func(m *machine) { m.let(entrytest.Grant(m.t, "north")) },
	"awaited": func(m *machine) {
		m.let(entrytest.Grant(m.t, "north"))
		time.Sleep(2 * gate.DefaultPulse)
	},
	"exit":    func(m *machine) { m.press() },
	"fire":    func(m *machine) { m.fire(true) },
	"stopped": func(m *machine) { m.halt() },
}

// atInput plays each input of docs/gate.md.
var atInput = map[string]func(m *machine, state string){
	"Admit": func(m *machine, _ string) { m.let(entrytest.Grant(m.t, "north")) },
	"spent grant": func(m *machine, _ string) {
		grant := entrytest.Grant(m.t, "north")
		if err := grant.Spend("north", time.Now()); err != nil {
			m.t.Error(err)
		}
		m.let(grant)
	},
	"Refuse":       func(m *machine, _ string) { m.refuse() },
	"exit contact": func(m *machine, state string) { m.press(); m.mend(state) },
	"fire on":      func(m *machine, state string) { m.fire(true); m.mend(state) },
	"fire off": func(m *machine, state string) {
		if state == "fire" { // else it is off, and stays so
			m.fire(false)
		}
	},
	"passage":       func(m *machine, _ string) { m.walk() },
	"caller leaves": func(m *machine, _ string) { m.leave() },
	"Run ends":      func(m *machine, _ string) { m.halt() },
	"time over":     func(m *machine, state string) { time.Sleep(lasts[state]) },
	"relay fails": func(m *machine, state string) {
		m.fail()
		if state == "secured" || state == "refused" {
			m.let(entrytest.Grant(m.t, "north"))
			return
		}
		time.Sleep(lasts[state])
	},
}

// lasts is how long a state stays by itself; a minute where it stays.
var lasts = map[string]time.Duration{
	"fault": time.Minute, "secured": time.Minute, "fire": time.Minute, "stopped": time.Minute,
	"refused": gate.DefaultRefusal, "open": gate.DefaultPulse, "awaited": awaited, "exit": gate.DefaultExitPulse,
}

// let has somebody admitted, as far as the lane does.
func (m *machine) let(grant *entry.Grant) {
	ctx, leave := context.WithCancel(m.t.Context())
	m.leave = leave
	m.admit(ctx, grant)
	time.Sleep(time.Millisecond)
}

func (m *machine) refuse() { _ = m.gate.Refuse(m.t.Context()) }

func (m *machine) fail() {
	m.board.Fail("north", gate.Relay, gatetest.FailNothingMoved, gatetest.Lasting)
}

// mend has the relay of a lane at fault follow again, so that the next state can be seen: that drives it again and again.
func (m *machine) mend(state string) {
	if state == "fault" {
		m.board.Clear("north", gate.Relay)
		time.Sleep(2 * time.Second)
	}
}

// halt ends the gate. A relay that fails and a lamp that hangs have it say so.
func (m *machine) halt() {
	if m.stopped {
		return
	}
	if err := m.end(); err != nil && !errors.Is(err, gate.ErrFault) && !errors.Is(err, gate.ErrStuck) {
		m.t.Error(err)
	}
	m.stopped = true
}

// state tells the state by what can be seen and asked. A lane that is secured is refused after that.
func (m *machine) state() string {
	synctest.Wait()
	relay, green, red := m.board.Level("north", gate.Relay), m.board.Level("north", gate.Green), m.board.Level("north", gate.Red)
	err := m.gate.Refuse(m.t.Context())
	switch {
	case err == nil && red:
		return "refused"
	case err == nil && !relay:
		return "secured"
	case errors.Is(err, gate.ErrStopped):
		return "stopped"
	case errors.Is(err, gate.ErrFault):
		return "fault"
	case errors.Is(err, gate.ErrFire) && relay:
		return "fire"
	case errors.Is(err, gate.ErrBusy) && relay && green:
		return "open"
	case errors.Is(err, gate.ErrBusy) && relay:
		return "exit"
	case errors.Is(err, gate.ErrBusy):
		return "awaited"
	}
	return "none: " + err.Error()
}

// TestMachine plays each cell of the table in docs/gate.md.
func TestMachine(t *testing.T) {
	inputs, table := readMachine(t)
	for state, row := range table {
		t.Run(state, func(t *testing.T) { playMachine(t, state, state, func(*machine, string) {}) })
		for i, want := range row {
			if want == "·" {
				want = state
			}
			t.Run(state+"/"+inputs[i], func(t *testing.T) { playMachine(t, state, want, atInput[inputs[i]]) })
		}
	}
}

func playMachine(t *testing.T, state, want string, input func(*machine, string)) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{wayOut: newWayOut(t), leave: func() {}}
		m.run(nil)
		atState[state](m)
		input(m, state)
		if got := m.state(); got != want {
			t.Errorf("the state is %s, want %s", got, want)
		}
		m.halt()
	})
}

// A fire that comes while the loop is busy goes before everybody else who waits for it: no edge, not even a short one.
func TestFireGoesBeforeWhoeverWaits(t *testing.T) {
	inWayOut(t, func(_ *wayOut, cfg *gate.Config) { cfg.OnFire = gate.Secured }, func(t *testing.T, w *wayOut) {
		for range 20 {
			w.board.Fail("north", gate.Red, gatetest.Hang, gatetest.Lasting)
			if err := w.gate.Refuse(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.board.SetInput("north", gate.Exit, true)
			guest := w.admit(t.Context(), entrytest.Grant(t, "north"))
			time.Sleep(noticed)
			w.fire(true)
			w.board.Clear("north", gate.Red)
			w.wantFault(<-guest, gate.ErrFire, w.now())
			w.board.SetInput("north", gate.Exit, false)
			time.Sleep(time.Second)
			w.fire(false)
		}
		for _, e := range w.board.Edges() {
			if e.Output == gate.Relay {
				t.Errorf("%v at %v", e, e.Time.Sub(w.began))
			}
		}
	})
}

// readMachine reads the table of states and inputs, and holds it to have each of both.
func readMachine(t *testing.T) (inputs []string, table map[string][]string) {
	t.Helper()
	text, err := os.ReadFile("../docs/gate.md")
	if err != nil {
		t.Fatal(err)
	}
	table = map[string][]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(cells[i], " `")
		}
		switch {
		case len(cells) != len(atInput)+1 || strings.HasPrefix(cells[0], "-"):
		case cells[0] == "state":
			inputs = cells[1:]
		default:
			table[cells[0]] = cells[1:]
		}
	}
	for _, input := range inputs {
		if atInput[input] == nil {
			t.Fatalf("nobody knows the input %q", input)
		}
	}
	for state := range atState {
		if table[state] == nil {
			t.Errorf("the state %s has no row", state)
		}
	}
	if len(inputs) == 0 || len(table) != len(atState) {
		t.Fatalf("the table has %d inputs and %d states", len(inputs), len(table))
	}
	return inputs, table
}
