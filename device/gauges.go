// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"gatehouse/device/client"
	"gatehouse/entry"
	"gatehouse/fleet"
)

// gauges tells Prometheus how the kiosk is at the moment it is asked: what gatehouse status says, in numbers.
type gauges struct {
	*kiosk
	w io.Writer
}

func (g gauges) say(name string, value float64, labels ...string) {
	metrics.WriteGaugeFloat64(g.w, metric(name, labels...), value)
}

func (g gauges) write() {
	s := g.status()
	g.say("build_info", 1, "version", s.Version)
	g.say("ready", truth(s.Ready))
	g.say("start_timestamp_seconds", unixSeconds(s.Started))
	for _, l := range s.Lanes {
		g.say("lane_in_service", truth(l.Gate == inService), "lane", l.Name)
		g.say("lane_scanner_connected", truth(l.Scanner == "connected"), "lane", l.Name)
		g.say("lane_closed", truth(l.Closed != nil), "lane", l.Name)
	}
	for _, l := range g.lanes {
		metrics.WriteCounterUint64(g.w, metric("exits_total", "lane", l.cfg.Name), l.out.left())
	}
	g.conditions(s.Conditions, map[[2]string]bool{})
	g.data(s.Data)
	if !g.isOpen() {
		return
	}
	g.say("clock_synced", truth(s.Clock.State == string(entry.ClockSynced)))
	g.say("clock_timestamp_seconds", unixSeconds(s.Clock.At))
	g.say("ledger_last_event", float64(s.Ledger.Events))
	metrics.WriteCounterUint64(g.w, metric("ledger_commits_total"), s.Ledger.Commits)
	g.network()
}

// conditions says each condition once: one can be told under several others.
func (g gauges) conditions(list []client.Condition, said map[[2]string]bool) {
	for _, c := range list {
		if at := [2]string{c.Code, c.Lane}; !said[at] {
			said[at] = true
			g.say("condition", 1, "code", c.Code, "lane", c.Lane, "severity", c.Severity)
		}
		g.conditions(c.LeadsTo, said)
	}
}

func (g gauges) data(d client.Data) {
	bands := []string{string(entry.Fresh), string(entry.Stale), string(entry.Hard)}
	for _, band := range append(bands, "none") {
		g.say("data_band", truth(d.Freshness == band), "band", band)
	}
	g.say("data_incomplete", float64(len(d.Incomplete)))
	if d.Freshness == "none" {
		return
	}
	g.say("data_signed_timestamp_seconds", unixSeconds(d.Signed))
	g.say("data_fresh_until_timestamp_seconds", unixSeconds(d.FreshUntil))
	g.say("data_hard_after_timestamp_seconds", unixSeconds(d.HardAfter))
	for _, doc := range d.Documents {
		g.say("document_version", float64(doc.Version), "kind", doc.Kind, "scope", doc.Scope)
		if issuer := fleet.Kind(doc.Kind).Issuer(); issuer != "" {
			for _, band := range bands {
				g.say("issuer_data_band", truth(cmp.Or(doc.Freshness, d.Freshness) == band), "issuer", issuer, "band", band)
			}
		}
	}
}

// network says how the kiosk stands with its fleet, where it has one.
func (g gauges) network() {
	if !g.cfg.Sync.on() {
		return
	}
	g.say("sync_joined", truth(g.joined.Load()))
	g.say("ledger_received_event", float64(g.ledger.Receipt().Seq))
	g.say("ledger_limit_bytes", float64(uint64(cmp.Or(g.cfg.Ledger.SizeMiB, defaultSizeMiB))<<20))
	if waiting, err := g.ledger.Waiting(); err == nil {
		g.say("ledger_waiting_bytes", float64(waiting))
	}
	if end, err := certificateEnd(g.cfg.Sync.Certificate); err == nil {
		g.say("certificate_expiry_timestamp_seconds", unixSeconds(end))
	}
}

// certificateEnd is when the first certificate of a PEM file ends.
func certificateEnd(path string) (end time.Time, err error) {
	text, err := readBounded(path, maxPEM)
	if err != nil {
		return end, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return end, fmt.Errorf("device: %s holds no certificate (PEM)", path)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return end, err
	}
	return c.NotAfter, nil
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
