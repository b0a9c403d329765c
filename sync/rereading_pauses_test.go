// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"testing"
	"time"
)

// Nobody asks while nothing is lacking; who lacks something asks within seconds, and ever more seldom in vain.
func TestReadingAgainHasPauses(t *testing.T) {
	var r rereading
	rhythm, now := calm(), time.Unix(1_800_000_000, 0)
	asked := func(span time.Duration) (times []time.Time) {
		for end := now.Add(span); now.Before(end); now = now.Add(rhythm.tick) {
			if r.over(now, &rhythm) {
				times = append(times, now)
			}
		}
		return times
	}
	if n := len(asked(time.Hour)); n != 0 {
		t.Errorf("asked %d times for nothing", n)
	}
	began := now
	r.lacking = true
	times := asked(24 * time.Hour)
	if len(times) == 0 || times[0].Sub(began) > 2*rhythm.reread {
		t.Fatalf("first asked after %v", times)
	}
	if n := len(times); n < 90 || n > 300 {
		t.Errorf("asked %d times in a day", n)
	}
	r.lacking = false
	if n := len(asked(time.Hour)); n != 0 {
		t.Errorf("asked %d times when all was there", n)
	}
	r.old, began = true, now
	if times := asked(time.Minute); len(times) == 0 || times[0].Sub(began) > 2*rhythm.reread {
		t.Errorf("the pauses did not begin anew: %v", times)
	}
}
