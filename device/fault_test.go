// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
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
