// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"log/slog"
	"testing"
	"time"

	"gatehouse/fleet"
)

// A broker can hold an order back for as long as a connection stands. One that is old for certain opens nothing, whoever stands
// at the gate by then; a kiosk that nothing tells the time knows the connection only.
func TestAnOrderThatWasHeldBackIsNotObeyed(t *testing.T) {
	for name, c := range map[string]struct {
		turn func(*handClock)
		age  time.Duration // of the order, by the right time
		want string        // the code; "refused" is for the lane, which is not there
	}{
		"just given":                  {age: time.Second, want: "refused"},
		"by a clock that runs ahead":  {age: -time.Hour, want: "refused"},
		"a while under way":           {age: oldOrder, want: "refused"},
		"held back":                   {age: oldOrder + time.Second, want: "stale"},
		"held back over the day":      {age: 8 * time.Hour, want: "stale"},
		"held back, the clock behind": {func(h *handClock) { h.wall, h.synced = time.Unix(0, 0), false }, 8 * time.Hour, "stale"},
		"nothing tells the time":      {func(h *handClock) { h.synced = false }, 8 * time.Hour, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			h := &handClock{wall: winter, synced: true}
			o := office{&kiosk{time: newTimekeeper(t, h), log: slog.New(slog.DiscardHandler)}}
			if c.turn != nil {
				h.set(c.turn)
			}
			order := &fleet.Command{Action: fleet.ActionOpen, Lane: "in-1", Reason: "pushchair", Issued: winter.Add(-c.age)}
			if r := o.Obey(t.Context(), order); r.Done || r.Code != c.want {
				t.Errorf("%+v, wanted %s", r, c.want)
			}
		})
	}
}
