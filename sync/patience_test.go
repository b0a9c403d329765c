// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"fmt"
	"testing"
	"time"

	"gatehouse/fleet"
)

// A thousand kiosks that learn of a list at one moment begin to fetch it over the whole of its spread, and each at the
// same moment however often it asks.
func TestKiosksSpreadOverTheStartDelay(t *testing.T) {
	const spread, parts = 10 * time.Minute, 10
	b := fleet.MissingBlob{Base: fleet.Base{Digest: fleet.DigestOf([]byte("a list"))}, Spread: spread}
	learnt := time.Unix(1_800_000_000, 0)
	var begun [parts + 1]int
	for i := range 1000 {
		place, p := fleet.Place{Venue: "arena", Kiosk: fmt.Sprintf("gate-%d", i)}, patience{}
		part := 0
		for !p.over(b, place, learnt.Add(spread*time.Duration(part)/parts)) {
			if part++; part > parts {
				t.Fatalf("%s has not begun when the time is over", place)
			}
		}
		begun[part]++
	}
	for part, n := range begun[1:] {
		if n < 60 || n > 150 {
			t.Errorf("%d of 1000 kiosks begin in part %d: %v", n, part+1, begun)
		}
	}
}

func TestNobodyWaitsWithoutASpreadOrForAnotherList(t *testing.T) {
	place, now, p := fleet.Place{Venue: "arena", Kiosk: "gate-1"}, time.Unix(1_800_000_000, 0), patience{}
	slow := fleet.MissingBlob{Base: fleet.Base{Digest: fleet.DigestOf([]byte("slow"))}, Spread: 1000 * time.Hour}
	quick := fleet.MissingBlob{Base: fleet.Base{Digest: fleet.DigestOf([]byte("quick"))}}
	if p.over(slow, place, now) {
		t.Error("began at once")
	}
	if !p.over(quick, place, now) {
		t.Error("waited for nothing")
	}
}
