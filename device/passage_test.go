// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/cache"
	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/entry"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
	"gatehouse/gate/gpio"
)

// newTurnstile is a bench whose lane has a passage sensor and waits two seconds for a passage: a busy machine walks slowly.
func newTurnstile(t *testing.T, with ...func(*bench)) *bench {
	t.Helper()
	b := newBench(t)
	for _, do := range with {
		do(b)
	}
	lane := &b.cfg.Lanes[0]
	lane.GPIO.Passage = gpio.Input{Name: "sensor0"}
	lane.PassageTimeout = entry.Duration(2 * time.Second)
	b.cfg.blind = time.Second // a busy machine does not look for as long as a contact lasts; the gate's tests do, on a clock of their own
	b.start()
	b.importBundle()
	return b
}

// waitLog waits until the log says something for the nth time.
func (b *bench) waitLog(text string, nth int) {
	b.tb.Helper()
	b.wait(text, func() bool { return strings.Count(b.log.String(), text) >= nth })
}

// incidents are the notes of the incidents in the ledger of a kiosk that has ended.
func (b *bench) incidents() (notes []string) {
	b.tb.Helper()
	l, err := cache.OpenLedger(filepath.Join(b.cfg.State, "ledger.db"), cache.LedgerOptions{At: time.Now()})
	b.venue.must(err)
	events, err := l.Events(1, 1000)
	b.venue.must(errors.Join(err, l.Close()))
	for _, ev := range events {
		if ev.Kind == entry.EventIncident {
			notes = append(notes, ev.Note)
		}
	}
	return notes
}

func (b *bench) walk() {
	b.tb.Helper()
	if err := b.board.Walk(b.ctx(), "in-1"); err != nil {
		b.tb.Fatal(err)
	}
}

func TestNobodyWalksThroughAndThePassWorksAgainOnce(t *testing.T) {
	b := newTurnstile(t)
	code := b.pass(credential.Claims{})
	b.expect("ok", code)
	b.waitLog("passage=not_passed", 1)
	b.expect("ok", code)
	b.walk()
	b.waitLog("passage=passed", 1)
	b.expect("already_used", code)
	if s := b.waitStatus("status", func(*client.Status) bool { return true }); s.Lanes[0].Sensor != "well" {
		t.Errorf("the sensor is %q", s.Lanes[0].Sensor)
	}
}

func TestThirdTryOfAPassIsReferred(t *testing.T) {
	b := newTurnstile(t)
	code := b.pass(credential.Claims{})
	for n := range 2 {
		b.expect("ok", code)
		b.waitLog("passage=not_passed", n+1)
	}
	b.expect("passback", code)
	b.mustHalt()
	b.start()
	b.expect("passback", code)
}

func TestLatePassageTakesTheUseAfterAll(t *testing.T) {
	b := newTurnstile(t)
	code := b.pass(credential.Claims{})
	b.expect("ok", code)
	b.waitLog("passage=not_passed", 1)
	b.walk()
	b.waitLog("passage=late_passage", 1)
	b.waitLog("passage=passed", 1)
	b.expect("already_used", code)
	b.walk()
	b.waitLog("passage=unadmitted_passage", 1)
	b.mustHalt()
	if kinds := b.incidents(); strings.Join(kinds, " ") != "late_passage unadmitted_passage" {
		t.Errorf("incidents recorded: %q", kinds)
	}
}

// A passage that nobody was admitted for is written down when the disk is back; the lane answers meanwhile.
func TestUnadmittedPassageOnAStalledDisk(t *testing.T) {
	slow := &slowLedger{}
	b := newTurnstile(t, func(b *bench) {
		b.cfg.ledger = func(l entry.Ledger) entry.Ledger { slow.Ledger = l; return slow }
	})
	slow.stalled.Store(true)
	b.walk()
	b.waitLog("code=GH-304", 1)
	if reason, opened := b.show(b.pass(credential.Claims{})); reason != entry.ReasonRecordFailed || opened {
		t.Errorf("got %s, opened: %v", reason, opened)
	}
}

// The next guest, whose code was read while the passage was awaited, is decided right after it.
func TestNextGuestFollowsThePassage(t *testing.T) {
	b := newTurnstile(t)
	b.expect("ok", b.pass(credential.Claims{}))
	mark := b.board.Mark()
	if err := b.scanner.Scan(b.pass(credential.Claims{})); err != nil {
		t.Fatal(err)
	}
	b.walk()
	if _, err := b.board.WaitEdge(b.ctx(), mark, "in-1", gate.Relay, true); err != nil {
		t.Fatal(err)
	}
	b.walk()
	b.waitLog("passage=passed", 2)
}

// A kiosk that is stopped while it waits does not know; one that dies there does not either, and says so for some minutes.
func TestEndWhileAPassageIsAwaited(t *testing.T) {
	b := newTurnstile(t)
	stopped := b.pass(credential.Claims{})
	b.expect("ok", stopped)
	b.mustHalt()
	b.start()
	b.expect("already_used", stopped)

	died := b.pass(credential.Claims{})
	b.expect("ok", died)
	putBack := b.keep("ledger.db") // what a power cut leaves now
	b.waitLog("passage=not_passed", 1)
	b.mustHalt()
	putBack()
	for _, name := range []string{"floor.a", "floor.b"} { // and the floor knew of nothing later
		b.venue.must(os.Remove(filepath.Join(b.cfg.State, name)))
	}
	b.start()
	b.expect("passback", died)
	b.expect("already_used", stopped)
}

// Without its sensor a lane works on and gives nothing back.
func TestLaneWorksOnWithoutItsSensor(t *testing.T) {
	b := newTurnstile(t)
	b.board.Fail("in-1", gatetest.Passage, gatetest.FailNothingMoved, gatetest.Lasting)
	b.waitStatus("the sensor's fault", func(s *client.Status) bool { return strings.Contains(s.Lanes[0].Sensor, "cannot be read") })
	code := b.pass(credential.Claims{})
	b.expect("ok", code)
	b.expect("already_used", code)
	b.board.Clear("in-1", gatetest.Passage)
	b.waitStatus("the sensor well", func(s *client.Status) bool { return s.Lanes[0].Sensor == "well" })
	b.expect("ok", b.pass(credential.Claims{}))
	b.waitLog("passage=not_passed", 1)
}

func TestSensorThatComesLater(t *testing.T) {
	missing := true
	opened := 0
	s := &inputLine{open: func() (gate.Input, error) {
		opened++
		if missing {
			return nil, gpio.ErrNoLine
		}
		return gatetest.New(gatetest.Config{}).Input("in-1", gate.Passage), nil
	}}
	for range 3 { // it is not tried at every reading
		if _, err := s.Active(); err == nil || opened != 1 {
			t.Fatalf("opened %d times, %v", opened, err)
		}
	}
	missing, s.tried = false, time.Time{}
	if passing, err := s.Active(); passing || err != nil {
		t.Errorf("it is there: %t, %v", passing, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
