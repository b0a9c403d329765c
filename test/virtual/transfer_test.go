// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

//go:build virtual

package virtual

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatehouse/cache"
	"gatehouse/fleet"
	syncer "gatehouse/sync"
	"gatehouse/test/mosquitto"
)

// blocks are those of one blob that a kiosk asked for and of which it was sent a part, as the broker saw it.
type blocks struct {
	mu          sync.Mutex
	asked, sent []uint32
	err         error
}

// hear counts blocks until the test ends.
func (n *network) hear(t *testing.T) *blocks {
	t.Helper()
	office := mosquitto.Office(t, n.fleet.Folder, n.broker.Addr)
	o := mqtt.NewClientOptions().AddBroker("ssl://" + office.Addr).SetTLSConfig(office.TLS).SetClientID("office-hears").SetAutoReconnect(false)
	c := mqtt.NewClient(o)
	await := func(token mqtt.Token) {
		t.Helper()
		if !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatalf("the broker does not answer: %v", token.Error())
		}
	}
	await(c.Connect())
	t.Cleanup(func() { c.Disconnect(0) })
	heard, place := &blocks{}, fleet.Place{Venue: venue, Kiosk: kiosk}
	await(c.Subscribe(syncer.UpTopic(place, syncer.LeafWant), 1, func(_ mqtt.Client, m mqtt.Message) {
		w, err := syncer.ReadWant(m.Payload())
		heard.note(&heard.asked, err, w.Blocks...)
	}))
	await(c.Subscribe(syncer.DownTopic(place, syncer.LeafBlock), 1, func(_ mqtt.Client, m mqtt.Message) {
		b, err := syncer.ReadBlock(m.Payload())
		heard.note(&heard.sent, err, b.Index)
	}))
	return heard
}

func (b *blocks) note(list *[]uint32, err error, numbers ...uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.err = err
		return
	}
	*list = append(*list, numbers...)
}

// take returns what was heard since it was called last, sorted; a block comes in parts, and so more than once.
func (b *blocks) take(t *testing.T) (asked, sent []uint32) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	must(t, b.err)
	asked, sent = b.asked, b.sent
	b.asked, b.sent = nil, nil
	slices.Sort(asked)
	slices.Sort(sent)
	return asked, sent
}

// base is the issuer's base that was published last.
func (n *network) base(t *testing.T) fleet.MissingBlob {
	t.Helper()
	bundle, err := n.fleet.Renewed(venue, time.Now())
	must(t, err)
	for _, d := range bundle.Documents {
		if d.Kind() == fleet.RevocationsOf(issuer) {
			list, err := fleet.ReadRevocations(d)
			must(t, err)
			return fleet.MissingBlob{Base: *list.Base}
		}
	}
	t.Fatal("no revocations are published")
	return fleet.MissingBlob{}
}

// baseBlocks is how many blocks the base of the transfer has, and synced how many of them are on the kiosk's disk for certain when
// the plug is pulled.
const (
	baseBlocks = 8
	synced     = 4
	perBlock   = fleet.BlockSize / fleet.RevocationSize
)

// The plug is pulled in the middle of a base, with events that the collector has and the kiosk does not know it. A kiosk
// whose clock says 1970 each time goes on where it was: it asks for no block that its disk has, the base comes into force, and each
// event is collected once.
func TestNetworkResumesAfterAPowerCut(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	heard := n.hear(t)
	b := n.bench(t, time.Unix(0, 0))
	m, end := startKiosk(t, b)
	believes(t, m, 1)
	shell(t, m, "date +%Y | grep -q 1970")
	first, second, third, revoked := n.issue(t), n.issue(t), n.issue(t), n.issue(t)
	end = admits(t, m, first.Code, end)
	n.collected(t, "ok")
	n.wantAll(t, m)

	ids := []string{revoked.ID}
	for i := range baseBlocks*perBlock - 1 {
		ids = append(ids, fmt.Sprintf("%032x", i))
	}
	n.valve.let(synced*fleet.BlockSize + fleet.BlockSize/2)
	n.revoke(t, ids...)
	n.staged(t, m, synced)
	shell(t, m, "sync")
	end = admits(t, m, second.Code, end)
	n.valve.let(3 * fleet.BlockSize)
	n.staged(t, m, synced+2)
	admits(t, m, third.Code, end)
	n.collected(t, "ok", "ok", "ok")
	must(t, m.Kill())

	base := n.base(t)
	lacks, err := cache.NewStaging(filepath.Join(stateOf(t, b), "blobs")).Lacks(base, baseBlocks)
	must(t, err)
	t.Logf("of %d blocks the disk lacks %v", len(base.Base.Blocks), lacks)
	if len(base.Base.Blocks) != baseBlocks || len(lacks) == 0 || len(lacks) > baseBlocks-synced {
		t.Fatalf("the plug was not pulled in the middle of a transfer")
	}
	if _, sent := heard.take(t); !slices.Contains(sent, synced-1) {
		t.Errorf("blocks %v were sent before the cut", sent)
	}
	n.valve.free()
	m, end = startKiosk(t, b)
	believes(t, m, 2)
	t.Logf("the base is in force %v after power-on", time.Since(m.Booted).Round(time.Second))
	asked, sent := heard.take(t)
	if asked, sent = slices.Compact(asked), slices.Compact(sent); !slices.Equal(asked, lacks) || !slices.Equal(sent, lacks) {
		t.Errorf("asked for the blocks %v and got parts of %v, where %v were lacking", asked, sent, lacks)
	}
	end = wantRefused(t, m, revoked.Code, "revoked", end)
	wantRefused(t, m, third.Code, "already_used", end)
	n.collected(t, "ok", "ok", "ok", "revoked", "already_used")
	n.wantAll(t, m)
	must(t, m.Kill())
	n.wantWhole(t, b)
}

// staged waits until the kiosk keeps so many blocks of the base that is on its way.
func (n *network) staged(t *testing.T, m *Machine, blocks int) {
	t.Helper()
	eventually(t, m, fmt.Sprintf("[ $(cat /data/state/blobs/* 2>/dev/null | wc -c) -ge %d ]", blocks*fleet.BlockSize), patience)
}
