// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/entry"
)

// Users of rivals ask for two codes for one entry: here through a whole kiosk. A code that is held in front is answered once, and again when another
// one has changed what it is worth: else a guest whose first pass was read a moment ago would stand there for ever.
func TestTwoPassesForOneEntry(t *testing.T) {
	b := newBench(t)
	b.cfg.Lanes[0].Scanner.SameCode = entry.Duration(time.Hour)
	green := func(kind string) entry.Clause {
		return entry.Clause{Kind: kind, Issuers: []string{"arena"}, Level: []string{"green"}, MaxAge: entry.Duration(24 * time.Hour)}
	}
	b.venue.policy.Accept = []entry.Rule{{Name: "both", All: []entry.Clause{green("health"), green("travel")}}}
	b.start()
	b.importBundle()
	pass := func(kind, who string) string {
		return b.pass(credential.Claims{Kind: kind, Level: "green", Holder: append(make([]byte, 12), who...), Issued: b.clock.Wall().Add(-time.Minute)})
	}
	health, travel, other := pass("health", "li  "), pass("travel", "li  "), pass("travel", "wang")
	b.expect("second_pass_needed", health)
	if err := b.scanner.Scan(health); err != nil { // held in front
		t.Fatal(err)
	}
	b.expect("different_holder", other)
	if n := b.waitStatus("status", func(*client.Status) bool { return true }).Lanes[0].Scans; n != 2 {
		t.Errorf("%d scans were answered, want 2: a held code is answered once", n)
	}
	b.expect("second_pass_needed", travel)
	b.expect("ok", health)
	if s := b.waitStatus("status", func(*client.Status) bool { return true }); s.Lanes[0].Scans != 4 {
		t.Errorf("%d scans were answered, want 4", s.Lanes[0].Scans)
	}
}

// The config is reloaded while the first of two passes waits: it is answered again, also while it is held in front, and the
// second by the new rule.
func TestReloadWhileAPassWaits(t *testing.T) {
	b := newBench(t)
	b.cfg.Lanes[0].Scanner.SameCode = entry.Duration(time.Hour)
	two := []entry.Clause{{Kind: "staff", Issuers: []string{"arena"}}, {Kind: "escort", Issuers: []string{"arena"}}}
	b.venue.policy.Accept = []entry.Rule{{Name: "both", All: two}}
	b.start()
	b.importBundle()
	pass := func(kind string) string {
		return b.pass(credential.Claims{Kind: kind, Holder: append(make([]byte, 12), "li  "...)})
	}
	staff, escort := pass("staff"), pass("escort")
	b.expect("second_pass_needed", staff)
	b.importBundle() // the same again: what waits goes on waiting
	b.expect("ok", escort)
	b.expect("second_pass_needed", staff)
	b.venue.policy.Accept = []entry.Rule{{Name: "staff", All: two[:1]}}
	b.importBundle()
	b.expect("ok", staff) // alone now, and held in front
	b.venue.policy.Accept = []entry.Rule{{Name: "both", All: two}}
	b.importBundle()
	b.expect("second_pass_needed", escort) // the one from before was answered since
}
