// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"crypto/rand"
	"encoding/binary"
	mathrand "math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/cache"
	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/fleet"
)

const (
	manyRevoked = 1_000_000
	manyUses    = 500_000
)

// BenchmarkScanToRelayFull is a kiosk with a million revocations and 500,000 uses in its ledger. Scan by scan a kiosk with
// none takes its turn.
func BenchmarkScanToRelayFull(b *testing.B) {
	full, empty := newScanBench(b, false), newScanBench(b, false)
	full.venue.base = revokedIDs(1)
	fillLedger(b, full)
	for _, k := range []*bench{full, empty} {
		k.start()
		defer k.halt()
	}
	full.importBundle()
	var took, least []time.Duration
	for i := 0; b.Loop(); i++ {
		if i%2 == 0 {
			took = append(took, full.timedScan(full.pass(credential.Claims{})))
		}
		least = append(least, empty.timedScan(empty.pass(credential.Claims{})))
		if i%2 == 1 {
			took = append(took, full.timedScan(full.pass(credential.Claims{})))
		}
	}
	floor := reportTimes(b, "empty-", least)
	b.ReportMetric(float64(reportTimes(b, "", took))/float64(floor), "ratio")
}

// revokedIDs is the base of a list of so many ids, another for each seed.
func revokedIDs(seed uint64) []byte {
	r := mathrand.New(mathrand.NewPCG(seed, 0))
	ids := make([][fleet.RevocationSize]byte, manyRevoked)
	for i := range ids {
		binary.BigEndian.PutUint64(ids[i][:], r.Uint64())
	}
	return fleet.JoinRevocations(ids)
}

// fillLedger has the ledger of a kiosk that does not run remember many admissions.
func fillLedger(b *testing.B, k *bench) {
	b.Helper()
	now := k.clock.Wall()
	l, err := cache.OpenLedger(filepath.Join(k.cfg.State, "ledger.db"), cache.LedgerOptions{At: now, NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	for range manyUses {
		use := entry.Use{Limit: 1, Expires: now.Add(24 * time.Hour), Final: true}
		_, _ = rand.Read(use.Pass[:]) // never fails
		ev := &entry.Event{At: now, Kind: entry.EventDecision, Lane: "in-1", Outcome: entry.Admit, Reason: "ok", Pass: use.Pass,
			Format: string(credential.GH1), Issuer: "arena", PassKind: "ticket", Rule: "day ticket"}
		if err := l.Reserve(b.Context(), ev, use); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
}

// stretch is how many scans a kiosk makes at rest before it makes as many while bundles are applied, and so on.
const stretch = 20

// BenchmarkScanToRelayWhileApplying measures scans while one bundle of a million revocations after the other is imported,
// each with another base. In turn the same kiosk scans at rest. An operation is one scan of each sort; ratio is that of
// the 99th percentiles.
func BenchmarkScanToRelayWhileApplying(b *testing.B) {
	k := newScanBench(b, false)
	k.start()
	defer k.halt()
	bases := [][]byte{revokedIDs(1), revokedIDs(2), revokedIDs(3)} // two are stored at a time
	var busy, idle []time.Duration
	applied := 0
	for b.Loop() {
		idle = append(idle, k.scanToRelay(k.pass(credential.Claims{})))
		if len(idle)%stretch == 0 || len(idle) == b.N {
			applied += k.whileApplying(bases, func() {
				for len(busy) < len(idle) {
					busy = append(busy, k.scanToRelay(k.pass(credential.Claims{})))
				}
			})
		}
	}
	reportTimes(b, "idle-", idle)
	reportTimes(b, "", busy)
	b.ReportMetric(float64(applied), "bundles")
	b.ReportMetric(float64(percentile99(busy))/float64(percentile99(idle)), "ratio")
}

func percentile99(sorted []time.Duration) time.Duration { return sorted[len(sorted)*99/100] }

// whileApplying imports bundles with these bases in turn until scan returns, and tells how many.
func (b *bench) whileApplying(bases [][]byte, scan func()) (applied int) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for ; ; applied++ {
			select {
			case <-done:
				return
			default:
			}
			b.venue.base = bases[b.venue.version%uint64(len(bases))]
			if _, err := b.client.Import(b.ctx(), b.venue.bundle()); err != nil {
				b.tb.Error(err)
				return
			}
		}
	}()
	scan()
	close(done)
	<-ended
	return applied
}
