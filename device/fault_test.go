// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/entry"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
)

// While the relay is known to fail no use is taken: the guest goes to another lane with the ticket.
func TestBrokenGateTakesNoUse(t *testing.T) {
	b := newBench(t)
	b.cfg.Lanes[0].Scanner.SameCode = entry.Duration(time.Hour)
	b.start()
	b.importBundle()
	for _, mode := range []gatetest.Mode{gatetest.FailNothingMoved, gatetest.FailYetMoved, gatetest.Hang} {
		b.board.Fail("in-1", gate.Relay, mode, gatetest.Lasting)
		b.show(b.pass(credential.Claims{})) // by this one it is found out
		b.waitStatus("the gate to be missed", func(s *client.Status) bool { return !s.Ready })
		code := b.pass(credential.Claims{})
		b.expect("out_of_order", code)
		b.board.Clear("in-1", gate.Relay)
		b.waitStatus("the lane to be well again", func(s *client.Status) bool { return s.Ready })
		b.expect("ok", code) // held in front all the while
	}
}

// Noise on the line fills no disk: each refusal is a durable event. The next good code is read all the same.
func TestNoiseIsAnsweredAtAHumanPace(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	began := time.Now()
	for i := 0; time.Since(began) < 5*afterRefusal; i++ {
		if err := b.scanner.Scan(fmt.Sprint("noise ", i)); err != nil {
			t.Fatal(err)
		}
	}
	mark := b.board.Mark()
	if err := b.scanner.Scan(b.pass(credential.Claims{})); err != nil {
		t.Fatal(err)
	}
	if _, err := b.board.WaitEdge(b.ctx(), mark, "in-1", gate.Relay, true); err != nil {
		t.Fatal(err)
	}
	s := b.waitStatus("status", func(*client.Status) bool { return true })
	if most := uint64(time.Since(began)/afterRefusal) + 2; s.Lanes[0].Scans > most {
		t.Errorf("%d scans were answered, at most %d were expected", s.Lanes[0].Scans, most)
	}
}

// A lane works on without a lamp, and says so.
func TestMissingLampKeepsTheLaneReady(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	b.board.Fail("in-1", gate.Red, gatetest.FailNothingMoved, gatetest.Lasting)
	b.expect("unrecognised", "no pass")
	s := b.waitStatus("the lamp to be missed", func(s *client.Status) bool { return strings.Contains(s.Lanes[0].Gate, "red lamp") })
	if !s.Ready {
		t.Error("not ready for want of a lamp")
	}
	b.expect("ok", b.pass(credential.Claims{}))
}

// While a lane is out of service guests try again and again: the log has a line of it now and then, with their number.
func TestScansThatNobodyAnswersAreLoggedNowAndThen(t *testing.T) {
	b := newBench(t)
	b.lines = func(LaneConfig) (gate.Lines, error) { return nil, errors.New("gpio: no such chip") }
	if err := b.scanner.Plug(); err != nil {
		t.Fatal(err)
	}
	b.run()
	b.waitStatus("the scanner", func(s *client.Status) bool { return s.Lanes[0].Scanner == "connected" })
	const scans = 50
	for i := range scans {
		if err := b.scanner.Scan(fmt.Sprint("code ", i)); err != nil {
			t.Fatal(err)
		}
	}
	b.waitStatus("the scans to be counted", func(s *client.Status) bool { return s.Lanes[0].Scans == scans })
	if n := strings.Count(b.log.String(), "the gate is not in service"); n == 0 || n > 3 {
		t.Errorf("%d lines were logged of %d scans", n, scans)
	}
}
