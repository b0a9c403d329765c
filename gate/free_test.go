// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate_test

import (
	"testing"
	"time"

	"gatehouse/entry"
	"gatehouse/entry/entrytest"
	"gatehouse/gate"
)

// In free hours nobody in particular is awaited: the pulse is all, a passage within it is told, and each further one is a
// surprise about the same grant. However long nobody comes, the sensor is not taken for silent.
func TestFreeGrant(t *testing.T) {
	inTurnstile(t, func(t *testing.T, s *turnstile) {
		open := func(during func(), want entry.Passage) {
			t.Helper()
			began := s.now()
			done := s.admit(t.Context(), entrytest.FreeGrant(t, "north"))
			during()
			s.want(<-done, want, began, 7*time.Second)
		}
		for range 30 {
			open(func() {}, entry.PassageUnknown)
		}
		s.wantSurprises()
		open(func() { s.walk() }, entry.Passed)
		open(func() { s.walk(); s.walk(); s.walk() }, entry.Passed)
		s.wantSurprises(string(gate.SecondPassage), string(gate.SecondPassage))
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.sensor) != 0 { // it was well all the time
			t.Errorf("of the sensor was told %q", s.sensor)
		}
	})
}
