// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/entry/entrytest"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
)

// Opened tells nothing of an admission that was answered as stuck: its caller may be at the next guest.
func TestOpenedIsNotToldAfterTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opened atomic.Int32
		b := on(t, gate.Config{Opened: func(time.Time) { opened.Add(1) }}, nil)
		time.Sleep(time.Second)
		b.board.Fail("north", gate.Relay, gatetest.Hang, gatetest.Lasting)
		o := <-b.admit(t.Context(), entrytest.Grant(t, "north"))
		b.wantFault(o, gate.ErrStuck, o.at)
		b.board.Clear("north", gate.Relay)
		time.Sleep(5 * time.Second)
		if n := opened.Load(); n != 0 {
			t.Errorf("told %d times", n)
		}
		if b.board.Level("north", gate.Relay) {
			t.Error("the lane stays open")
		}
		if err := b.end(); err != nil {
			t.Error(err)
		}
	})
}

// Nor is it told while the admission is answered as stuck: what it does is over when the caller goes on.
func TestTheAnswerComesAfterOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := false // unguarded: the race detector looks too
		b := on(t, gate.Config{Opened: func(time.Time) {
			time.Sleep(5 * time.Second) // an overloaded machine
			told = true
		}}, nil)
		time.Sleep(time.Second)
		o := <-b.admit(t.Context(), entrytest.Grant(t, "north"))
		if !told {
			t.Error("answered while Opened was told")
		}
		if !errors.Is(o.err, gate.ErrStuck) {
			t.Errorf("%v: nothing is shown", o.err)
		}
		if err := b.end(); err != nil {
			t.Error(err)
		}
	})
}
