// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/cache"
	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/entry"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
)

func TestFromScanToRelay(t *testing.T) {
	b := newBench(t)
	b.start()
	b.expect("out_of_order", b.pass(credential.Claims{})) // nothing is believed yet
	b.importBundle()

	withdrawn, code := []byte("withdrawn-ticket"), b.pass(credential.Claims{})
	b.expect("ok", code)
	b.expect("unrecognised", "https://example.org/")
	b.expect("already_used", code)
	b.expect("expired", b.pass(credential.Claims{Expires: time.Now().Add(-time.Minute)}))
	b.expect("wrong_venue", b.pass(credential.Claims{Scope: []string{"pool"}}))
	b.expect("not_accepted", b.pass(credential.Claims{Kind: "staff"}))
	b.venue.revoke(withdrawn)
	b.importBundle()
	b.expect("revoked", b.pass(credential.Claims{ID: withdrawn}))

	s := b.waitStatus("status", func(*client.Status) bool { return true })
	if s.Lanes[0].Scans != 8 || s.Lanes[0].Outcomes["admit"] != 1 || s.Ledger.Events != 10 || !s.Ready || s.Data.Freshness != "fresh" {
		t.Errorf("8 scans, 1 admission and 2 changes of trust are reported as %+v", s)
	}
	if chain, err := b.client.CheckLedger(b.ctx()); err != nil || chain.Last != s.Ledger.Events || len(chain.Link) != 64 {
		t.Errorf("the chain of events: %+v %v", chain, err)
	}
	if err := b.halt(); err != nil {
		t.Fatal(err)
	}
}

func TestPulseIsTheConfiguredOne(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	mark := b.board.Mark()
	b.expect("ok", b.pass(credential.Claims{}))
	up, err := b.board.WaitEdge(b.ctx(), mark, "in-1", gate.Relay, true)
	if err != nil {
		t.Fatal(err)
	}
	down, err := b.board.WaitEdge(b.ctx(), mark, "in-1", gate.Relay, false)
	if err != nil {
		t.Fatal(err)
	}
	if pulse := down.Time.Sub(up.Time); pulse < testPulse || pulse > testPulse+time.Second {
		t.Errorf("the relay was up for %v, want %v", pulse, testPulse)
	}
}

func TestRemembersAfterRestart(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	code := b.pass(credential.Claims{})
	b.expect("ok", code)
	if err := b.halt(); err != nil {
		t.Fatal(err)
	}
	b.start() // without importing: trust is remembered as well
	b.expect("already_used", code)
	b.expect("ok", b.pass(credential.Claims{}))
}

func TestOlderAndForgedDocumentsChangeNothing(t *testing.T) {
	b := newBench(t)
	b.start()
	older := b.venue.bundle()
	b.importBundle()
	if _, err := b.client.Import(b.ctx(), older); !errors.Is(err, client.ErrRefused) || !strings.Contains(err.Error(), "older") {
		t.Errorf("an older bundle: %v", err)
	}
	if _, err := b.client.Import(b.ctx(), newVenue(t).bundle()); !errors.Is(err, client.ErrRefused) || !strings.Contains(err.Error(), "not the pinned root") {
		t.Errorf("another fleet's bundle: %v", err)
	}
	if _, err := b.client.Import(b.ctx(), []byte("no bundle")); !errors.Is(err, client.ErrRefused) || !strings.Contains(err.Error(), "malformed") {
		t.Errorf("garbage: %v", err)
	}
	b.expect("ok", b.pass(credential.Claims{}))
}

// A code that is held in front is answered once; when belief changes it is answered again.
func TestBeliefThatChangedAnswersAHeldCodeAgain(t *testing.T) {
	b := newBench(t)
	b.cfg.Lanes[0].Scanner.SameCode = entry.Duration(time.Hour)
	b.start()
	code := b.pass(credential.Claims{})
	b.expect("out_of_order", code)
	if err := b.scanner.Scan(code); err != nil {
		t.Fatal(err)
	}
	b.expect("out_of_order", "another code, read after the repeat")
	if n := b.waitStatus("status", func(*client.Status) bool { return true }).Lanes[0].Scans; n != 2 {
		t.Errorf("%d scans were answered, want 2: a held code is answered once", n)
	}
	b.importBundle()
	b.expect("ok", code)
}

// One bad scan wedged every later one of a rival.
func TestOneBadScanDoesNotWedgeTheNext(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	for _, bad := range []string{
		"GH1:", "HC1:", "GH1:%%%%%", "HC1:NCF", strings.Repeat("A", 4000), "GH1:" + strings.Repeat("0", 4000), "\x00\x01\x02\xff", "]Q1", `]Q2\000026`,
	} {
		if _, opened := b.show(bad + " "); opened {
			t.Fatalf("%q opened the gate", bad)
		}
		b.expect("ok", b.pass(credential.Claims{}))
	}
	if err := b.scanner.Write([]byte(strings.Repeat("B", 20_000) + "\r")); err != nil { // discarded by the framer
		t.Fatal(err)
	}
	b.expect("ok", b.pass(credential.Claims{}))
}

// A panic while a scan is decided ends that scan alone, also while its code is held in front: the guest is refused and
// the next code is read.
func TestPanicEndsOneScan(t *testing.T) {
	b := newBench(t)
	var armed atomic.Bool
	b.clock.Wall = func() time.Time {
		if armed.Swap(false) {
			panic("a piece of the pass")
		}
		return time.Now()
	}
	b.start()
	b.importBundle()
	code := b.pass(credential.Claims{})
	for range 3 {
		mark := b.board.Mark()
		armed.Store(true)
		if err := b.scanner.Scan(code); err != nil {
			t.Fatal(err)
		}
		if _, err := b.board.WaitEdge(b.ctx(), mark, "in-1", gate.Red, true); err != nil {
			t.Fatal(err, b.log)
		}
		if err := b.board.WaitLevel(b.ctx(), "in-1", gate.Red, false); err != nil {
			t.Fatal(err)
		}
	}
	if log := b.log.String(); strings.Count(log, "scan panicked") != 3 || strings.Contains(log, "a piece of the pass") {
		t.Errorf("three panics are logged as:\n%s", log)
	}
	b.expect("ok", code)
}

func TestUnplugAndReplug(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	if err := b.scanner.Unplug(); err != nil {
		t.Fatal(err)
	}
	b.waitStatus("the scanner to be missed", func(s *client.Status) bool {
		return strings.Contains(s.Lanes[0].Scanner, "plug the scanner in")
	})
	if err := b.scanner.Plug(); err != nil {
		t.Fatal(err)
	}
	b.waitStatus("the scanner to be back", func(s *client.Status) bool { return s.Lanes[0].Scanner == "connected" })
	b.expect("ok", b.pass(credential.Claims{}))
}

// The lines of a lane are missing at first: the kiosk says so, admits nobody, and takes the lane up when they come.
func TestMissingLines(t *testing.T) {
	b := newBench(t)
	missing := errors.New("gpio: no such line: relay0")
	lines, first := b.lines, make(chan struct{})
	b.lines = func(l LaneConfig) (gate.Lines, error) {
		select {
		case <-first:
			return lines(l)
		default:
			return nil, missing
		}
	}
	if err := b.scanner.Plug(); err != nil {
		t.Fatal(err)
	}
	b.run()
	s := b.waitStatus("the gate to be missed", func(s *client.Status) bool { return strings.Contains(s.Lanes[0].Gate, missing.Error()) })
	if s.Ready {
		t.Error("ready without lines")
	}
	b.waitStatus("the scanner", func(s *client.Status) bool { return s.Lanes[0].Scanner == "connected" })
	b.expect("out_of_order", "a code, read while there is no gate to answer at")
	close(first)
	b.waitStatus("the lane", func(s *client.Status) bool { return s.Lanes[0].Gate == inService && s.Lanes[0].Scanner == "connected" })
	b.importBundle()
	b.expect("ok", b.pass(credential.Claims{}))
}

// Stopping while the missing lines are looked for is no fault of the kiosk.
func TestStopWhileLinesAreMissing(t *testing.T) {
	b := newBench(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	b.lines = func(LaneConfig) (gate.Lines, error) {
		close(asked)
		<-answer
		return nil, errors.New("gpio: no such chip")
	}
	b.run()
	<-asked
	b.stop()
	close(answer)
	if err := b.halt(); err != nil {
		t.Error(err)
	}
}

// The relay fails both ways. The use is kept, the lane is brought to rest, and works again when the wiring does.
func TestRelayFails(t *testing.T) {
	for _, mode := range []gatetest.Mode{gatetest.FailNothingMoved, gatetest.FailYetMoved} {
		t.Run(string(mode), func(t *testing.T) {
			b := newBench(t)
			b.start()
			b.importBundle()
			b.board.Fail("in-1", gate.Relay, mode, 1)
			code := b.pass(credential.Claims{})
			b.show(code)
			b.waitStatus("the lane to be well again", func(s *client.Status) bool { return s.Lanes[0].Gate == inService })
			if b.board.Level("in-1", gate.Relay) {
				t.Error("the relay is up")
			}
			b.expect("already_used", code)
			b.expect("ok", b.pass(credential.Claims{}))
		})
	}
}

func TestStopIsInert(t *testing.T) {
	for _, inert := range []gate.Inert{gate.Secured, gate.Released} {
		t.Run(string(inert), func(t *testing.T) {
			b := newBench(t)
			b.cfg.Lanes[0].Inert = inert
			b.start()
			b.importBundle()
			mark := b.board.Mark()
			if err := b.scanner.Scan(b.pass(credential.Claims{})); err != nil {
				t.Fatal(err)
			}
			if _, err := b.board.WaitEdge(b.ctx(), mark, "in-1", gate.Relay, true); err != nil {
				t.Fatal(err)
			}
			if err := b.halt(); err != nil { // in the middle of the pulse
				t.Fatal(err)
			}
			if up := b.board.Level("in-1", gate.Relay); up != (inert == gate.Released) {
				t.Errorf("stopped with the relay up: %v", up)
			}
			for _, lamp := range []gate.Output{gate.Green, gate.Red} {
				if b.board.Level("in-1", lamp) {
					t.Errorf("stopped with the %s lamp lit", lamp)
				}
			}
		})
	}
}

// A ledger that is damaged or gone is noticed, also after a restart: passes of limited use wait for a technician, and
// everybody else is admitted.
func TestLostLedger(t *testing.T) {
	unlimited := entry.Rule{Name: "staff", All: []entry.Clause{{Kind: "staff", Issuers: []string{"arena"}}}}
	for name, lose := range map[string]func(path string) error{
		"gone":    os.Remove,
		"cut":     func(path string) error { return os.Truncate(path, 5000) },
		"garbage": func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("garbage", 4096)), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.venue.policy.Accept = append(b.venue.policy.Accept, unlimited)
			b.start()
			b.importBundle()
			used := b.pass(credential.Claims{})
			b.expect("ok", used)
			if err := b.client.AcceptLoss(b.ctx()); !errors.Is(err, client.ErrRefused) {
				t.Errorf("accepted a loss that was none: %v", err)
			}
			if err := b.halt(); err != nil {
				t.Fatal(err)
			}
			if err := lose(filepath.Join(b.cfg.State, "ledger.db")); err != nil {
				t.Fatal(err)
			}
			for range 2 { // and it is not forgotten by another restart
				b.start()
				b.expect("out_of_order", used)
				b.expect("out_of_order", b.pass(credential.Claims{}))
				b.expect("ok", b.pass(credential.Claims{Kind: "staff"}))
				b.waitStatus("the condition", func(s *client.Status) bool {
					return len(s.Conditions) == 1 && strings.Contains(s.Conditions[0].Text, "gatehouse ledger accept-loss")
				})
				if err := b.halt(); err != nil {
					t.Fatal(err)
				}
			}
			b.start()
			if err := b.client.AcceptLoss(b.ctx()); err != nil {
				t.Fatal(err)
			}
			b.expect("ok", b.pass(credential.Claims{}))
			if err := b.halt(); err != nil {
				t.Fatal(err)
			}
			b.start()
			b.expect("ok", b.pass(credential.Claims{}))
		})
	}
}

// A floor that is lost together with a damaged ledger still leaves the damage as a trace.
func TestLostLedgerAndFloor(t *testing.T) {
	b := newBench(t)
	if err := os.MkdirAll(b.cfg.State, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.cfg.State, "ledger.db"), []byte(strings.Repeat("garbage", 4096)), 0o600); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.importBundle()
	b.expect("out_of_order", b.pass(credential.Claims{}))
}

// A kiosk that cannot start drives the inert level of its lanes.
func TestStateThatCannotBeMadeLeavesTheLaneInert(t *testing.T) {
	b := newBench(t)
	if err := os.WriteFile(b.cfg.State, nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	b.cfg.Lanes[0].Inert = gate.Released
	b.run()
	if err := <-b.done; err == nil || !strings.Contains(err.Error(), "state") {
		t.Fatalf("got %v", err)
	}
	b.stop = nil
	if !b.board.Level("in-1", gate.Relay) {
		t.Error("a lane whose inert level is released was not driven")
	}
}

func TestTwoKiosksDoNotShareAState(t *testing.T) {
	b := newBench(t)
	b.start()
	second := newBench(t)
	second.cfg.State, second.cfg.Root = b.cfg.State, b.cfg.Root
	second.run()
	if err := <-second.done; !errors.Is(err, cache.ErrInUse) {
		t.Fatalf("got %v", err)
	}
	second.stop = nil
}

func TestConfiguredBundleIsAppliedAtStart(t *testing.T) {
	b := newBench(t)
	b.cfg.Bundle = filepath.Join(t.TempDir(), "arena.bundle")
	if err := os.WriteFile(b.cfg.Bundle, b.venue.bundle(), 0o600); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.expect("ok", b.pass(credential.Claims{}))
	if err := b.halt(); err != nil {
		t.Fatal(err)
	}
	b.start() // the same file again is no fault
	s := b.waitStatus("status", func(*client.Status) bool { return true })
	if len(s.Conditions) != 0 {
		t.Errorf("conditions after a restart with the same bundle: %+v", s.Conditions)
	}
}

// Nothing of a pass is at rest or in the log: rivals logged whole ticket secrets.
func TestNothingOfAPassIsKept(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	id := []byte("ticket-no-777777")
	code := b.pass(credential.Claims{ID: id, Holder: []byte("holder-pseudonym")})
	b.expect("ok", code)
	b.expect("unrecognised", "not a pass but a secret")
	b.expect("already_used", code)
	if err := b.halt(); err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{"the log": b.log.String()}
	for _, name := range []string{"trust.db", "ledger.db"} {
		file, err := os.ReadFile(filepath.Join(b.cfg.State, name))
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(file)
	}
	if !strings.Contains(texts["the log"], "already_used") {
		t.Fatal("the log has no decision in it")
	}
	for where, text := range texts {
		for _, secret := range []string{code, code[4:60], string(id), hex.EncodeToString(id), "holder-pseudonym", "but a secret"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds %q", where, secret)
			}
		}
	}
}
