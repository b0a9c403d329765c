// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package centre_test

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/cache"
	"gatehouse/fleet"
	"gatehouse/fleet/centre"
	"gatehouse/fleet/folder"
	syncer "gatehouse/sync"
	"gatehouse/sync/mqtttest"
)

// witness is a kiosk with real stores, whose doings can be waited for.
type witness struct {
	*kiosk
	offered chan struct{}
}

func (w *witness) Offer(ctx context.Context, heap []fleet.Document, blobs [][]byte) (fleet.Missing, error) {
	m, err := w.kiosk.Offer(ctx, heap, blobs)
	if err == nil {
		err = w.staging.Keep(m.Blobs) // as a kiosk does
	}
	select {
	case w.offered <- struct{}{}:
	default:
	}
	return m, err
}

// versions is what is in force, as a person reads it.
func (w *witness) versions(t *testing.T) map[string]uint64 {
	t.Helper()
	b, err := w.trust.Belief()
	if err != nil {
		return nil
	}
	v := map[string]uint64{}
	for _, d := range b.Terms().Versions {
		v[d.Kind+" "+d.Scope] = d.Version
	}
	return v
}

func (w *witness) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	late := time.After(time.Minute)
	for !is() {
		select {
		case <-w.offered:
		case <-late:
			t.Fatalf("in a minute: not %s; in force %v", what, w.versions(t))
		}
	}
}

// join runs a kiosk of a folder at a broker until the test ends.
func join(t *testing.T, f *folder.Folder, addr string) *witness {
	t.Helper()
	pin, err := f.Pin()
	check(t, err)
	state := t.TempDir()
	k := &kiosk{staging: cache.NewStaging(filepath.Join(state, "blobs")), changed: make(chan struct{}, 1)}
	k.trust, err = cache.OpenTrust(filepath.Join(state, "trust.db"), cache.TrustOptions{Pin: pin, Place: gate})
	check(t, err)
	t.Cleanup(func() { k.trust.Close() })
	k.ledger, err = cache.OpenLedger(filepath.Join(state, "ledger.db"), cache.LedgerOptions{At: time.Now()})
	check(t, err)
	t.Cleanup(func() { k.ledger.Close() })
	check(t, f.CertifyKiosk(gate, time.Now()))
	key, err := folder.ReadKioskKey(filepath.Join(f.Dir(), "kiosks", gate.Venue, gate.Kiosk, "kiosk.key"))
	check(t, err)
	w := &witness{kiosk: k, offered: make(chan struct{}, 1)}
	ctx, leave := context.WithCancel(context.Background())
	left := make(chan struct{})
	client := syncer.New(syncer.Config{Place: gate, Boot: "b", Program: "test", Key: key, Brokers: []string{addr},
		State: func(error) {}, Alarm: func(error) {}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}, w, k.ledger, k.staging, k)
	go func() { defer close(left); client.Run(ctx) }()
	t.Cleanup(func() { leave(); <-left })
	return w
}

func newFleet(t *testing.T, venues ...string) *folder.Folder {
	t.Helper()
	f, err := folder.Init(filepath.Join(t.TempDir(), "city"), time.Now(), venues...)
	check(t, err)
	check(t, f.AddIssuer("arena", folder.IssuerOptions{}))
	_, err = f.AddKiosk(gate)
	check(t, err)
	return f
}

// at publishes a bundle's documents where they belong.
func at(b *mqtttest.Broker, bundle *fleet.Bundle) {
	for _, d := range bundle.Documents {
		if d.Kind() != fleet.KindRoot {
			b.Publish(syncer.DocumentTopic(d.Kind(), d.Scope()), true, d.Bytes())
		}
	}
}

func rootsOf(t *testing.T, bundle *fleet.Bundle) []byte {
	t.Helper()
	chain := &fleet.Bundle{}
	for _, d := range bundle.Documents {
		if d.Kind() == fleet.KindRoot {
			chain.Documents = append(chain.Documents, d)
		}
	}
	raw, err := chain.Encode()
	check(t, err)
	return raw
}

func headOf(b *fleet.Bundle) (head fleet.Document) {
	for _, d := range b.Documents {
		if d.Kind() == fleet.KindHead {
			head = d
		}
	}
	return head
}

// Everything that a broker can say of its own: garbage, another fleet's root and documents, older heads, valid documents of
// another venue or kind in the wrong place. What is in force stays, and the fleet's next word is heard.
func TestRetainedRubbishChangesNothingThatIsBelieved(t *testing.T) {
	f, strangers := newFleet(t, gate.Venue, "stadium"), newFleet(t, gate.Venue)
	now := time.Now()
	first, err := f.Online(gate.Venue, now)
	check(t, err)
	f.Revoke("arena", hexID(1))
	second, err := f.Online(gate.Venue, now)
	check(t, err)
	other, err := f.Online("stadium", now)
	check(t, err)
	foreign, err := strangers.Online(gate.Venue, now.Add(time.Hour))
	check(t, err)
	for range 5 { // a higher version than ours
		foreign, err = strangers.Online(gate.Venue, now.Add(time.Hour))
		check(t, err)
	}

	b := mqtttest.Start(t)
	b.Publish(syncer.RootTopic(), true, rootsOf(t, second))
	at(b, second)
	w := join(t, f, b.Addr())
	want := headOf(second).Version()
	w.until(t, "the fleet's documents in force", func() bool { return w.versions(t)["head arena"] == want })
	believed := w.versions(t)

	topics := []string{syncer.RootTopic()}
	for _, d := range second.Documents {
		if d.Kind() != fleet.KindRoot {
			topics = append(topics, syncer.DocumentTopic(d.Kind(), d.Scope()))
		}
	}
	heard := func(what string) { // a mark that is heard after all of it
		t.Helper()
		mark, err := f.Renewed(gate.Venue, time.Now())
		check(t, err)
		at(b, mark)
		version := headOf(mark).Version()
		w.until(t, "the head after "+what, func() bool { return w.versions(t)["head arena"] == version })
		now := w.versions(t)
		delete(now, "head arena")
		for name, version := range believed {
			if name != "head arena" && now[name] != version {
				t.Errorf("after %s: %s in version %d, was %d", what, name, now[name], version)
			}
		}
	}
	for what, say := range map[string]func(){
		"garbage": func() {
			for i, topic := range topics {
				b.Publish(topic, true, []byte{0xd2, byte(i), 0xff, 0x00})
				b.Publish(topic, true, []byte(hexID(i)))
			}
		},
		"another root": func() {
			b.Publish(syncer.RootTopic(), true, rootsOf(t, foreign))
			at(b, foreign)
		},
		"older heads": func() { at(b, first) },
		"another venue's documents": func() {
			for _, d := range other.Documents {
				b.Publish(syncer.DocumentTopic(fleet.KindHead, fleet.Scope(gate.Venue)), true, d.Bytes())
				b.Publish(syncer.DocumentTopic(fleet.KindConfig, fleet.Scope(gate.Venue)), true, d.Bytes())
			}
		},
		"documents of another kind": func() {
			for _, topic := range topics {
				for _, d := range second.Documents {
					b.Publish(topic, true, d.Bytes())
				}
			}
		},
	} {
		say()
		heard(what)
	}
	// A broker that is started anew with rubbish alone is no better.
	b.Kill()
	b.Restart()
	b.Publish(syncer.RootTopic(), true, rootsOf(t, foreign))
	at(b, foreign)
	at(b, first)
	if got := w.versions(t)["revocations/arena all"]; got != believed["revocations/arena all"] {
		t.Errorf("revocations in version %d", got)
	}
	heard("a broker of rubbish")
}

// An order of the wrong role, and an empty message in the place of a retained one, change nothing either.
func TestClearedTopicsTakeNothingAway(t *testing.T) {
	f := newFleet(t, gate.Venue)
	b := mqtttest.Start(t)
	check(t, centre.Apply(t.Context(), centre.Config{Broker: centre.Broker{Addr: b.Addr()}, Now: time.Now}, online{f}))
	w := join(t, f, b.Addr())
	w.until(t, "documents in force", func() bool { return w.versions(t)["head arena"] > 0 })
	before := w.versions(t)
	for _, topic := range []string{syncer.RootTopic(), syncer.DocumentTopic(fleet.KindHead, "arena"), syncer.DocumentTopic(fleet.KindConfig, "arena"), syncer.DocumentTopic(fleet.KindIssuers, fleet.ScopeAll)} {
		b.Publish(topic, true, nil)
	}
	check(t, centre.Apply(t.Context(), centre.Config{Broker: centre.Broker{Addr: b.Addr()}, Now: time.Now}, online{f}))
	w.until(t, "the next head", func() bool { return w.versions(t)["head arena"] == before["head arena"]+1 })
	after := w.versions(t)
	delete(before, "head arena")
	for name, version := range before {
		if after[name] != version {
			t.Errorf("%s in version %d, was %d", name, after[name], version)
		}
	}
}
