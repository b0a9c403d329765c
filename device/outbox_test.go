// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/cache"
	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/entry"
)

// Weeks without a collector: where what waits for it takes all its room, refusals are left out and told of, and whom the
// kiosk lets in never is.
func TestAFullOutboxDropsRefusalsAndNoAdmission(t *testing.T) {
	b := newBench(t)
	b.cfg.noSync = true // of the many events below; what is tested is no power cut
	b.cfg.Ledger.SizeMiB = minSizeMiB
	b.cfg.Sync.Brokers = []string{"127.0.0.1:1"} // nobody is there
	b.cfg.upkeep = 20 * time.Millisecond
	b.venue.must(os.MkdirAll(b.cfg.State, 0o700))
	l, err := cache.OpenLedger(filepath.Join(b.cfg.State, "ledger.db"), cache.LedgerOptions{At: time.Now(), NoSync: true})
	b.venue.must(err)
	for range 600 {
		b.venue.must(l.Record(t.Context(), &entry.Event{At: time.Now(), Clock: entry.ClockSynced, Kind: entry.EventIncident, Note: strings.Repeat("x", 30<<10)}))
	}
	b.venue.must(l.Close())
	b.start()
	b.importBundle()
	b.waitStatus("the outbox told of", func(s *client.Status) bool {
		return slices.ContainsFunc(s.Conditions, func(c client.Condition) bool { return c.Code == "GH-653" })
	})
	ticket := b.pass(credential.Claims{})
	b.expect("ok", ticket)
	b.expect("already_used", ticket)
	b.expect("unrecognised", "no pass")
	b.mustHalt()

	l, err = cache.OpenLedger(filepath.Join(b.cfg.State, "ledger.db"), cache.LedgerOptions{At: time.Now()})
	b.venue.must(err)
	events, err := l.Events(601, 100)
	b.venue.must(errors.Join(err, l.Close()))
	var outcomes []string
	for _, ev := range events {
		if ev.Kind == entry.EventDecision {
			outcomes = append(outcomes, string(ev.Outcome))
		}
	}
	if len(outcomes) != 1 || outcomes[0] != string(entry.Admit) {
		t.Errorf("decisions recorded: %v; want the admission alone", outcomes)
	}
}
