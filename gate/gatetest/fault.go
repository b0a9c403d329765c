// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gatetest

import (
	"errors"

	"gatehouse/gate"
)

// ErrInjected is wrapped by every failure of a [Board] in its own process that was asked for. Over the socket
// its text arrives, the sentinel does not.
var ErrInjected = errors.New("as asked for by the test")

// Mode is a way to fail.
type Mode string

const (
	// FailNothingMoved: the call fails and the level stays.
	FailNothingMoved Mode = "failed, nothing moved"
	// FailYetMoved: the call fails and the level changes all the same.
	FailYetMoved Mode = "failed, yet moved"
	// Hang: the call does not return until the fault is cleared; then it moves the output and succeeds.
	Hang Mode = "hangs"
)

// Lasting as the number of times of a fault means until it is cleared.
const Lasting = 0

type fault struct {
	mode   Mode
	times  int           // how often it will still be met; Lasting
	lifted chan struct{} // closed when it is cleared
}

// Fail makes the next calls for an output of a lane fail, as many times as told or Lasting. It replaces the fault that
// the output had, and lets go of the calls that hang in it.
func (b *Board) Fail(lane string, o gate.Output, m Mode, times int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lift(output{lane, o})
	b.faults[output{lane, o}] = &fault{mode: m, times: times, lifted: make(chan struct{})}
}

// Clear ends the fault of an output of a lane. Calls that hang in it go on.
func (b *Board) Clear(lane string, o gate.Output) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lift(output{lane, o})
}

// lift ends a fault; b.mu is held.
func (b *Board) lift(o output) {
	if f := b.faults[o]; f != nil {
		close(f.lifted)
		delete(b.faults, o)
	}
}

// takeFault returns the fault that a call meets, if any; b.mu is held. A fault that is used up lets later calls
// pass, yet stays in place for the calls that hang in it.
func (b *Board) takeFault(o output) *fault {
	f := b.faults[o]
	switch {
	case f == nil || f.times < 0:
		return nil
	case f.times == Lasting:
		return f
	case f.times == 1:
		f.times = -1
	default:
		f.times--
	}
	return f
}
