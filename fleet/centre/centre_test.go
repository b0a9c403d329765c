// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package centre_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/cache"
	"gatehouse/entry"
	"gatehouse/fleet"
	"gatehouse/fleet/centre"
	"gatehouse/fleet/collector"
	"gatehouse/fleet/folder"
	syncer "gatehouse/sync"
	"gatehouse/sync/mqtttest"
)

var gate = fleet.Place{Venue: "arena", Kiosk: "gate-1"}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// online is a folder whose heads are for kiosks that hear of each.
type online struct{ *folder.Folder }

func (o online) Bundle(venue string, at time.Time) (*fleet.Bundle, error) { return o.Online(venue, at) }

// kiosk is a kiosk's stores behind a client, without lanes.
type kiosk struct {
	trust   *cache.Trust
	ledger  *cache.Ledger
	staging *cache.Staging
	changed chan struct{}
}

func (k *kiosk) Root() *fleet.Root { return k.trust.Root() }

func (k *kiosk) Offer(ctx context.Context, heap []fleet.Document, blobs [][]byte) (fleet.Missing, error) {
	missing, changed, err := k.trust.Offer(ctx, heap, blobs, time.Now())
	if len(changed) > 0 {
		select {
		case k.changed <- struct{}{}:
		default:
		}
	}
	return missing, err
}

func (k *kiosk) Obey(context.Context, *fleet.Command) syncer.Result { return syncer.Result{} }

func (k *kiosk) Report() (syncer.Reported, syncer.Beat) {
	return syncer.Reported{}, syncer.Beat{At: time.Now()}
}

func TestAFleetIsServed(t *testing.T) {
	f, err := folder.Init(filepath.Join(t.TempDir(), "city"), time.Now(), gate.Venue)
	check(t, err)
	check(t, f.AddIssuer("arena", folder.IssuerOptions{}))
	dir, err := f.AddKiosk(gate)
	check(t, err)
	check(t, f.CertifyKiosk(gate, time.Now()))
	// A list so long that it comes as a blob of several blocks.
	ids, err := os.Create(filepath.Join(f.Dir(), "revoked", "arena.txt"))
	if os.IsNotExist(err) {
		check(t, os.MkdirAll(filepath.Join(f.Dir(), "revoked"), 0o755))
		ids, err = os.Create(filepath.Join(f.Dir(), "revoked", "arena.txt"))
	}
	check(t, err)
	for i := range 40000 {
		_, err := ids.WriteString(hexID(i) + "\n")
		check(t, err)
	}
	check(t, ids.Close())

	store, err := collector.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "events.db"))
	check(t, err)
	defer store.Close()
	keys, err := f.SigningKeys(fleet.RoleCollector)
	check(t, err)
	b := mqtttest.Start(t)
	serving, stop := context.WithCancel(t.Context())
	served := make(chan struct{})
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	c := centre.New(centre.Config{Broker: centre.Broker{Addr: b.Addr()}, Blob: f.Blob, Now: time.Now, Log: log}, online{f}, collector.New(store, f.KeyOf, time.Now, keys...))
	go func() { defer close(served); c.Serve(serving) }()
	defer func() { stop(); <-served }()

	pin, err := f.Pin()
	check(t, err)
	state := t.TempDir()
	k := &kiosk{staging: cache.NewStaging(filepath.Join(state, "blobs")), changed: make(chan struct{}, 1)}
	k.trust, err = cache.OpenTrust(filepath.Join(state, "trust.db"), cache.TrustOptions{Pin: pin, Place: gate})
	check(t, err)
	defer k.trust.Close()
	k.ledger, err = cache.OpenLedger(filepath.Join(state, "ledger.db"), cache.LedgerOptions{At: time.Now()})
	check(t, err)
	defer k.ledger.Close()
	for range 200 {
		check(t, k.ledger.Record(t.Context(), &entry.Event{At: time.Now(), Kind: entry.EventDecision, Lane: "in-1"}))
	}
	key, err := folder.ReadKioskKey(filepath.Join(dir, "kiosk.key"))
	check(t, err)
	joined, leave := context.WithCancel(t.Context())
	left := make(chan struct{})
	client := syncer.New(syncer.Config{Place: gate, Boot: "b", Program: "test", Key: key, Brokers: []string{b.Addr()},
		State: func(error) {}, Alarm: func(err error) {
			if err != nil {
				t.Errorf("alarm: %v", err)
			}
		}, Log: log}, k, k.ledger, k.staging, k)
	go func() { defer close(left); client.Run(joined) }()
	defer func() { leave(); <-left }()

	await(t, k.changed, "documents in force")
	belief, err := k.trust.Belief()
	check(t, err)
	if fresh := belief.Terms().FreshUntil; time.Until(fresh) > time.Hour {
		t.Errorf("an online head is fresh until %v", fresh)
	}
	_, err = f.Revoke("arena", hexID(100000))
	check(t, err)
	check(t, centre.Apply(t.Context(), centre.Config{Broker: centre.Broker{Addr: b.Addr()}, Now: time.Now}, online{f}))
	await(t, k.changed, "a revocation in force")
	for deadline := time.Now().Add(time.Minute); k.ledger.Receipt().Seq < 200; {
		if time.Now().After(deadline) {
			t.Fatalf("%d of 200 events received", k.ledger.Receipt().Seq)
		}
		select {
		case <-k.changed:
		case <-time.After(20 * time.Millisecond):
		}
	}
	n := 0
	check(t, store.Events(t.Context(), collector.Filter{Venue: "arena"}, func(collector.Stored) error { n++; return nil }))
	if n != 200 {
		t.Errorf("%d events collected", n)
	}
}

func await(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(2 * time.Minute):
		t.Fatalf("not in two minutes: %s", what)
	}
}

func hexID(i int) string {
	const digits = "0123456789abcdef"
	b := make([]byte, 32)
	for j := range b {
		b[j] = digits[(i>>(4*(j%8)))&15]
	}
	return string(b)
}
