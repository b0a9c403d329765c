// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

//go:build virtual

package virtual

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/cache"
	"gatehouse/fleet"
	"gatehouse/fleet/collector"
	"gatehouse/fleet/folder"
	"gatehouse/test/mosquitto"
)

// network is a fleet that is served over Debian's Mosquitto on the host, and the card of a kiosk that was never brought a
// bundle: what it knows comes over the network.
type network struct {
	fleet  venueFleet
	valve  *valve // between the kiosk and the broker
	broker *mosquitto.Broker
	store  *collector.SQLite
	files  map[string]File
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{fleet: newFleet(t, cutPulse)}
	var join func(string)
	n.valve, join = newValve(t)
	settings, err := os.OpenFile(filepath.Join(n.fleet.Dir(), "fleet.yaml"), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = fmt.Fprintf(settings, "broker: %s:%d\n", HostAddress, n.valve.port)
	must(t, err)
	must(t, settings.Close())

	n.files = cardOf(t, n.fleet)
	delete(n.files, "/etc/gatehouse/"+venue+".bundle")
	n.files["/bin/gatehouse"] = tool
	n.broker = mosquitto.Start(t, n.fleet.Folder, HostAddress)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the broker:\n%s", n.broker.Said())
		}
	})
	join(n.broker.Addr)
	for name, mode := range map[string]uint32{"broker-ca.pem": 0o644, "kiosk.pem": 0o644, "kiosk.key": 0o600} {
		text, err := os.ReadFile(filepath.Join(n.fleet.Dir(), "kiosks", venue, kiosk, name))
		must(t, err)
		n.files["/etc/gatehouse/"+name] = File{Data: text, Mode: mode}
	}
	n.apply(t)
	n.store = mosquitto.Serve(t, n.fleet.Folder, n.broker.Addr)
	return n
}

func (n *network) bench(t *testing.T, clock time.Time) *Bench {
	t.Helper()
	return newBench(t, Config{Lines: kioskLines, Files: n.files, Network: true, Clock: clock, Start: begin + "exec gatehoused"})
}

func (n *network) apply(t *testing.T) {
	t.Helper()
	mosquitto.Apply(t, n.fleet.Folder, n.broker.Addr)
}

func (n *network) issue(t *testing.T) folder.Issued {
	t.Helper()
	issued, err := n.fleet.Issue(issuer, ticket())
	must(t, err)
	return issued
}

// revoke revokes passes and publishes that.
func (n *network) revoke(t *testing.T, ids ...string) {
	t.Helper()
	_, err := n.fleet.Revoke(issuer, ids...)
	must(t, err)
	n.apply(t)
}

// until waits for something on the host.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx := within(t, patience)
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for !is() {
		select {
		case <-poll.C:
		case <-ctx.Done():
			t.Fatalf("not in time: %s", what)
		}
	}
}

// eventually waits until a command of the guest's shell succeeds.
func eventually(t *testing.T, m *Machine, command string, most time.Duration) {
	t.Helper()
	_, err := m.Shell(within(t, most), "until "+command+"; do sleep 1; done")
	must(t, err)
}

// believes waits until a version of the issuer's revocations is in force. It does not ask the kiosk again and again: the
// emulated processor has little to give.
func believes(t *testing.T, m *Machine, version int) {
	t.Helper()
	waitLog(t, m, fmt.Sprintf("revocations/%s of all, version %d]", issuer, version), 0)
}

// admits shows a code and waits until the relay has risen for it and all lines are at rest again.
func admits(t *testing.T, m *Machine, code string, from int) int {
	t.Helper()
	at := send(t, m, code)
	end := waitLog(t, m, "outcome=admit reason=ok", from)
	edge(t, m, "relay0", false, edge(t, m, "relay0", true, at).At)
	must(t, m.Lines.WaitLevel(within(t, patience), "green0", false)) // the last line of an admission
	return end
}

// events are what the collector has of the kiosk, in the order of their numbers.
func (n *network) events(t *testing.T) (events []collector.Stored) {
	t.Helper()
	must(t, n.store.Events(t.Context(), collector.Filter{Venue: venue, Kiosk: kiosk}, func(e collector.Stored) error {
		events = append(events, e)
		return nil
	}))
	return events
}

// decisions are the reasons of the answers that the collector has.
func (n *network) decisions(t *testing.T) (reasons []string) {
	t.Helper()
	for _, e := range n.events(t) {
		if e.Event.Reason != "" {
			reasons = append(reasons, string(e.Event.Reason))
		}
	}
	return reasons
}

// collected waits until the collector has these answers, and no others.
func (n *network) collected(t *testing.T, want ...string) {
	t.Helper()
	until(t, fmt.Sprintf("the answers %v in the collector", want), func() bool { return len(n.decisions(t)) >= len(want) })
	if got := n.decisions(t); !slices.Equal(got, want) {
		t.Fatalf("the collector has the answers %v, want %v", got, want)
	}
}

var newestEvent = regexp.MustCompile(`(?m)^ledger: event (\d+),`)

// recorded is the number of the kiosk's newest event.
func recorded(t *testing.T, m *Machine) uint64 {
	t.Helper()
	out, err := m.Shell(within(t, patience), "gatehouse status")
	must(t, err)
	said := newestEvent.FindStringSubmatch(out)
	if said == nil {
		t.Fatalf("the status says nothing of the ledger:\n%s", out)
	}
	last, err := strconv.ParseUint(said[1], 10, 64)
	must(t, err)
	return last
}

// wantAll waits until the collector has all that the kiosk has recorded.
func (n *network) wantAll(t *testing.T, m *Machine) {
	t.Helper()
	last := recorded(t, m)
	until(t, fmt.Sprintf("%d events in the collector", last), func() bool { return uint64(len(n.events(t))) >= last })
}

// wantWhole holds the collector to the ledger on the disk of a kiosk that is off: each event that it has is there once, in its
// place, and the chain is unbroken.
func (n *network) wantWhole(t *testing.T, b *Bench) {
	t.Helper()
	events := n.events(t)
	l, err := cache.OpenLedger(filepath.Join(stateOf(t, b), "ledger.db"), cache.LedgerOptions{At: time.Now(), NoSync: true})
	must(t, err)
	defer l.Close()
	if _, err := l.CheckChain(t.Context()); err != nil {
		t.Error(err)
	}
	var links []fleet.Link
	for {
		r, err := l.Records(uint64(len(links)))
		must(t, err)
		if r == nil {
			break
		}
		links = append(links, r.Links()...)
	}
	if len(links) < len(events) {
		t.Fatalf("the collector has %d events, and the ledger %d", len(events), len(links))
	}
	for i, e := range events {
		if e.Event.Seq != uint64(i+1) || e.Link != links[i] {
			t.Errorf("in place %d the collector has event %d, which is not the ledger's", i+1, e.Event.Seq)
		}
	}
	alarms, err := n.store.Alarms(t.Context())
	if err != nil || len(alarms) > 0 {
		t.Errorf("alarms: %+v, %v", alarms, err)
	}
	t.Logf("the collector has %d events, each once", len(events))
}

// stateOf copies what a kiosk that is off has kept, and gives where.
func stateOf(t *testing.T, b *Bench) string {
	t.Helper()
	dir := t.TempDir()
	must(t, b.Files(t.Context(), "/state", dir))
	return filepath.Join(dir, "state")
}

// What the kiosk writes on the console of its connection.
const (
	joinedNot = `msg=condition condition="fleet connection"`
	joined    = `msg="condition over" condition="fleet connection"`
)

// A kiosk follows its fleet. Its link is cut without a word: it decides on, notices by itself, and its events wait. The link
// comes back as silently: all that waited is delivered, each once and in order, what was published meanwhile is in force,
// and nothing was started anew for it. The second cut lasts until the status tells of it.
func TestNetworkFollowsAndLosesNothingOverACut(t *testing.T) {
	t.Parallel() // it mostly waits, and is the first of the file names' order to do that beside others
	n := newNetwork(t)
	b := n.bench(t, time.Time{})
	m, end := startKiosk(t, b)
	believes(t, m, 1)
	t.Logf("follows %v after power-on", time.Since(m.Booted).Round(time.Millisecond))
	first, second, third, fourth := n.issue(t), n.issue(t), n.issue(t), n.issue(t)
	end = admits(t, m, first.Code, end)
	n.revoke(t, second.ID)
	believes(t, m, 2)
	end = wantRefused(t, m, second.Code, "revoked", end)
	n.collected(t, "ok", "revoked")

	must(t, m.SetLink(false))
	cut := time.Now()
	end = admits(t, m, third.Code, end)
	end = wantRefused(t, m, first.Code, "already_used", end)
	n.revoke(t, fourth.ID)
	end = waitLog(t, m, joinedNot, end)
	t.Logf("the kiosk notices %v after the cut", time.Since(cut).Round(time.Second))
	n.collected(t, "ok", "revoked")
	must(t, m.SetLink(true))
	back := time.Now()
	end = waitLog(t, m, joined, end)
	t.Logf("joined again %v after the link's return", time.Since(back).Round(time.Second))
	believes(t, m, 3)
	end = wantRefused(t, m, fourth.Code, "revoked", end)
	n.collected(t, "ok", "revoked", "ok", "already_used", "revoked")

	n.wantAll(t, m)
	must(t, m.SetLink(false))
	end = wantRefused(t, m, third.Code, "already_used", end)
	eventually(t, m, "gatehouse status | grep -q 'GH-651 warning: fleet connection'", 3*patience)
	admits(t, m, n.issue(t).Code, end)
	n.collected(t, "ok", "revoked", "ok", "already_used", "revoked")
	if started := strings.Count(m.Console.Text(), "kiosk started"); started != 1 {
		t.Errorf("the kiosk was started %d times", started)
	}
	must(t, m.Kill())
	n.wantWhole(t, b)
}
