// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/entry"
)

// Users of rivals ask for an offline mode that still enforces rules, windows and limits, and for weeks of it. Nothing has
// been heard of the centre for two days here: hours, ages, two codes for one entry and uses count all the same, what the
// kiosk cannot know is said, and it ends when the venue said that it does.
func TestRulesAndWindowsCountOffline(t *testing.T) {
	b := newBench(t)
	noon := time.Now().UTC().Truncate(24 * time.Hour).Add(3*24*time.Hour - 12*time.Hour) // the day after tomorrow
	var ahead atomic.Int64
	b.clock.Wall = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	at := func(moment time.Time) { ahead.Store(int64(time.Until(moment))) }

	green := func(kind string) entry.Clause {
		return entry.Clause{Kind: kind, Issuers: []string{"arena"}, Level: []string{"green"},
			MaxAge: entry.Duration(24 * time.Hour), OutageMaxAge: entry.Duration(72 * time.Hour)}
	}
	var day entry.Hours
	if err := day.UnmarshalText([]byte("09:00-18:00")); err != nil {
		t.Fatal(err)
	}
	b.venue.policy.TimeZone = "UTC"
	b.venue.policy.Accept = append(b.venue.policy.Accept, entry.Rule{Name: "both", All: []entry.Clause{green("health"), green("travel")}})
	b.venue.policy.Accept[0].Hours = []entry.Hours{day}
	b.start()
	b.importBundle()

	at(noon)
	pass := func(kind string, age time.Duration) string {
		return b.pass(credential.Claims{Kind: kind, Level: "green", Holder: make([]byte, 16), Issued: b.clock.Wall().Add(-age)})
	}
	ticket := b.pass(credential.Claims{})
	b.expect("ok", ticket)
	b.expect("already_used", ticket)
	b.expect("too_old", pass("health", 73*time.Hour))
	b.expect("second_pass_needed", pass("health", 71*time.Hour)) // no younger one can be had
	b.expect("ok", pass("travel", time.Hour))
	if s := b.waitStatus("status", func(*client.Status) bool { return true }); s.Data.Freshness != "stale" {
		t.Errorf("the data is said to be %s", s.Data.Freshness)
	}
	at(noon.Add(8 * time.Hour))
	b.expect("outside_hours", b.pass(credential.Claims{}))
	at(b.venue.signed.AddDate(0, 0, 7).Add(time.Minute))
	b.expect("stale_data", b.pass(credential.Claims{}))
}
