// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"gatehouse/device/client"
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

// One issuer fails beside others: its band is its own, and theirs is that of the whole.
func TestAnIssuersBandIsItsOwnInTheMetrics(t *testing.T) {
	var text bytes.Buffer
	gauges{w: &text}.data(client.Data{Freshness: "fresh", Documents: []client.Document{
		{Kind: "config", Scope: "all"}, {Kind: "revocations/arena", Scope: "all"}, {Kind: "revocations/guest", Scope: "all", Freshness: "hard"},
	}})
	for _, want := range []string{
		`gatehouse_data_band{band="fresh"} 1`,
		`gatehouse_issuer_data_band{issuer="arena",band="fresh"} 1`, `gatehouse_issuer_data_band{issuer="arena",band="hard"} 0`,
		`gatehouse_issuer_data_band{issuer="guest",band="fresh"} 0`, `gatehouse_issuer_data_band{issuer="guest",band="hard"} 1`,
	} {
		if !strings.Contains(text.String(), want+"\n") {
			t.Errorf("no %s in\n%s", want, text.String())
		}
	}
}
