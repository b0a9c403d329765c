// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/entry"
	"gatehouse/entry/entrytest"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
)

// Whatever the lane is at, a request to exit opens it at once, and an admission under way ends as unknown.
func TestExitFromEveryState(t *testing.T) {
	for name, before := range map[string]func(w *wayOut) <-chan outcome{
		"secured": func(w *wayOut) <-chan outcome { return nil },
		"refused": func(w *wayOut) <-chan outcome {
			if err := w.gate.Refuse(w.t.Context()); err != nil {
				w.t.Error(err)
			}
			return nil
		},
		"open": func(w *wayOut) <-chan outcome { return w.enter() },
		"awaited": func(w *wayOut) <-chan outcome {
			done := w.enter()
			time.Sleep(2 * time.Second)
			return done
		},
		"fault": func(w *wayOut) <-chan outcome {
			w.board.Fail("north", gate.Relay, gatetest.FailNothingMoved, gatetest.Lasting)
			w.wantFault(<-w.enter(), gate.ErrFault, w.now())
			w.wantState("fail")
			w.board.Clear("north", gate.Relay)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWayOut(t, nil, func(t *testing.T, w *wayOut) {
				done := before(w)
				w.press()
				w.wantOpen(true)
				w.wantDeparted("exit_began")
				if done != nil {
					if o := <-done; o.passage != entry.PassageUnknown || o.err != nil {
						t.Errorf("the admission under way: %+v", o)
					}
				}
				grant := entrytest.Grant(t, "north")
				if _, err := w.gate.Admit(t.Context(), grant); !errors.Is(err, gate.ErrBusy) || errors.Is(err, gate.ErrFire) {
					t.Errorf("an admission meanwhile: %v", err)
				}
				w.walk() // whoever leaves
				time.Sleep(gate.DefaultExitPulse)
				w.wantOpen(false)
				w.wantDeparted("exit_began", "exit_ended")
				w.walk() // as the turnstile still allows
				w.wantSurprises()
				w.wantState("<nil>")
				time.Sleep(awaited)
				w.walk()
				w.wantSurprises("unadmitted_passage")
				if o := <-w.admit(t.Context(), entrytest.Grant(t, "north")); o.err != nil {
					t.Errorf("the next guest: %+v", o)
				}
			})
		})
	}
}

// An exit does not cut a guest's pulse short.
func TestExitKeepsTheLongerPulse(t *testing.T) {
	inWayOut(t, nil, func(t *testing.T, w *wayOut) {
		began := w.now()
		w.admit(t.Context(), signed(t, 6*time.Second))
		time.Sleep(time.Second)
		w.press()
		time.Sleep(began + 5900*time.Millisecond - w.now())
		w.wantOpen(true)
		time.Sleep(200 * time.Millisecond)
		w.wantOpen(false)
	})
}

// People who leave one after the other keep the lane open, never beyond MaxActive at a time, and it opens for them again.
func TestManyExits(t *testing.T) {
	inWayOut(t, nil, func(t *testing.T, w *wayOut) {
		w.board.SetInput("north", gate.Exit, true)
		time.Sleep(2 * time.Minute)
		w.wantInput(gate.Exit, gate.ErrInputStuck.Error())
		w.wantOpenings(func(active, pause time.Duration) bool {
			return active <= gate.MaxActive && active > gate.MaxActive-time.Second && pause <= 300*time.Millisecond
		}, 14)
		w.board.SetInput("north", gate.Exit, false)
		time.Sleep(gate.MaxActive)
		w.wantInput(gate.Exit, "<nil>")
		w.board.Forget()
		for range 5 {
			w.press()
			time.Sleep(2 * time.Second)
		}
		time.Sleep(gate.MaxActive)
		w.wantOpenings(func(active, _ time.Duration) bool { return active > 2*time.Second && active <= gate.MaxActive }, 1)
	})
}

// wantOpenings holds every time that the relay was active, and the pause after it, to ok.
func (w *wayOut) wantOpenings(ok func(active, pause time.Duration) bool, least int) {
	w.t.Helper()
	var edges []gatetest.Edge
	for _, e := range w.board.Edges() {
		if e.Output == gate.Relay {
			edges = append(edges, e)
		}
	}
	n := 0
	for ; len(edges) >= 3; edges = edges[2:] {
		n++
		if active, pause := edges[1].Time.Sub(edges[0].Time), edges[2].Time.Sub(edges[1].Time); !edges[0].Active || !ok(active, pause) {
			w.t.Errorf("active for %v, then shut for %v", active, pause)
		}
	}
	if n < least {
		w.t.Errorf("%d openings, want %d", n, least)
	}
}

// A relay that fails for a moment is tried again for as long as somebody wants out.
func TestExitInsists(t *testing.T) {
	inWayOut(t, nil, func(t *testing.T, w *wayOut) {
		w.board.Fail("north", gate.Relay, gatetest.FailNothingMoved, 20)
		w.press()
		w.wantState("fail")
		w.wantOpen(false)
		time.Sleep(time.Second)
		w.wantOpen(true)
		w.wantState("<nil>")
		time.Sleep(gate.DefaultExitPulse)
		w.wantOpen(false)
	})
}

// What is wrong with one input is told, and keeps nobody in: neither by the other inputs nor by itself once it is whole.
func TestInputsThatFail(t *testing.T) {
	for _, mode := range []gatetest.Mode{gatetest.FailNothingMoved, gatetest.Hang} {
		for _, broken := range gate.Contacts() {
			t.Run(fmt.Sprint(broken, " ", mode), func(t *testing.T) {
				inWayOut(t, nil, func(t *testing.T, w *wayOut) {
					w.board.Fail("north", gate.Output(broken), mode, gatetest.Lasting)
					time.Sleep(3 * time.Second)
					w.wantInput(broken, gate.ErrInput.Error())
					if broken != gate.Exit {
						w.wantLetsOut()
					}
					if broken != gate.Fire {
						w.fire(true)
						w.wantOpen(true)
						w.fire(false)
						w.wantOpen(false)
					}
					if o := <-w.admit(t.Context(), entrytest.Grant(t, "north")); o.err != nil {
						t.Errorf("a guest: %+v", o)
					}
					w.board.Clear("north", gate.Output(broken))
					time.Sleep(time.Second)
					w.wantInput(broken, "<nil>")
					w.wantLetsOut()
					w.fire(true)
					w.wantOpen(true)
				})
			})
		}
	}
}

// During a fire the line stays at its level, and nobody is admitted.
func TestFire(t *testing.T) {
	inWayOut(t, nil, func(t *testing.T, w *wayOut) {
		done := w.enter()
		time.Sleep(2 * time.Second)
		w.fire(true)
		if o := <-done; o.passage != entry.PassageUnknown || o.err != nil {
			t.Errorf("the admission under way: %+v", o)
		}
		w.board.Forget()
		grant := entrytest.Grant(t, "north")
		if _, err := w.gate.Admit(t.Context(), grant); !errors.Is(err, gate.ErrFire) || !errors.Is(err, gate.ErrBusy) {
			t.Errorf("admitted: %v", err)
		}
		if err := grant.Spend("north", time.Now()); err != nil {
			t.Errorf("the grant of whom the fire kept out: %v", err)
		}
		if err := w.gate.Refuse(t.Context()); !errors.Is(err, gate.ErrFire) {
			t.Errorf("refused: %v", err)
		}
		w.press()
		w.walk()
		time.Sleep(10 * time.Minute)
		// Neither a reading that fails nor the driver's trouble ends it.
		w.board.Fail("north", gatetest.Fire, gatetest.FailNothingMoved, gatetest.Lasting)
		w.board.Fail("north", gate.Relay, gatetest.FailNothingMoved, 3)
		time.Sleep(time.Minute)
		w.board.Clear("north", gatetest.Fire)
		time.Sleep(time.Minute)
		w.wantEdges()
		w.wantOpen(true)
		w.wantState("<nil>")
		w.wantDeparted("fire_began")
		w.wantSurprises()
		w.fire(false)
		w.wantOpen(false)
		w.wantDeparted("fire_began", "fire_ended")
		w.wantLetsOut()
	})
}

// The lane comes back through its inert level.
func TestFireEndsByTheInertLevel(t *testing.T) {
	inWayOut(t, func(_ *wayOut, cfg *gate.Config) { cfg.Inert, cfg.OnFire = gate.Released, gate.Secured }, func(t *testing.T, w *wayOut) {
		w.fire(true)
		w.press() // fire outranks it
		w.wantOpen(false)
		w.wantDeparted("fire_began")
		w.board.Forget()
		w.fire(false)
		var relay []string
		for _, e := range w.board.Edges() {
			relay = append(relay, e.String())
		}
		if want := []string{"north relay on", "north relay off"}; !slices.Equal(relay, want) {
			t.Errorf("after the fire %q, want %q", relay, want)
		}
	})
}

// A kiosk that ends or starts during a fire closes nothing, and neither does the watch of a loop that hangs.
func TestFireOutlastsTheKiosk(t *testing.T) {
	inWayOut(t, nil, func(t *testing.T, w *wayOut) {
		w.fire(true)
		w.board.Forget()
		if err := w.end(); err != nil {
			t.Error(err)
		}
		w.run(nil)
		time.Sleep(time.Second)
		w.wantEdges()
		w.wantOpen(true)
	})
	inWayOut(t, nil, func(t *testing.T, w *wayOut) {
		w.board.Fail("north", gate.Red, gatetest.Hang, gatetest.Lasting)
		if err := w.gate.Refuse(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(3 * time.Second)
		w.wantState(gate.ErrStuck.Error())
		w.fire(true) // the loop cannot
		w.wantOpen(true)
		w.board.Clear("north", gate.Red)
		time.Sleep(time.Second)
		w.wantState("<nil>")
		w.wantOpen(true)
		w.fire(false)
		w.wantOpen(false)
	})
}

// Somebody who holds the button when the kiosk comes up is let out.
func TestExitAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWayOut(t)
		w.board.SetInput("north", gate.Exit, true)
		w.run(nil)
		w.wantOpen(true)
		if err := w.end(); err != nil {
			t.Error(err)
		}
		w.wantOpen(false)
		w.wantDeparted("exit_began", "exit_ended")
	})
}

func TestWayOutConfig(t *testing.T) {
	board := gatetest.New(gatetest.Config{})
	for name, cfg := range map[string]gate.Config{
		"an input that is none": {Inputs: map[gate.Contact]gate.Input{"window": board.Input("north", gate.Exit)}},
		"a level on fire":       {OnFire: "ajar"},
		"an exit pulse":         {ExitPulse: gate.MaxActive + 1},
	} {
		cfg.Lane = "north"
		if _, err := gate.New(cfg, board.Lines("north")); !errors.Is(err, gate.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
