// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/device"
	"gatehouse/device/client"
	"gatehouse/fleet"
	"gatehouse/fleet/centre"
	"gatehouse/fleet/collector"
	"gatehouse/fleet/folder"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
	"gatehouse/scanner/scannertest"
	syncer "gatehouse/sync"
	running "gatehouse/test/mosquitto"
)

// kiosk is a real kiosk, all but its board, joined to a broker.
type kiosk struct {
	t        testing.TB
	scanners []*scannertest.Scanner // one a lane
	board    *gatetest.Board
	client   *client.Client
	log      *journal
	stop     func()
}

// journal is what the kiosk has logged.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) has(text string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Contains(j.text.String(), text)
}

// configOf writes the local config of a kiosk that knows nothing but its broker, with so many lanes in-1, in-2, …, whose
// scanners are at the ports. Paths are short: some are of sockets.
func configOf(t testing.TB, f *folder.Folder, p fleet.Place, addr string, lanes int) (path string, c *client.Client, ports []string) {
	t.Helper()
	if _, err := f.KioskKey(p); err != nil {
		check(t, f.CertifyKiosk(p, time.Now()))
	}
	pin, err := f.Pin()
	check(t, err)
	run, err := os.MkdirTemp("", "gatehouse-run-")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(run) })
	text := fmt.Sprintf(`venue: %s
kiosk: %s
root: %s
state: state
run: %s
venue_key: venue.key
sync: {brokers: ["%s"], ca: broker-ca.pem, certificate: kiosk.pem, key: kiosk.key}
lanes:
`, p.Venue, p.Kiosk, pin, run, addr)
	for i := range lanes {
		ports = append(ports, filepath.Join(run, fmt.Sprintf("scanner-%d", i+1)))
		text += fmt.Sprintf(`  - name: in-%d
    pulse: 100ms
    scanner: {port: %s, same_code: 200ms}
    gpio: {relay: {line: simulated-%d}}
`, i+1, ports[i], i+1)
	}
	path = filepath.Join(homeOf(f, p), "gatehouse.yaml")
	check(t, os.WriteFile(path, []byte(text), 0o600))
	return path, client.Dial(run), ports
}

// homeOf is the folder of a kiosk's local config, with its certificate and its state.
func homeOf(f *folder.Folder, p fleet.Place) string {
	return filepath.Join(f.Dir(), "kiosks", p.Venue, p.Kiosk)
}

// runKiosk runs the kiosk of a folder. Nothing was ever imported there: all it knows comes over the broker.
func runKiosk(t testing.TB, f *folder.Folder, p fleet.Place, addr string) *kiosk {
	t.Helper()
	return runKioskAt(t, f, p, addr, 1, synced())
}

// synced is this machine's clock, whatever keeps it.
func synced() device.Clock {
	clock := device.SystemClock()
	clock.Synced = func() bool { return true }
	return clock
}

// runKioskAt is runKiosk with so many lanes and a clock of its own.
func runKioskAt(t testing.TB, f *folder.Folder, p fleet.Place, addr string, lanes int, clock device.Clock) *kiosk {
	t.Helper()
	path, c, ports := configOf(t, f, p, addr, lanes)
	cfg, err := device.LoadConfig(path)
	check(t, err)

	k := &kiosk{t: t, board: gatetest.New(gatetest.Config{}), client: c, log: &journal{}}
	for _, port := range ports {
		s := scannertest.New(port, "\r")
		check(t, s.Plug())
		k.scanners = append(k.scanners, s)
	}
	hw := device.Hardware{Lines: func(l device.LaneConfig) (gate.Lines, error) { return k.board.Lines(l.Name), nil }, Clock: clock}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := device.Run(ctx, cfg, hw, slog.New(slog.NewTextHandler(k.log, nil))); err != nil {
			t.Errorf("kiosk: %v", err)
		}
	}()
	k.stop = sync.OnceFunc(func() {
		cancel()
		<-done
		for _, s := range k.scanners {
			s.Unplug()
		}
	})
	t.Cleanup(k.stop)
	return k
}

// until asks the kiosk until something is so.
func (k *kiosk) until(what string, is func(*client.Status) bool) {
	k.t.Helper()
	k.awaitEvery(50*time.Millisecond, 90*time.Second, what, is)
}

// awaitFor is until with another patience.
func (k *kiosk) awaitFor(most time.Duration, what string, is func(*client.Status) bool) {
	k.t.Helper()
	k.awaitEvery(50*time.Millisecond, most, what, is)
}

// await is until for what is measured: it asks as often as it can without being a load.
func (k *kiosk) await(what string, is func(*client.Status) bool) *client.Status {
	k.t.Helper()
	return k.awaitEvery(5*time.Millisecond, 90*time.Second, what, is)
}

func (k *kiosk) awaitEvery(pause, most time.Duration, what string, is func(*client.Status) bool) *client.Status {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	poll := time.NewTicker(pause)
	defer poll.Stop()
	var last *client.Status
	for {
		s, err := k.client.Status(ctx)
		if err == nil && is(s) {
			return s
		} else if err == nil {
			last = s
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			k.t.Fatalf("not in time: %s; last %+v", what, last)
		}
	}
}

func (k *kiosk) status() *client.Status {
	k.t.Helper()
	s, err := k.client.Status(k.t.Context())
	check(k.t, err)
	return s
}

// scan shows a code and returns how it was answered, as the record has it.
func (k *kiosk) scan(code string) client.Event {
	k.t.Helper()
	before := k.last()
	check(k.t, k.scanners[0].Scan(code))
	k.until("the answer", func(s *client.Status) bool { return s.Ledger.Events > before })
	events, err := k.client.Events(k.t.Context(), client.Query{From: before + 1})
	check(k.t, err)
	for _, e := range events.Events {
		if e.Kind == "decision" {
			return e
		}
	}
	k.t.Fatalf("no decision among %+v", events)
	return client.Event{}
}

func (k *kiosk) last() uint64 {
	k.t.Helper()
	return k.status().Ledger.Events
}

// officeAt is the operator's way to the broker.
func officeAt(t testing.TB, f *folder.Folder, addr string) centre.Broker {
	t.Helper()
	return running.Office(t, f, addr)
}

// serve runs a fleet's centre at a broker.
func serve(t testing.TB, f *folder.Folder, addr string) *collector.SQLite {
	t.Helper()
	return running.Serve(t, f, addr)
}

// apply publishes what was edited.
func apply(t testing.TB, f *folder.Folder, addr string) {
	t.Helper()
	running.Apply(t, f, addr)
}

// A revocation takes effect at the gate while the network is up; without it everything is decided, and what was recorded
// meanwhile arrives afterwards, each event once.
func TestAKioskFollowsItsFleetAndLosesNothing(t *testing.T) {
	onBoth(t, aKioskFollowsItsFleetAndLosesNothing)
}

func aKioskFollowsItsFleetAndLosesNothing(t *testing.T, f *folder.Folder, m either) {
	check(t, f.AddIssuer("arena", folder.IssuerOptions{}))
	apply(t, f, m.Addr)
	store := serve(t, f, m.Addr)
	k := runKiosk(t, f, one, m.Addr)
	k.until("documents in force", func(s *client.Status) bool { return s.Data.Freshness == "fresh" })
	k.until("the lane in service", func(s *client.Status) bool {
		return s.Lanes[0].Gate == "in service" && s.Lanes[0].Scanner == "connected"
	})
	reports(t, f, m.Addr, "fresh")

	ticket := func() folder.Issued {
		i, err := f.Issue("arena", credential.Claims{Kind: "ticket", Scope: []string{"arena"}, Issued: time.Now(), Expires: time.Now().Add(time.Hour)})
		check(t, err)
		return i
	}
	first, second := ticket(), ticket()
	if e := k.scan(first.Code); e.Reason != "ok" {
		t.Fatalf("the first ticket: %+v", e)
	}
	_, err := f.Revoke("arena", second.ID)
	check(t, err)
	before := k.last()
	apply(t, f, m.Addr)
	k.until("the revocation in force", func(s *client.Status) bool { return s.Ledger.Events > before })
	if e := k.scan(second.Code); e.Reason != "revoked" {
		t.Errorf("a revoked ticket: %+v", e)
	}

	m.Kill()
	third := ticket()
	if e := k.scan(third.Code); e.Reason != "ok" {
		t.Errorf("without the broker: %+v", e)
	}
	if e := k.scan(first.Code); e.Reason != "already_used" {
		t.Errorf("a used ticket without the broker: %+v", e)
	}
	m.Again()
	want := k.last()
	received := func() (seqs []uint64) {
		check(t, store.Events(t.Context(), collector.Filter{Venue: one.Venue, Kiosk: one.Kiosk}, func(e collector.Stored) error {
			seqs = append(seqs, e.Event.Seq)
			return nil
		}))
		return seqs
	}
	k.until("every event collected", func(*client.Status) bool { return uint64(len(received())) >= want })
	for i, seq := range received() {
		if seq != uint64(i+1) {
			t.Fatalf("event %d in place %d", seq, i+1)
		}
	}
	alarms, err := store.Alarms(t.Context())
	if err != nil || len(alarms) != 0 {
		t.Errorf("alarms %+v, %v", alarms, err)
	}
}

// reports waits until what the broker keeps of the only kiosk says this of its data: whoever asks need not wait for a heartbeat.
func reports(t testing.TB, f *folder.Folder, addr, band string) {
	t.Helper()
	told := errors.New("told")
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	err := centre.Watch(ctx, officeAt(t, f, addr), func(seen []centre.Seen) error {
		if len(seen) == 1 && seen[0].Reported.Band == band && !seen[0].Reported.Signed.IsZero() {
			return told
		}
		return nil
	})
	if !errors.Is(err, told) {
		t.Errorf("the kiosk never reported %s: %v", band, err)
	}
}

// An order reaches the gate while the kiosk is joined, is recorded with its reason, and is never kept for later.
func TestTheFleetOpensAGateAndClosesALane(t *testing.T) { onBoth(t, theFleetOpensAGateAndClosesALane) }

func theFleetOpensAGateAndClosesALane(t *testing.T, f *folder.Folder, m either) {
	check(t, f.AddIssuer("arena", folder.IssuerOptions{}))
	apply(t, f, m.Addr)
	serve(t, f, m.Addr)
	k := runKiosk(t, f, one, m.Addr)
	k.until("documents in force", func(s *client.Status) bool { return s.Data.Freshness == "fresh" && s.Lanes[0].Gate == "in service" })
	keys, err := f.SigningKeys(fleet.RoleCommand)
	check(t, err)
	order := func(o centre.Order) syncer.Result {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		o.To, o.Reason = one, "asked by telephone"
		r, err := centre.Command(ctx, officeAt(t, f, m.Addr), o, time.Now(), keys...)
		check(t, err)
		return r
	}
	before := k.board.Mark()
	if r := order(centre.Order{Action: fleet.ActionOpen, Lane: "in-1"}); !r.Done || r.Event == 0 {
		t.Fatalf("open: %+v", r)
	}
	_, err = k.board.WaitEdge(t.Context(), before, "in-1", gate.Relay, true)
	check(t, err)
	if r := order(centre.Order{Action: fleet.ActionCloseLane, Lane: "in-1"}); !r.Done {
		t.Fatalf("close: %+v", r)
	}
	k.until("the lane closed", func(s *client.Status) bool { return s.Lanes[0].Closed != nil })
	if r := order(centre.Order{Action: fleet.ActionOpenLane, Lane: "in-1"}); !r.Done {
		t.Fatalf("open the lane: %+v", r)
	}
	k.until("the lane open", func(s *client.Status) bool { return s.Lanes[0].Closed == nil })
	before = k.board.Mark()
	if r := order(centre.Order{Action: fleet.ActionIdentify, Lane: "in-1"}); !r.Done || r.Event == 0 {
		t.Errorf("identify: %+v", r)
	}
	rose := k.board.Mark()
	for range 3 {
		_, err := k.board.WaitEdge(t.Context(), before, "in-1", gate.Red, true)
		check(t, err)
		check(t, k.board.WaitLevel(t.Context(), "in-1", gate.Red, false))
		before = k.board.Mark()
	}
	if edges := k.board.Edges()[rose:]; slices.ContainsFunc(edges, func(e gatetest.Edge) bool { return e.Output == gate.Relay }) {
		t.Errorf("to identify a lane moved its relay: %v", edges)
	}
	if r := order(centre.Order{Action: fleet.ActionOpen, Lane: "in-9"}); r.Done || r.Text == "" {
		t.Errorf("a lane that is not there: %+v", r)
	}
	if r := order(centre.Order{Action: fleet.ActionResync}); !r.Done {
		t.Errorf("resync: %+v", r)
	}
	k.stop()
	if _, err := centre.Command(t.Context(), officeAt(t, f, m.Addr), centre.Order{To: one, Action: fleet.ActionOpen, Lane: "in-1", Reason: "late"}, time.Now(), keys...); !errors.Is(err, centre.ErrOffline) {
		t.Errorf("a kiosk that is gone: %v", err)
	}
}
