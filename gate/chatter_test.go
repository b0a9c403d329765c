// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate_test

import (
	"testing"
	"time"

	"gatehouse/gate"
)

// A fire contact that chatters is an alarm all the time: nobody meets a lane that shuts between two of its levels.
func TestFireContactThatChatters(t *testing.T) {
	for name, half := range map[string]time.Duration{"slowly": 400 * time.Millisecond, "fast": 3 * noticed} {
		t.Run(name, func(t *testing.T) {
			inWayOut(t, nil, func(t *testing.T, w *wayOut) {
				w.fire(true)
				w.wantOpen(true)
				w.board.Forget()
				for range 20 {
					w.board.SetInput("north", gate.Fire, false)
					time.Sleep(half)
					w.board.SetInput("north", gate.Fire, true)
					time.Sleep(half)
				}
				w.wantEdges()
				w.wantDeparted("fire_began")
				w.fire(false)
				time.Sleep(time.Second)
				w.wantOpen(false)
				w.wantDeparted("fire_began", "fire_ended")
			})
		})
	}
}
