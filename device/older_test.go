// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"testing"
	"time"

	"gatehouse/entry"
)

// A list that lags behind the rest is told with its own freshness, and no other document is.
func TestOlderListIsTold(t *testing.T) {
	start := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	terms := &entry.Terms{Lists: map[string]entry.Bands{
		"arena": {Signed: start, FreshUntil: start.Add(time.Hour), HardAfter: start.Add(2 * time.Hour)},
	}}
	for after, want := range map[time.Duration]string{0: "fresh", time.Hour: "stale", 2 * time.Hour: "hard"} {
		now := entry.Moment{At: start.Add(after), Clock: entry.ClockSynced}
		for kind, want := range map[string]string{"revocations/arena": want, "revocations/guest": "", "config": "", "issuers": ""} {
			if got := documentOf(terms, entry.Version{Kind: kind, Scope: "all", Version: 3}, now); got.Freshness != want || got.Kind != kind || got.Version != 3 {
				t.Errorf("%s after %v: %+v, want %q", kind, after, got, want)
			}
		}
	}
}
