// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"sync"
	"time"
)

// waiting holds the passes that wait for a second one, at most one a lane: any other answer at the lane ends the wait.
// They are in memory alone, as codes, so that they are verified again, and are forgotten when their time is over, for
// they may be health or travel passes.
type waiting struct {
	mu    sync.Mutex
	lanes map[string]*waitingPass
}

// waitingPass is a good pass that was shown where a rule wants two.
type waitingPass struct {
	code   string
	at     time.Time
	event  uint64 // 0 where it was not recorded in time
	forget *time.Timer
}

// take ends the wait at a lane and returns what waited there; nil where nothing did.
func (w *waiting) take(lane string) *waitingPass {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.lanes[lane]
	if f != nil {
		f.forget.Stop()
		delete(w.lanes, lane)
	}
	return f
}

// peek returns what waits at a lane and leaves it there; nil where nothing does.
func (w *waiting) peek(lane string) *waitingPass {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lanes[lane]
}

// put has the pass of a decision wait at its lane.
func (w *waiting) put(lane, code string, dec Decision) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lanes == nil {
		w.lanes = map[string]*waitingPass{}
	}
	f := &waitingPass{code: code, at: dec.At, event: dec.Event}
	f.forget = time.AfterFunc(dec.wait, func() { w.drop(lane, f) })
	w.lanes[lane] = f
}

// drop forgets a pass, unless another waits there by now. Whether it still counts for a rule is decided by the moment of
// the decision and not by this.
func (w *waiting) drop(lane string, f *waitingPass) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lanes[lane] == f {
		delete(w.lanes, lane)
	}
}
