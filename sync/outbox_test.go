// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"testing"
	"time"

	"gatehouse/fleet"
)

// sendingAt is a sending with two batches under way since a moment, up to events 20 and 30, of which 10 were received before.
func sendingAt(now time.Time) *sending {
	f, usual := &sending{}, calm()
	f.begin(fleet.Receipt{Seq: 10}, &usual)
	f.sent(20, now)
	f.sent(30, now)
	return f
}

func TestWhatWasLostIsSentAgain(t *testing.T) {
	began := time.Now()
	for name, c := range map[string]struct {
		after time.Duration
		seq   uint64 // of the receipt
		next  uint64 // what was sent up to, then
	}{
		"received":                         {time.Millisecond, 20, 30},
		"all received":                     {time.Millisecond, 30, 30},
		"more than was sent":               {time.Millisecond, 40, 40},
		"a receipt twice":                  {calm().lost - 1, 10, 30},
		"nothing new for long":             {calm().lost, 10, 10},
		"the collector was put back":       {time.Millisecond, 5, 5},
		"the collector was put back, late": {time.Hour, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := sendingAt(began)
			f.answered(c.seq, began.Add(c.after))
			if f.next != c.next || c.next == c.seq && len(f.underWay) > 0 {
				t.Errorf("sent up to %d, %v under way", f.next, f.underWay)
			}
		})
	}
}

// Receipts that say the same again and again, as one who replays them would send, have nothing sent more often than once in a
// while.
func TestReplayedReceiptsCostLittle(t *testing.T) {
	now := time.Now()
	f, batches := sendingAt(now), 0
	for range 6000 { // a minute
		now = now.Add(10 * time.Millisecond)
		f.late(now)
		for last := f.next + 10; last <= 30; last += 10 {
			f.sent(last, now)
			batches++
		}
		f.answered(10, now)
		f.answered(9, now)
	}
	if batches > 2*62 {
		t.Errorf("%d batches were sent again in a minute", batches)
	}
}

// A collector that was away for long is noticed when the centre publishes, not after the longest pause.
func TestNewsEndALongWait(t *testing.T) {
	now := time.Now()
	f := sendingAt(now)
	for f.patience < calm().mostReceipt {
		now = f.due.Add(1)
		f.late(now)
		f.sent(20, now)
	}
	f.late(now.Add(calm().lost + 1))
	if len(f.underWay) == 0 {
		t.Fatal("no long wait")
	}
	f.hears()
	if f.late(now.Add(calm().lost)); len(f.underWay) == 0 {
		t.Error("sent again at once: whoever publishes much would have much sent")
	}
	if f.late(now.Add(calm().lost + 1)); len(f.underWay) > 0 || f.next != 10 {
		t.Errorf("%v are still waited for", f.underWay)
	}
}

// A collector that has a whole country's kiosks to hear is sent little by each until it answers.
func TestTheWindowOpensWithReceipts(t *testing.T) {
	now, usual := time.Now(), calm()
	f := &sending{}
	f.begin(fleet.Receipt{}, &usual)
	for i, want := range []int{1, 2, 3, 4, 4} {
		if f.window != want {
			t.Errorf("after %d receipts a window of %d", i, f.window)
		}
		f.sent(f.next+10, now)
		f.answered(f.next, now)
	}
	f.sent(f.next+10, now)
	if f.late(now.Add(usual.receipt + 1)); f.window != 1 {
		t.Errorf("without a receipt a window of %d", f.window)
	}
}

// What was sent twice is answered twice. The second answer is no sign of a loss: to send again for it would be answered twice as well,
// and so on.
func TestASecondAnswerHasNothingSentAgain(t *testing.T) {
	now := time.Now()
	f := sendingAt(now)
	now = f.due.Add(1)
	f.late(now)
	f.sent(20, now) // again
	f.answered(20, now)
	f.sent(30, now)
	now = now.Add(2 * calm().lost)
	for answer := range 2 { // what was under way: up to 20, and up to 30 without what precedes it
		if f.answered(20, now); f.next != 30 {
			t.Fatalf("second answer %d: sent up to %d", answer, f.next)
		}
	}
	if f.answered(20, now); f.next != 20 {
		t.Errorf("a third answer: sent up to %d, though something was lost", f.next)
	}
}
