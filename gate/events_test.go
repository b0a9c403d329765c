// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate_test

import (
	"testing"
	"time"
)

// Forced, held and fire are what access controllers report of a door, and what those who scan tickets alone never learn: each
// is told once, whatever it lasts.
func TestForcedHeldAndFireAreTold(t *testing.T) {
	inWayOut(t, nil, func(t *testing.T, w *wayOut) {
		w.walk() // forced: nobody was admitted
		w.wantSurprises("unadmitted_passage")
		w.board.SetPassing("north", true)
		time.Sleep(2 * time.Minute)
		w.board.SetPassing("north", false)
		time.Sleep(time.Second)
		w.wantSurprises("unadmitted_passage", "unadmitted_passage", "held_passage")
		w.fire(true)
		time.Sleep(2 * time.Minute)
		w.fire(false)
		w.wantDeparted("fire_began", "fire_ended")
		w.board.SetPassing("north", true) // held once more
		time.Sleep(time.Minute)
		w.wantSurprises("unadmitted_passage", "unadmitted_passage", "held_passage", "held_passage")
	})
}
