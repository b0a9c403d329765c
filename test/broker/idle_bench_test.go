// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"testing"
	"time"

	"gatehouse/device/client"
)

// An idle hour: a beat every minute in the mean, and every ten minutes a new head.
const (
	beatsInAnHour = 60
	headsInAnHour = 6
	maxIdle       = 100e3 // bytes in an hour
)

// BenchmarkIdleHour counts every byte between a kiosk that nobody uses and Mosquitto, TLS included, in both directions: of whole
// rounds from one beat to the next, with what else of keeping the connection falls in, as they come, a minute each; and of new
// heads with all that follows from them, the record of it and its receipt, one after the other. An hour is sixty of the
// ones and six of the others. ratio is to the limit.
func BenchmarkIdleHour(b *testing.B) {
	const beats, heads = 2, 3
	f := city(b)
	m := start(b, f)
	link := newTap(b, f, one, m)
	apply(b, f, m.Addr)
	serve(b, f, m.Addr)
	k := runKiosk(b, f, one, link.addr)
	k.until("documents in force", func(s *client.Status) bool { return s.Data.Freshness == "fresh" })
	for b.Loop() {
		next := func() (wire int64) {
			_, had := link.of("hb")
			k.awaitFor(3*time.Minute, "a beat", func(*client.Status) bool { _, n := link.of("hb"); return n > had })
			<-time.After(2 * time.Second) // and what follows from it
			return link.wire.Load()
		}
		began := next()
		var ended int64
		for range beats {
			ended = next()
		}
		perBeat := float64(ended-began) / beats
		began = link.wire.Load()
		for range heads {
			head := headOf(k.status())
			_, receipts := link.of("ack")
			apply(b, f, m.Addr)
			k.until("the head in force and its record received", func(s *client.Status) bool {
				_, n := link.of("ack")
				return headOf(s) > head && n > receipts
			})
		}
		<-time.After(2 * time.Second)
		perHead := float64(link.wire.Load()-began) / heads
		hour := perBeat*beatsInAnHour + perHead*headsInAnHour
		b.ReportMetric(perBeat, "B/beat")
		b.ReportMetric(perHead, "B/head")
		b.ReportMetric(hour/1e3, "kB/h")
		b.ReportMetric(hour/maxIdle, "ratio")
	}
}
