// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"gatehouse/device/condition"
	"gatehouse/entry"
)

// meter counts what the lanes do, for Prometheus (text exposition format 0.0.4). docs/metrics.md says what each metric means. Its
// labels are lanes, reasons, codes and the like, of which there are few: nothing of a pass or of who holds it.
type meter struct{ set *metrics.Set }

func newMeter() meter { return meter{metrics.NewSet()} }

func (m meter) decided(lane string, r entry.Reason, o entry.Outcome) {
	m.set.GetOrCreateCounter(metric("decisions_total", "lane", lane, "outcome", string(o), "reason", string(r))).Inc()
}

func (m meter) passed(lane string, p entry.Passage) {
	m.set.GetOrCreateCounter(metric("passages_total", "lane", lane, "passage", string(p))).Inc()
}

// relayBuckets are the upper bounds, in seconds, of the times that are counted.
var relayBuckets = []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5}

// toRelay counts the time from the last byte of a code to the relay as a histogram of Prometheus: each bucket has all that
// took as long or less.
func (m meter) toRelay(lane string, took time.Duration) {
	const name = "scan_to_relay_seconds"
	for _, most := range relayBuckets {
		c := m.set.GetOrCreateCounter(metric(name+"_bucket", "lane", lane, "le", strconv.FormatFloat(most, 'g', -1, 64)))
		if took.Seconds() <= most {
			c.Inc()
		}
	}
	m.set.GetOrCreateCounter(metric(name+"_bucket", "lane", lane, "le", "+Inf")).Inc()
	m.set.GetOrCreateFloatCounter(metric(name+"_sum", "lane", lane)).Add(took.Seconds())
	m.set.GetOrCreateCounter(metric(name+"_count", "lane", lane)).Inc()
}

// connected counts the connections to brokers that came about, and those that failed or were lost.
func (m meter) connected(err error) {
	joins, failures := m.set.GetOrCreateCounter(metric("sync_joins_total")), m.set.GetOrCreateCounter(metric("sync_failures_total"))
	if err == nil {
		joins.Inc()
	} else {
		failures.Inc()
	}
}

// metric is a name with its labels, in pairs of name and value.
func metric(name string, labels ...string) string {
	var pairs []string
	for pair := range slices.Chunk(labels, 2) {
		pairs = append(pairs, pair[0]+"="+strconv.Quote(pair[1]))
	}
	if len(pairs) == 0 {
		return "gatehouse_" + name
	}
	return "gatehouse_" + name + "{" + strings.Join(pairs, ",") + "}"
}

// writeMetrics writes all that the kiosk has to tell.
func (k *kiosk) writeMetrics(w io.Writer) {
	k.meter.set.WritePrometheus(w)
	gauges{k, w}.write()
	metrics.WriteProcessMetrics(w)
}

// checkMetrics makes sure that the address is on loopback: metrics say how many people come and go, and have no password.
func checkMetrics(addr string) error {
	if addr == "" {
		return nil
	}
	a, err := netip.ParseAddrPort(addr)
	if err != nil || a.Port() == 0 {
		return fmt.Errorf("%q is no address with a port; write 127.0.0.1:9477", addr)
	}
	if !a.Addr().IsLoopback() {
		return fmt.Errorf("%q is not on loopback, and metrics have no password; write 127.0.0.1:9477 and have an agent on the kiosk, or ssh -L, bring them out", addr)
	}
	return nil
}

// Bounds of the metrics' server.
const (
	scrapeMost = 10 * time.Second
	relisten   = 30 * time.Second
)

// serveMetrics serves GET /metrics until ctx ends, where the config says where. A port that is taken is told, and tried again:
// nothing at the gate waits for who counts.
func (k *kiosk) serveMetrics(ctx context.Context) {
	if k.cfg.Metrics == "" {
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		k.writeMetrics(w)
	})
	for ctx.Err() == nil {
		err := serveUntil(ctx, k.cfg.Metrics, mux, func() { k.health.set(condition.Metrics, nil) })
		if ctx.Err() != nil {
			return
		}
		k.health.set(condition.Metrics, fmt.Errorf("device: metrics: %w", err))
		pause(ctx, relisten)
	}
}

// serveUntil serves an address until ctx ends, and calls listening once it has it.
func serveUntil(ctx context.Context, addr string, h http.Handler, listening func()) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	listening()
	server := &http.Server{Handler: h, ReadHeaderTimeout: scrapeMost, ReadTimeout: scrapeMost, WriteTimeout: 2 * scrapeMost, MaxHeaderBytes: 8 << 10}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
