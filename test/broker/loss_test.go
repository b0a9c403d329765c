// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/cache"
	"gatehouse/credential"
	"gatehouse/device"
	"gatehouse/device/client"
	"gatehouse/fleet"
	"gatehouse/fleet/centre"
	"gatehouse/fleet/collector"
	"gatehouse/fleet/folder"
)

func ticketOf(t testing.TB, f *folder.Folder) folder.Issued {
	t.Helper()
	i, err := f.Issue("arena", credential.Claims{Kind: "ticket", Scope: []string{"arena"}, Issued: time.Now(), Expires: time.Now().Add(time.Hour)})
	check(t, err)
	return i
}

// persist has a broker keep what is retained on its disk, at each change.
func (m mosquitto) persist() (disk string) {
	m.t.Helper()
	m.Kill()
	path, dir := filepath.Join(m.Dir, "mosquitto.conf"), filepath.Join(m.Dir, "disk")
	text, err := os.ReadFile(path)
	check(m.t, err)
	on := fmt.Sprintf("persistence true\npersistence_location %s/\nautosave_on_changes true\nautosave_interval 1\n", dir)
	text = bytes.Replace(text, []byte("persistence false\n"), []byte(on), 1)
	check(m.t, os.MkdirAll(dir, 0o700))
	check(m.t, os.WriteFile(path, text, 0o600))
	m.Again()
	return filepath.Join(dir, "mosquitto.db")
}

// on waits until something is on a broker's disk.
func on(t testing.TB, disk string, what []byte) (whole []byte) {
	t.Helper()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); <-poll.C {
		if whole, err := os.ReadFile(disk); err == nil && bytes.Contains(whole, what) {
			return whole
		}
	}
	t.Fatalf("not on the broker's disk in a minute: %s", disk)
	return nil
}

// A broker that lost its disk, or got an older one back, is told everything again: a kiosk that comes then believes what is in
// force, and one that was there all along believes nothing older.
func TestABrokerThatLostItsDiskIsToldEverythingAgain(t *testing.T) {
	f := city(t)
	check(t, f.AddIssuer("arena", folder.IssuerOptions{}))
	m := start(t, f)
	disk := m.persist()
	apply(t, f, m.Addr)
	serve(t, f, m.Addr)
	always := runKiosk(t, f, one, m.Addr)
	always.until("fresh", fresh)
	former := on(t, disk, []byte("arena/all/down/head"))

	ticket := ticketOf(t, f)
	_, err := f.Revoke("arena", ticket.ID)
	check(t, err)
	apply(t, f, m.Addr)
	revoked := func(k *kiosk) func(*client.Status) bool {
		return func(s *client.Status) bool {
			e, err := k.client.Explain(t.Context(), client.Shown{Lane: "in-1", Codes: []string{ticket.Code}})
			return err == nil && fresh(s) && len(e.Answers) == 1 && e.Answers[0].Reason == "revoked"
		}
	}
	always.until("the revocation in force", revoked(always))
	head := headOf(always.status())

	for _, c := range []struct {
		name string
		put  func() error
	}{
		{"an older disk", func() error { return os.WriteFile(disk, former, 0o600) }},
		{"no disk", func() error { return os.Remove(disk) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			m.Kill()
			check(t, c.put())
			m.Again()
			k := runKiosk(t, f, other, m.Addr)
			k.until("in force at a kiosk that knows nothing", revoked(k))
			k.stop()
			check(t, os.RemoveAll(filepath.Join(homeOf(f, other), "state")))
			if s := always.status(); headOf(s) < head || !revoked(always)(s) {
				t.Errorf("head %d, after %d", headOf(s), head)
			}
		})
	}
}

// collect runs a fleet's centre with a database, until the function that it returns is called.
func collect(t testing.TB, f *folder.Folder, addr, path string) (stop func()) {
	t.Helper()
	store, err := collector.OpenSQLite(t.Context(), path)
	check(t, err)
	keys, err := f.SigningKeys(fleet.RoleCollector)
	check(t, err)
	c := centre.New(centre.Config{Broker: officeAt(t, f, addr), Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))},
		nothing{}, collector.New(store, f.KeyOf, time.Now, keys...))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); c.Serve(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-done; check(t, store.Close()) })
	t.Cleanup(stop)
	return stop
}

// nothing has nothing to publish.
type nothing struct{}

func (nothing) Venues() ([]string, error)                       { return nil, nil }
func (nothing) Bundle(string, time.Time) (*fleet.Bundle, error) { return nil, os.ErrNotExist }
func (nothing) Last(string, time.Time) (*fleet.Bundle, error)   { return nil, os.ErrNotExist }

// has are the numbers of the events that a database has, and its alarms.
func has(t testing.TB, path string) (seqs []uint64, alarms []collector.Alarm) {
	t.Helper()
	store, err := collector.OpenSQLite(t.Context(), path)
	check(t, err)
	defer store.Close()
	check(t, store.Events(t.Context(), collector.Filter{}, func(e collector.Stored) error { seqs = append(seqs, e.Event.Seq); return nil }))
	alarms, err = store.Alarms(t.Context())
	check(t, err)
	return seqs, alarms
}

func copyTo(t testing.TB, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	check(t, err)
	check(t, os.WriteFile(to, text, 0o600))
}

func inService(s *client.Status) bool {
	return fresh(s) && s.Lanes[0].Gate == "in service" && s.Lanes[0].Scanner == "connected"
}

func received(s *client.Status) bool {
	return s.Ledger.Events > 0 && s.Ledger.Received == s.Ledger.Events
}

// A collector that was put back to an older copy is sent again what the kiosk still has; of what it has not, an alarm tells.
func TestACollectorThatWasPutBackIsSentWhatTheKioskStillHas(t *testing.T) {
	f := city(t)
	check(t, f.AddIssuer("arena", folder.IssuerOptions{}))
	m := start(t, f)
	apply(t, f, m.Addr)
	db := filepath.Join(t.TempDir(), "events.db")
	stop := collect(t, f, m.Addr, db)
	k := runKiosk(t, f, one, m.Addr)
	k.until("in service", func(s *client.Status) bool {
		return fresh(s) && s.Lanes[0].Gate == "in service" && s.Lanes[0].Scanner == "connected"
	})
	k.scan(ticketOf(t, f).Code)
	k.until("all received", received)
	stop()
	former, _ := has(t, db)
	copyTo(t, db, db+".former")

	stop = collect(t, f, m.Addr, db)
	for range 3 {
		k.scan(ticketOf(t, f).Code)
	}
	k.until("more received", received)
	stop()
	copyTo(t, db+".former", db)
	stop = collect(t, f, m.Addr, db)
	k.scan(ticketOf(t, f).Code) // it hears what the collector has when it sends
	last := k.last()
	k.until("everything there again", func(*client.Status) bool { seqs, _ := has(t, db); return uint64(len(seqs)) >= last })
	k.until("received", received)
	if seqs, alarms := has(t, db); seqs[0] != 1 || seqs[len(seqs)-1] != uint64(len(seqs)) || len(alarms) > 0 {
		t.Errorf("events %v, alarms %+v", seqs, alarms)
	}

	k.stop()
	stop()
	copyTo(t, db+".former", db)
	gone := forget(t, filepath.Join(homeOf(f, one), "state"))
	if gone <= uint64(len(former)) {
		t.Fatalf("%d events forgotten, and the collector had %d: nothing is shown", gone, len(former))
	}
	collect(t, f, m.Addr, db)
	k = runKiosk(t, f, one, m.Addr)
	k.until("in service again", inService)
	k.scan(ticketOf(t, f).Code)
	k.until("received what is left", received)
	seqs, alarms := has(t, db)
	if want := fmt.Sprintf("events %d to %d never arrived", len(former)+1, gone); len(alarms) != 1 || alarms[0].Code != collector.AlarmGap || !strings.Contains(alarms[0].Text, want) {
		t.Errorf("alarms %+v, want a gap: %s", alarms, want)
	}
	if n := k.last() - gone; uint64(len(seqs)) != uint64(len(former))+n {
		t.Errorf("%d events, want %d and %d", len(seqs), len(former), n)
	}
}

// forget has a stopped kiosk forget all that it may, as if it were old, and returns up to which event.
func forget(t testing.TB, state string) (gone uint64) {
	t.Helper()
	floor, err := cache.OpenFloor(filepath.Join(state, "floor"), cache.FloorOptions{Boot: device.SystemClock().Boot})
	check(t, err)
	l, err := cache.OpenLedger(filepath.Join(state, "ledger.db"), cache.LedgerOptions{At: time.Now()})
	check(t, err)
	defer l.Close()
	_, err = l.Prune(t.Context(), cache.Retention{Before: time.Now().Add(time.Hour), From: floor.Ledger().Last})
	check(t, err)
	chain, err := l.CheckChain(t.Context())
	check(t, err)
	return chain.First - 1
}
