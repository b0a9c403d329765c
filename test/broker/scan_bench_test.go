// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/fleet/collector"
	"gatehouse/fleet/folder"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
	running "gatehouse/test/mosquitto"
)

const (
	scanLanes    = 8    // the next scan is at the next lane, so that none waits for the end of a pulse
	scansEach    = 2000 // at rest, and as many under load
	stretch      = 40   // of either sort, in turn
	queuedEvents = 100_000
)

// BenchmarkScanToRelayWhileABaseArrives measures scans while one base of a million revocations after the other comes over
// Mosquitto with TLS and is taken on, by the head that names it until it is in force. In turn the same kiosk scans at rest.
// ratio is that of the 99th percentiles.
func BenchmarkScanToRelayWhileABaseArrives(b *testing.B) {
	for b.Loop() {
		s := newScans(b)
		lists := newLists(b, s.folder, 3)
		running.ServeFrom(b, s.folder, s.broker.Addr, lists, lists.Blob)
		s.start()
		bases := 0
		for ; len(s.busy) < scansEach; bases++ {
			version := lists.publish(b, s.broker.Addr)
			before := len(s.busy)
			for arrived := false; !arrived; arrived = headOf(s.k.status()) >= version && len(s.k.status().Data.Incomplete) == 0 {
				for range scanLanes {
					s.busy = append(s.busy, s.scan())
				}
			}
			for range len(s.busy) - before {
				s.idle = append(s.idle, s.scan())
			}
		}
		b.ReportMetric(float64(bases), "bases")
		s.report()
	}
}

// BenchmarkScanToRelayWhileEventsLeave measures scans while the kiosk delivers a hundred thousand events over Mosquitto with
// TLS to the office. In turn that is stopped, and the same kiosk scans at rest. It ends when all events have left. What an
// office takes of processor and disk is nothing of a kiosk's: here it yields the one, and keeps its database in memory. ratio
// is that of the 99th percentiles.
func BenchmarkScanToRelayWhileEventsLeave(b *testing.B) {
	for b.Loop() {
		s := newScans(b)
		fillLedger(b, filepath.Join(homeOf(s.folder, one), "state", "ledger.db"), queuedEvents)
		config := filepath.Join(s.folder.Dir(), "fleet.yaml")
		text, err := os.ReadFile(config)
		check(b, err)
		check(b, os.WriteFile(config, append(text, "\nbroker: "+s.broker.Addr+"\n"...), 0o600))
		memory, err := os.MkdirTemp("/dev/shm", "gatehouse-bench-")
		check(b, err)
		b.Cleanup(func() { os.RemoveAll(memory) })
		db := filepath.Join(memory, "events.db")
		office := runProgram(b, "gatehouse-fleet", "serve", "--folder", s.folder.Dir(), "--db", db)
		check(b, syscall.Setpriority(syscall.PRIO_PROCESS, office.cmd.Process.Pid, 19))
		s.start()
		signal := func(g syscall.Signal) { check(b, office.cmd.Process.Signal(g)) }
		store, err := collector.OpenSQLite(b.Context(), db)
		check(b, err)
		b.Cleanup(func() { store.Close() })
		s.k.until("the first events received", func(*client.Status) bool { return tip(b, store) > 0 })
		first := tip(b, store)
		for len(s.busy) < scansEach && tip(b, store) < queuedEvents {
			for range stretch {
				s.busy = append(s.busy, s.scan())
			}
			signal(syscall.SIGSTOP)
			for range stretch {
				s.idle = append(s.idle, s.scan())
			}
			signal(syscall.SIGCONT)
		}
		b.ReportMetric(float64(tip(b, store)-first), "events")
		s.report()
	}
}

// scans is a kiosk with some lanes, each with a scan of its own at a time.
type scans struct {
	b      *testing.B
	folder *folder.Folder
	broker mosquitto
	k      *kiosk
	codes  []string
	marks  []gatetest.Mark // of each lane's last scan
	n      int

	idle, busy []time.Duration
}

// newScans is a fleet whose kiosk does not run yet, with passes for all scans.
func newScans(b *testing.B) *scans {
	b.Helper()
	s := &scans{b: b, folder: city(b), marks: make([]gatetest.Mark, scanLanes)}
	check(b, s.folder.AddIssuer("arena", folder.IssuerOptions{}))
	s.broker = start(b, s.folder)
	apply(b, s.folder, s.broker.Addr)
	_, _, _ = configOf(b, s.folder, one, s.broker.Addr, scanLanes) // for the certificate that the ledger's events are of
	s.issue(2 * scansEach)
	return s
}

// issue makes further passes.
func (s *scans) issue(n int) {
	s.b.Helper()
	now := time.Now()
	for range n {
		p, err := s.folder.Issue("arena", credential.Claims{Kind: "ticket", Scope: []string{"arena"}, Issued: now, Expires: now.Add(24 * time.Hour)})
		check(s.b, err)
		s.codes = append(s.codes, p.Code)
	}
}

func (s *scans) start() {
	s.b.Helper()
	s.k = runKioskAt(s.b, s.folder, one, s.broker.Addr, scanLanes, synced())
	s.k.until("every lane in service", func(st *client.Status) bool {
		return st.Data.Freshness == "fresh" && !slices.ContainsFunc(st.Lanes, func(l client.Lane) bool { return l.Gate != "in service" || l.Scanner != "connected" })
	})
	for range scanLanes {
		s.scan()
	}
}

// scan shows a new pass to the next lane once that is at rest, and returns the time until its relay was up.
func (s *scans) scan() time.Duration {
	s.b.Helper()
	if s.n == len(s.codes) { // a slow machine takes longer for a base
		s.issue(stretch)
	}
	at := s.n % scanLanes
	lane, code := fmt.Sprintf("in-%d", at+1), s.codes[s.n]
	if s.n >= scanLanes {
		_, err := s.k.board.WaitEdge(s.b.Context(), s.marks[at], lane, gate.Green, false) // the last of a pulse
		check(s.b, err)
	}
	s.n++
	s.marks[at] = s.k.board.Mark()
	began := time.Now()
	check(s.b, s.k.scanners[at].Scan(code))
	up, err := s.k.board.WaitEdge(s.b.Context(), s.marks[at], lane, gate.Relay, true)
	check(s.b, err)
	return up.Time.Sub(began)
}

func (s *scans) report() {
	p99 := func(took []time.Duration, name string) float64 {
		slices.Sort(took)
		p99 := took[len(took)*99/100]
		s.b.ReportMetric(float64(took[len(took)/2])/1e3, name+"p50-µs")
		s.b.ReportMetric(float64(p99)/1e3, name+"p99-µs")
		return float64(p99)
	}
	s.b.ReportMetric(float64(len(s.busy)), "scans")
	idle := p99(s.idle, "idle-")
	s.b.ReportMetric(p99(s.busy, "")/idle, "ratio")
}
