// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/entry"
	"gatehouse/entry/entrytest"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
)

func TestPulse(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  gate.Config
		wide bool
		off  string
	}{
		{"default", gate.Config{}, false, "500ms"},
		{"configured", gate.Config{Pulse: 120 * time.Millisecond, WidePulse: time.Second}, false, "120ms"},
		{"wide default", gate.Config{}, true, "3s"},
		{"wide configured", gate.Config{WidePulse: 5 * time.Second}, true, "5s"},
		{"wide, and long for everybody", gate.Config{Pulse: 4 * time.Second}, true, "4s"},
		{"longest leaves the watch its time", gate.Config{Pulse: gate.MaxActive}, false, "7.75s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := on(t, c.cfg, nil)
				make := entrytest.Grant
				if c.wide {
					make = entrytest.WideGrant
				}
				o := <-b.admit(t.Context(), make(t, "north"))
				off, _ := time.ParseDuration(c.off)
				b.wantAdmitted(o, off)
				synctest.Wait()
				b.wantEdges("0s relay on", "0s green on", c.off+" relay off", c.off+" green off")
				if err := b.end(); err != nil {
					t.Error(err)
				}
				if n := len(b.edges()); n != 4 {
					t.Errorf("%d edges after the end, want no more than the 4", n)
				}
			})
		})
	}
}

func TestGrantsThatMoveNothing(t *testing.T) {
	for _, c := range []struct {
		name  string
		grant func(t *testing.T, b *bench) *entry.Grant
		is    error
	}{
		{"nil", func(*testing.T, *bench) *entry.Grant { return nil }, entry.ErrGrantInvalid},
		{"zero", func(*testing.T, *bench) *entry.Grant { return new(entry.Grant) }, entry.ErrGrantInvalid},
		{"another lane", func(t *testing.T, _ *bench) *entry.Grant { return entrytest.Grant(t, "south") }, entry.ErrGrantLane},
		{"late", func(t *testing.T, _ *bench) *entry.Grant {
			g := entrytest.Grant(t, "north")
			time.Sleep(entry.GrantLife + 1) // the bubble's clock: no real time passes
			return g
		}, entry.ErrGrantLate},
		{"reused", func(t *testing.T, b *bench) *entry.Grant {
			g := entrytest.Grant(t, "north")
			<-b.admit(t.Context(), g)
			synctest.Wait()
			b.board.Forget()
			return g
		}, entry.ErrGrantSpent},
		{"a copy of a spent one", func(t *testing.T, b *bench) *entry.Grant {
			g := entrytest.Grant(t, "north")
			copied := *g
			<-b.admit(t.Context(), g)
			synctest.Wait()
			b.board.Forget()
			return &copied
		}, entry.ErrGrantSpent},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := on(t, gate.Config{}, nil)
				grant := c.grant(t, b)
				p, err := b.gate.Admit(t.Context(), grant)
				if p != entry.Fault || !errors.Is(err, c.is) {
					t.Errorf("Admit returned %q, %v; want %q, %v", p, err, entry.Fault, c.is)
				}
				b.wantEdges()
				// The lane works on for the next guest.
				if p, err := b.gate.Admit(t.Context(), entrytest.Grant(t, "north")); p != entry.PassageUnknown || err != nil {
					t.Errorf("the next admission: %q, %v", p, err)
				}
				if err := b.end(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestSecondAdmitDuringAPulseIsBusyAndUnspent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := on(t, gate.Config{}, nil)
		first := b.admit(t.Context(), entrytest.Grant(t, "north"))
		time.Sleep(300 * time.Millisecond)
		grant := entrytest.Grant(t, "north")
		b.wantFault(<-b.admit(t.Context(), grant), gate.ErrBusy, 300*time.Millisecond)
		if err := b.gate.Refuse(t.Context()); !errors.Is(err, gate.ErrBusy) {
			t.Errorf("Refuse during a pulse: %v", err)
		}
		b.wantAdmitted(<-first, 500*time.Millisecond)
		b.wantAdmitted(<-b.admit(t.Context(), grant), time.Second)
		synctest.Wait()
		b.wantEdges("0s relay on", "0s green on", "500ms relay off", "500ms green off",
			"500ms relay on", "500ms green on", "1s relay off", "1s green off")
		if err := b.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := on(t, gate.Config{}, nil)
		refuse := func() {
			t.Helper()
			if err := b.gate.Refuse(t.Context()); err != nil {
				t.Error(err)
			}
		}
		refuse()
		time.Sleep(time.Second)
		refuse() // starts the time again
		time.Sleep(2 * time.Second)
		b.wantEdges("0s red on", "2.5s red off")

		refuse() // at 3 s
		time.Sleep(100 * time.Millisecond)
		b.wantAdmitted(<-b.admit(t.Context(), entrytest.Grant(t, "north")), 3600*time.Millisecond)
		time.Sleep(5 * time.Second)
		b.wantEdges("0s red on", "2.5s red off", "3s red on",
			"3.1s relay on", "3.1s green on", "3.1s red off", "3.6s relay off", "3.6s green off")

		refuse()
		if _, err := b.gate.Admit(t.Context(), nil); !errors.Is(err, entry.ErrGrantInvalid) {
			t.Errorf("Admit(nil) while red: %v", err)
		}
		synctest.Wait()
		if !b.board.Level("north", gate.Red) {
			t.Error("a grant that was refused put the red lamp out")
		}
		if err := b.end(); err != nil {
			t.Error(err)
		}
		if b.board.Level("north", gate.Red) {
			t.Error("the red lamp is lit after the end")
		}
	})
}

func TestCancelMidPulse(t *testing.T) {
	t.Run("of Admit", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := on(t, gate.Config{}, nil)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			b.wantAdmitted(<-b.admit(ctx, entrytest.Grant(t, "north")), 200*time.Millisecond)
			synctest.Wait()
			b.wantEdges("0s relay on", "0s green on", "200ms relay off", "200ms green off")
			if err := b.end(); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("of Run", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := on(t, gate.Config{}, nil)
			done := b.admit(t.Context(), entrytest.Grant(t, "north"))
			time.Sleep(200 * time.Millisecond)
			if err := b.end(); err != nil {
				t.Error(err)
			}
			b.wantAdmitted(<-done, 200*time.Millisecond)
			b.wantEdges("0s relay on", "0s green on", "200ms relay off", "200ms green off")
		})
	})
}

func TestAdmitWhoseContextEndedMovesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := on(t, gate.Config{}, nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		grant := entrytest.Grant(t, "north")
		if p, err := b.gate.Admit(ctx, grant); p != entry.Fault || !errors.Is(err, context.Canceled) {
			t.Errorf("Admit returned %q, %v", p, err)
		}
		b.wantEdges()
		if err := grant.Spend("north", time.Now()); err != nil {
			t.Errorf("the grant was spent: %v", err)
		}
		if err := b.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestAfterRunEverythingIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := on(t, gate.Config{}, nil)
		if err := b.end(); err != nil {
			t.Error(err)
		}
		if p, err := b.gate.Admit(t.Context(), entrytest.Grant(t, "north")); p != entry.Fault || !errors.Is(err, gate.ErrStopped) {
			t.Errorf("Admit: %q, %v", p, err)
		}
		if err := b.gate.Refuse(t.Context()); !errors.Is(err, gate.ErrStopped) {
			t.Errorf("Refuse: %v", err)
		}
		if err := b.gate.Run(t.Context()); !errors.Is(err, gate.ErrStopped) {
			t.Errorf("Run again: %v", err)
		}
		b.wantEdges()
	})
}

func TestInertReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := on(t, gate.Config{Inert: gate.Released}, nil)
		b.wantEdges("0s relay on", "0s relay off") // inert at the start, secured in service
		b.wantAdmitted(<-b.admit(t.Context(), entrytest.Grant(t, "north")), 500*time.Millisecond)
		time.Sleep(500 * time.Millisecond)
		if err := b.end(); err != nil {
			t.Error(err)
		}
		b.wantEdges("0s relay on", "0s relay off", "0s relay on", "0s green on",
			"500ms relay off", "500ms green off", "1s relay on")
	})
}

func TestAliveTicksWhateverTheLaneDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := on(t, gate.Config{}, nil)
		time.Sleep(2 * time.Second)
		<-b.admit(t.Context(), entrytest.WideGrant(t, "north"))
		b.board.Fail("north", gate.Relay, gatetest.FailNothingMoved, gatetest.Lasting)
		<-b.admit(t.Context(), entrytest.Grant(t, "north"))
		time.Sleep(5 * time.Second)
		b.board.Clear("north", gate.Relay)
		if err := b.end(); err != nil {
			t.Error(err)
		}
		if len(b.alive) < 19 {
			t.Errorf("%d ticks in 10 s: %v", len(b.alive), b.alive)
		}
		last := time.Duration(0)
		for _, at := range b.alive {
			if at-last > time.Second {
				t.Errorf("no tick between %v and %v", last, at)
			}
			last = at
		}
	})
}

func TestNewRefusesBadConfig(t *testing.T) {
	lines := gatetest.New(gatetest.Config{}).Lines("north")
	for name, cfg := range map[string]gate.Config{
		"no lane":         {},
		"short pulse":     {Lane: "north", Pulse: gate.MinPulse - 1},
		"negative pulse":  {Lane: "north", Pulse: -time.Second},
		"long pulse":      {Lane: "north", Pulse: gate.MaxActive + 1},
		"long wide pulse": {Lane: "north", WidePulse: gate.MaxActive + 1},
		"long refusal":    {Lane: "north", Refusal: gate.MaxActive + 1},
		"unknown inert":   {Lane: "north", Inert: "open"},
	} {
		if _, err := gate.New(cfg, lines); !errors.Is(err, gate.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := gate.New(gate.Config{Lane: "north"}, nil); !errors.Is(err, gate.ErrConfig) {
		t.Errorf("no lines: %v", err)
	}
}
