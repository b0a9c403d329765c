// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/fleet"
	"gatehouse/fleet/collector"
)

// BenchmarkRegionComesBack has four thousand kiosks come back to one Mosquitto with TLS at one moment, each with a hundred events,
// and the collector come after them: a region's morning after an outage. An operation is until each kiosk has the receipt of all. ratio is
// that time to the time in which the collector takes the same batches from memory, and sent-ratio how many batches left to how many had to.
func BenchmarkRegionComesBack(b *testing.B) {
	for b.Loop() {
		comeBack(b, 4000, 100)
	}
}

func comeBack(b *testing.B, kiosks, events int) {
	r := regionOf(b, kiosks, events)
	store := func() *collector.SQLite {
		s, err := collector.OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "events.db"))
		check(b, err)
		b.Cleanup(func() { s.Close() })
		return s
	}
	took, batches := r.takeWithout(b, store())

	ctx, cancel := context.WithCancel(context.Background())
	defer r.running.Wait()
	defer cancel()
	began := time.Now()
	r.join(ctx, b)
	r.collect(ctx, b, store())
	poll := time.NewTicker(100 * time.Millisecond)
	defer poll.Stop()
	for late := began.Add(20 * time.Minute); ; <-poll.C {
		done := 0
		for _, k := range r.kiosks {
			if k.Receipt().Seq == uint64(events) {
				done++
			}
		}
		if done == kiosks {
			break
		}
		if time.Now().After(late) {
			b.Fatalf("%d of %d kiosks have their receipts in 20 minutes", done, kiosks)
		}
	}
	whole := time.Since(began)
	sent := 0
	for _, k := range r.kiosks {
		sent += k.batches
	}
	b.ReportMetric(whole.Seconds(), "s")
	b.ReportMetric(whole.Seconds()/took.Seconds(), "ratio")
	b.ReportMetric(float64(sent), "batches")
	b.ReportMetric(float64(sent)/float64(batches), "sent-ratio")
}

// takeWithout has a collector take all batches from memory.
func (r *region) takeWithout(b *testing.B, s collector.Store) (took time.Duration, batches int) {
	b.Helper()
	keys, err := r.f.SigningKeys(fleet.RoleCollector)
	check(b, err)
	c := collector.New(s, publicKeyOf, time.Now, keys...)
	for _, k := range r.kiosks {
		for after := 0; after < len(k.events); after += fleet.MaxRecords {
			raw, err := fleet.SignRecords(k.place, time.Now(), *k.batch(uint64(after)), keyOf(k.place))
			check(b, err)
			began := time.Now()
			_, err = c.Take(b.Context(), k.place, raw)
			took += time.Since(began)
			check(b, err)
			batches++
		}
	}
	return took, batches
}
