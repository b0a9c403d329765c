// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/cache"
	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/entry"
	"gatehouse/fleet"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
	"gatehouse/gate/gpio"
)

// newWayOutBench is a bench whose lane has an exit and a fire contact.
func newWayOutBench(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	lane := &b.cfg.Lanes[0]
	lane.GPIO.Exit, lane.GPIO.Fire = gpio.Input{Name: "exit0"}, gpio.Input{Name: "fire0"}
	lane.ExitPulse = entry.Duration(300 * time.Millisecond)
	return b
}

// wantLetOut presses the button and waits for the lane to open and to close.
func (b *bench) wantLetOut() {
	b.tb.Helper()
	mark := b.board.Mark()
	b.venue.must(b.board.Press(b.ctx(), "in-1", gate.Exit))
	for _, active := range []bool{true, false} {
		if _, err := b.board.WaitEdge(b.ctx(), mark, "in-1", gate.Relay, active); err != nil {
			b.tb.Fatalf("%v\n%s", err, b.log)
		}
	}
}

// wantFire sets the fire contact and waits for the relay to be at its level for that.
func (b *bench) wantFire(on bool) {
	b.tb.Helper()
	b.board.SetInput("in-1", gate.Fire, on)
	b.venue.must(b.board.WaitLevel(b.ctx(), "in-1", gate.Relay, on))
}

func hasCondition(s *client.Status, code string) bool {
	return slices.ContainsFunc(s.Conditions, func(c client.Condition) bool {
		return c.Code == code || hasCondition(&client.Status{Conditions: c.LeadsTo}, code)
	})
}

// Who leaves is recorded after the line moved, and a guest at the scanner is let in after that.
func TestExitAndFireAreRecorded(t *testing.T) {
	b := newWayOutBench(t)
	b.start()
	b.importBundle()
	b.wantLetOut()
	b.waitLog("what=exit", 1)
	b.expect("ok", b.pass(credential.Claims{}))

	b.wantFire(true)
	b.waitStatus("the fire alarm", func(s *client.Status) bool { return hasCondition(s, "GH-206") })
	mark := b.board.Mark()
	pass := b.pass(credential.Claims{})
	b.expect("lane_closed", pass)
	if _, err := b.client.OpenLane(b.ctx(), "in-1", client.Order{Reason: "let me in"}); err == nil || !strings.Contains(err.Error(), "the fire contact is active") {
		t.Errorf("an order during a fire: %v", err)
	}
	b.wantFire(false)
	b.waitStatus("no fire alarm", func(s *client.Status) bool { return !hasCondition(s, "GH-206") })
	if edges := relayEdges(b, mark); edges != 1 {
		t.Errorf("the relay moved %d times while the alarm was on and at its end", edges)
	}
	b.expect("ok", pass) // no use of it was taken
	b.waitLog("what=fire_ended", 1)
	b.venue.must(b.halt())
	if got, want := b.incidents(), []string{"exit", "fire_began", "fire_ended"}; !slices.Equal(got, want) {
		t.Errorf("recorded %q, want %q", got, want)
	}
}

// A contact that cannot be read, or whose line is gone, is told; the lane works on, and the contact once it is back.
func TestContactsThatAreLost(t *testing.T) {
	for contact, code := range map[gate.Contact]string{gate.Fire: "GH-205", gate.Exit: "GH-204"} {
		t.Run(string(contact), func(t *testing.T) {
			b := newWayOutBench(t)
			b.start()
			b.importBundle()
			b.board.Fail("in-1", gate.Output(contact), gatetest.FailNothingMoved, gatetest.Lasting)
			b.waitLog("code="+code, 1)
			b.expect("ok", b.pass(credential.Claims{}))
			b.board.Clear("in-1", gate.Output(contact))
			b.waitLog("code="+code, 2)
			b.wantLetOut()
			b.wantFire(true)
		})
	}
}

func relayEdges(b *bench, after gatetest.Mark) (n int) {
	_, _ = b.board.Wait(done(), after, func(e gatetest.Edge) bool {
		if e.Output == gate.Relay {
			n++
		}
		return false
	})
	return n
}

// done is a context that has ended.
func done() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// A guest whose scan meets somebody who leaves is let in after that: not a second later than the lane is free.
func TestScanDuringAnExit(t *testing.T) {
	b := newWayOutBench(t)
	b.cfg.Lanes[0].ExitPulse = entry.Duration(time.Second)
	b.start()
	b.importBundle()
	mark := b.board.Mark()
	b.venue.must(b.board.Press(b.ctx(), "in-1", gate.Exit))
	b.expect("ok", b.pass(credential.Claims{}))
	b.waitEdges(mark, true, false, true, false)
}

func (b *bench) waitEdges(mark gatetest.Mark, want ...bool) {
	b.tb.Helper()
	var got []bool
	if _, err := b.board.Wait(b.ctx(), mark, func(e gatetest.Edge) bool {
		if e.Output == gate.Relay {
			got = append(got, e.Active)
		}
		defer func() {
			if len(got) > len(want) {
				got = nil
			}
		}()
		return slices.Equal(got, want)
	}); err != nil {
		b.tb.Fatalf("%v", err)
	}
}

// With no root, no scanner, a ledger that takes nothing or no stores at all: people leave.
func TestWayOutWithoutTheRest(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, b *bench){
		"no documents": func(t *testing.T, b *bench) { b.start() },
		"no scanner": func(t *testing.T, b *bench) {
			b.run()
			b.waitStatus("the gate", func(s *client.Status) bool { return s.Lanes[0].Gate == inService })
		},
		"another fleet's root": func(t *testing.T, b *bench) {
			b.cfg.Root = fleet.Digest{1}
			b.start()
		},
		"a ledger that fails": func(t *testing.T, b *bench) {
			b.cfg.ledger = func(entry.Ledger) entry.Ledger { return deadLedger{} }
			b.start()
		},
		"no stores": func(t *testing.T, b *bench) {
			b.venue.must(os.WriteFile(b.cfg.State, nil, 0o600)) // a file where the folder should be
			b.venue.must(b.scanner.Plug())
			b.run()
			s := b.waitStatus("the stores told", func(s *client.Status) bool { return hasCondition(s, "GH-307") && s.Lanes[0].Gate == inService })
			if s.Ready {
				t.Error("it says that it can admit")
			}
			if _, err := b.client.Import(b.ctx(), []byte("x")); !errors.Is(err, client.ErrRefused) {
				t.Errorf("an import: %v", err)
			}
		},
		"no local API": func(t *testing.T, b *bench) {
			b.cfg.reopen = 10 * time.Millisecond
			b.venue.must(os.MkdirAll(filepath.Join(b.cfg.Run, "status.sock", "in the way"), 0o700))
			b.venue.must(b.scanner.Plug())
			b.run()
			b.waitLog("condition=\"local API\"", 1)
			b.wantLetOut()
			b.venue.must(os.Remove(filepath.Join(b.cfg.Run, "status.sock", "in the way"))) // the kiosk takes the rest away
			b.waitStatus("the local API", func(s *client.Status) bool { return s.Lanes[0].Gate == inService })
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newWayOutBench(t)
			spoil(t, b)
			b.wantLetOut()
			b.wantFire(true)
			b.wantFire(false)
			b.wantLetOut()
			if err := b.halt(); err != nil {
				t.Error(err)
			}
			if b.board.Level("in-1", gate.Relay) {
				t.Error("the lane was not left inert")
			}
		})
	}
}

// deadLedger writes nothing.
type deadLedger struct{}

func (deadLedger) Reserve(context.Context, *entry.Event, ...entry.Use) error { return cache.ErrFull }
func (deadLedger) Record(context.Context, *entry.Event) error                { return cache.ErrFull }
func (deadLedger) Settle(context.Context, *entry.Event, ...entry.PassHash) error {
	return cache.ErrFull
}

func TestDeparturesAreBounded(t *testing.T) {
	w := newWayOut()
	for range maxDepartures + 5 {
		w.take(gate.ExitBegan, time.Now())
		w.take(gate.ExitEnded, time.Now())
	}
	n := 0
	for {
		d, dropped, ok := w.next()
		if dropped > 0 {
			if dropped != 5 || n != maxDepartures || d.at.IsZero() {
				t.Errorf("%d dropped after %d", dropped, n)
			}
			w.done(dropped)
			if _, _, ok := w.next(); ok {
				t.Error("there is more after the last")
			}
			return
		}
		if !ok {
			t.Fatal("nothing was said to be dropped")
		}
		w.done(0)
		n++
	}
}

// The watchdog is fed while the gate's loop reports, and not while it hangs.
func TestWatchdogIsFedByTheGates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "5000000")
	t.Setenv("WATCHDOG_PID", "")
	// told waits for a message, for as long as a watchdog does.
	told := func(want string, most time.Duration) bool {
		t.Helper()
		b := make([]byte, 256)
		if err := socket.SetReadDeadline(time.Now().Add(most)); err != nil {
			t.Fatal(err)
		}
		for {
			n, err := socket.Read(b)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return false
			}
			if err != nil {
				t.Fatal(err)
			}
			if string(b[:n]) == want {
				return true
			}
		}
	}

	const fed = "WATCHDOG=1\n" + extendStart // the stores are not open, and the start may go on for as long as the gates work
	b := newWayOutBench(t)
	b.venue.must(os.WriteFile(b.cfg.State, nil, 0o600)) // a card that is gone restarts nothing
	b.run()
	for range 3 {
		if !told(fed, 20*time.Second) {
			t.Fatal("the watchdog is not fed")
		}
	}
	b.board.Fail("in-1", gate.Relay, gatetest.Hang, gatetest.Lasting)
	b.board.SetInput("in-1", gate.Exit, true)
	if !told(endAtOnce, 20*time.Second) {
		t.Error("a line that may stand open waits for the watchdog")
	}
	b.waitLog("stuck", 1)
	last := time.Now()
	for told(fed, 2*hangs) {
		if time.Since(last) > 10*hangs {
			t.Fatal("the watchdog is fed while the loop hangs")
		}
	}
	b.board.SetInput("in-1", gate.Exit, false)
	b.board.Clear("in-1", gate.Relay)
	if !told(fed, 20*time.Second) {
		t.Error("the loop is back, and the watchdog is not fed")
	}
}
