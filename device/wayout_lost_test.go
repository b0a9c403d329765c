// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/entry"
	"gatehouse/gate"
	"gatehouse/gate/gpio"
)

// The venue's secret is for the record: without it nobody is let in, and everybody out. It is looked for again.
func TestWayOutWithoutTheVenueKey(t *testing.T) {
	b := newWayOutBench(t)
	b.cfg.reopen = 10 * time.Millisecond
	b.cfg.venueKey, b.cfg.VenueKey = nil, filepath.Join(t.TempDir(), "venue.key")
	b.venue.must(b.scanner.Plug())
	b.run()
	b.wantLetOut()
	b.waitStatus("the stores told", func(s *client.Status) bool { return hasCondition(s, "GH-307") })
	b.venue.must(os.WriteFile(b.cfg.VenueKey, []byte(strings.Repeat("07", 32)), 0o600))
	b.waitStatus("the stores", func(s *client.Status) bool { return !hasCondition(s, "GH-307") && s.Lanes[0].Scanner == "connected" })
	b.importBundle()
	b.expect("ok", b.pass(credential.Claims{}))
}

// Where nobody can be let out without a pass a kiosk without the venue's secret ends, and says that it is a matter of the
// config.
func TestNoVenueKeyAndNoWayOut(t *testing.T) {
	b := newBench(t)
	b.cfg.venueKey, b.cfg.VenueKey = nil, filepath.Join(t.TempDir(), "venue.key")
	b.run()
	if err := <-b.done; !errors.Is(err, ErrVenueKey) || !errors.Is(err, ErrConfig) {
		t.Errorf("got %v", err)
	}
	b.stop = nil
}

// A doctor that reads the stores when the daemon starts keeps nobody in, and the daemon takes them when he has done.
func TestWayOutWhileTheStoresAreRead(t *testing.T) {
	b := newWayOutBench(t)
	b.cfg.reopen = 10 * time.Millisecond
	b.start()
	b.importBundle()
	b.venue.must(b.halt())
	read, err := os.Open(filepath.Join(b.cfg.State, "ledger.db"))
	b.venue.must(err)
	defer read.Close()
	b.venue.must(unix.Flock(int(read.Fd()), unix.LOCK_SH))
	b.run()
	b.wantLetOut()
	b.waitLog("code=GH-307", 1)
	b.wantLetOut()
	b.venue.must(unix.Flock(int(read.Fd()), unix.LOCK_UN))
	b.waitStatus("the lane in service", func(s *client.Status) bool { return s.Lanes[0].Scanner == "connected" })
	b.expect("ok", b.pass(credential.Claims{}))
}

// pressing is a ledger during whose first reservation somebody begins to leave.
type pressing struct {
	entry.Ledger
	press func()
}

func (p *pressing) Reserve(ctx context.Context, ev *entry.Event, uses ...entry.Use) error {
	if p.press != nil {
		p.press()
		p.press = nil
	}
	return p.Ledger.Reserve(ctx, ev, uses...)
}

// A guest whose turn is over before the lane is free has not used his pass: nothing moved for him.
func TestAnExitTakesNoUseOfWhoWaits(t *testing.T) {
	b := newTurnstile(t, func(b *bench) {
		lane := &b.cfg.Lanes[0]
		lane.GPIO.Exit, lane.ExitPulse = gpio.Input{Name: "exit0"}, entry.Duration(entry.GrantLife+time.Second)
		b.cfg.ledger = func(l entry.Ledger) entry.Ledger {
			return &pressing{l, func() {
				b.venue.must(b.board.Press(b.ctx(), "in-1", gate.Exit))
				b.venue.must(b.board.WaitLevel(b.ctx(), "in-1", gate.Relay, true))
			}}
		}
	})
	code := b.pass(credential.Claims{})
	b.venue.must(b.scanner.Scan(code))
	b.waitLog("passage=not_passed", 1)
	b.waitLog("what=exit", 1)
	b.expect("ok", code)
}

// A defect of what runs beside the lanes, here of the clock, ends nothing of the way out: the daemon would come back to it at
// each start.
func TestWayOutBesideAPanic(t *testing.T) {
	for name, after := range map[string]int64{"at the start": 0, "of the upkeep": 40} {
		t.Run(name, func(t *testing.T) {
			b := newWayOutBench(t)
			b.cfg.reopen, b.cfg.upkeep = 10*time.Millisecond, 10*time.Millisecond
			var asked atomic.Int64
			b.clock.Synced = func() bool {
				if asked.Add(1) > after {
					panic("no such clock")
				}
				return true
			}
			b.run()
			b.wait("panics", func() bool { return asked.Load() > after+4 })
			b.wantLetOut()
			b.wantFire(true)
			if err := b.halt(); err != nil {
				t.Error(err)
			}
			if !b.board.Level("in-1", gate.Relay) {
				t.Error("the lane was not left at its level for a fire")
			}
		})
	}
}
