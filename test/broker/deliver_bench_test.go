// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/cache"
	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/entry"
	"gatehouse/fleet"
	"gatehouse/fleet/collector"
	"gatehouse/fleet/folder"
)

// offlineEvents are what a busy lane records in thirty days.
const offlineEvents = 540_000

// maxGrowth is how much anonymous memory the daemon may take more while it delivers, in bytes.
const maxGrowth = 8e6

// BenchmarkDeliver has the real daemon deliver what it recorded in thirty days without a network, over Mosquitto with TLS, to a
// collector in this process, and before that the collector take the same batches from memory. An operation is all of
// it; ratio is that of the times, and memory-ratio what the daemon's anonymous memory grows by, to its limit.
func BenchmarkDeliver(b *testing.B) {
	for b.Loop() {
		deliver(b, offlineEvents)
	}
}

func deliver(b *testing.B, events int) {
	f := city(b)
	m := start(b, f)
	apply(b, f, m.Addr)
	config, c, _ := configOf(b, f, one, m.Addr, 1)
	fillLedger(b, filepath.Join(homeOf(f, one), "state", "ledger.db"), events)
	alone := takeWithout(b, f)

	d := runProgram(b, "gatehoused", "-config", config)
	k := &kiosk{t: b, client: c}
	k.until("documents in force", func(s *client.Status) bool { return len(s.Data.Documents) > 0 })
	m.Kill() // and all rests for a while
	<-time.After(2 * time.Second)
	before := d.anonymous(b)
	m.Again()
	store := serve(b, f, m.Addr)
	last := k.last()
	var began time.Time
	var first, had uint64
	most := before
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for until := time.Now().Add(20 * time.Minute); had < last; <-poll.C {
		had = tip(b, store)
		if began.IsZero() && had > 0 {
			began, first = time.Now(), had
		}
		most = max(most, d.anonymous(b))
		if time.Now().After(until) {
			b.Fatalf("%d of %d events arrived in 20 minutes\n%s", had, last, d.log)
		}
	}
	each := time.Since(began).Seconds() / float64(last-first)
	if alarms, err := store.Alarms(b.Context()); err != nil || len(alarms) > 0 {
		b.Fatal(alarms, err)
	}
	b.ReportMetric(1/each, "events/s")
	b.ReportMetric(1/alone, "store-events/s")
	b.ReportMetric(each/alone, "ratio")
	b.ReportMetric(float64(most-before)/1e6, "memory-MB")
	b.ReportMetric(float64(most-before)/maxGrowth, "memory-ratio")
}

// fillLedger records admissions in the ledger of a kiosk that does not run, about as long as those of its lanes.
func fillLedger(b *testing.B, path string, events int) {
	b.Helper()
	check(b, os.MkdirAll(filepath.Dir(path), 0o700))
	now := time.Now()
	l, err := cache.OpenLedger(path, cache.LedgerOptions{At: now, NoSync: true})
	check(b, err)
	for range events {
		ev := &entry.Event{At: now, Clock: entry.ClockSynced, Kind: entry.EventDecision, Lane: "in-1", Outcome: entry.Admit, Reason: "ok",
			Format: string(credential.GH1), Issuer: "arena", PassKind: "ticket", Rule: "day ticket"}
		_, _ = rand.Read(ev.Pass[:]) // never fails
		check(b, l.Record(b.Context(), ev))
	}
	check(b, l.Close())
}

// takeWithout has a collector take all batches of the kiosk from memory, and returns the seconds for each event.
func takeWithout(b *testing.B, f *folder.Folder) float64 {
	b.Helper()
	store, err := collector.OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "alone.db"))
	check(b, err)
	keys, err := f.SigningKeys(fleet.RoleCollector)
	check(b, err)
	take := collector.New(store, f.KeyOf, time.Now, keys...)
	l, err := cache.OpenLedger(filepath.Join(homeOf(f, one), "state", "ledger.db"), cache.LedgerOptions{At: time.Now()})
	check(b, err)
	own, err := folder.ReadKioskKey(filepath.Join(homeOf(f, one), "kiosk.key"))
	check(b, err)
	var took time.Duration
	var last uint64
	for {
		r, err := l.Records(last)
		check(b, err)
		if r == nil {
			break
		}
		last = r.Last()
		raw, err := fleet.SignRecords(one, time.Now(), *r, own)
		check(b, err)
		began := time.Now()
		_, err = take.Take(b.Context(), one, raw)
		took += time.Since(began)
		check(b, err)
	}
	check(b, errors.Join(l.Close(), store.Close()))
	return took.Seconds() / float64(last)
}

// tip is how many events of the kiosk have arrived.
func tip(b *testing.B, s *collector.SQLite) uint64 {
	b.Helper()
	tips, err := s.Tips(b.Context())
	check(b, err)
	for l, seq := range tips {
		if l.Kiosk == one {
			return seq
		}
	}
	return 0
}

// program is one of the project's that runs until the benchmark ends.
type program struct {
	cmd *exec.Cmd
	log *strings.Builder // to be read when it has ended
}

func runProgram(b *testing.B, name string, args ...string) *program {
	b.Helper()
	path := filepath.Join(b.TempDir(), name)
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", path, "gatehouse/cmd/"+name).CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	p := &program{cmd: exec.CommandContext(context.Background(), path, args...), log: new(strings.Builder)}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	check(b, p.cmd.Start())
	b.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		if b.Failed() {
			b.Logf("%s:\n%s", name, p.log)
		}
	})
	return p
}

// anonymous is the program's memory that no file backs, in bytes (proc_pid_status(5), RssAnon).
func (p *program) anonymous(b *testing.B) uint64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	check(b, err)
	for l := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(l, "RssAnon:"); ok {
			kB, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			check(b, err)
			return kB << 10
		}
	}
	b.Fatal("no RssAnon")
	return 0
}
