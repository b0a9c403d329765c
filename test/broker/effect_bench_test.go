// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"slices"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/fleet/folder"
)

// effectMost is within what time of its publication a revocation is to be refused at the gate.
const effectMost = time.Second

// BenchmarkRevocationToRefusal measures from the moment at which an operator publishes a revocation, its signatures and a
// connection of its own to Mosquitto included, to the answer of the gate to the pass, which is shown as soon as the kiosk says
// that new documents are in force. ratio is that of the 99th percentile to a second.
func BenchmarkRevocationToRefusal(b *testing.B) {
	f := city(b)
	check(b, f.AddIssuer("arena", folder.IssuerOptions{}))
	m := start(b, f)
	apply(b, f, m.Addr)
	serve(b, f, m.Addr)
	k := runKiosk(b, f, one, m.Addr)
	k.until("ready", func(s *client.Status) bool { return s.Data.Freshness == "fresh" && s.Ready })
	var took []time.Duration
	for b.Loop() {
		pass, err := f.Issue("arena", credential.Claims{Kind: "ticket", Scope: []string{"arena"}, Issued: time.Now(), Expires: time.Now().Add(time.Hour)})
		check(b, err)
		_, err = f.Revoke("arena", pass.ID)
		check(b, err)
		head := headOf(k.status())
		began := time.Now()
		apply(b, f, m.Addr)
		k.await("the revocation", func(s *client.Status) bool { return headOf(s) > head })
		scans := k.status().Lanes[0].Scans
		check(b, k.scanners[0].Scan(pass.Code))
		answered := k.await("an answer", func(s *client.Status) bool { return s.Lanes[0].Scans > scans })
		took = append(took, time.Since(began))
		if last := answered.Lanes[0].Last; last != "revoked" {
			b.Fatalf("a revoked pass: %s", last)
		}
	}
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	b.ReportMetric(float64(took[len(took)/2])/1e6, "p50-ms")
	b.ReportMetric(float64(p99)/1e6, "p99-ms")
	b.ReportMetric(p99.Seconds()/effectMost.Seconds(), "ratio")
}

// headOf is the version of the head in force, 0 before the first.
func headOf(s *client.Status) uint64 {
	for _, d := range s.Data.Documents {
		if d.Kind == "head" {
			return d.Version
		}
	}
	return 0
}
