// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package centre_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatehouse/fleet"
	"gatehouse/fleet/centre"
	"gatehouse/fleet/collector"
	syncer "gatehouse/sync"
	"gatehouse/sync/mqtttest"
)

// A kiosk that asks without end, for what there is and with what nobody can read, keeps no other's blocks back for longer than
// one answer, and does not fill the log.
func TestAKioskThatAsksWithoutEndKeepsNobodyWaiting(t *testing.T) {
	const asked, blocks = 200, 16
	f := newFleet(t, gate.Venue)
	store, err := collector.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "events.db"))
	check(t, err)
	defer store.Close()
	b := mqtttest.Start(t)
	blob := bytes.Repeat([]byte{1}, fleet.BlockSize)
	all := make(chan struct{})
	allow := sync.OnceFunc(func() { close(all) })
	defer allow()
	var said bytes.Buffer // read when who writes is gone
	c := centre.New(centre.Config{Broker: centre.Broker{Addr: b.Addr()}, Now: time.Now,
		Blob: func(d fleet.Digest) ([]byte, error) {
			if d == fleet.DigestOf(blob) {
				<-all // has asked
			}
			return blob, nil
		},
		Log: slog.New(slog.NewTextHandler(&said, nil))}, online{f}, collector.New(store, f.KeyOf, time.Now))
	serving, stop := context.WithCancel(t.Context())
	served := make(chan struct{})
	go func() { defer close(served); c.Serve(serving) }()
	t.Cleanup(func() { stop(); <-served })

	honest, probe := fleet.Place{Venue: "arena", Kiosk: "gate-2"}, fleet.Place{Venue: "arena", Kiosk: "gate-3"}
	down := map[fleet.Place]chan struct{}{gate: make(chan struct{}, asked*blocks*64), honest: make(chan struct{}, 64), probe: make(chan struct{}, 1<<16)}
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + b.Addr()).SetClientID("test"))
	wait := func(token mqtt.Token) {
		t.Helper()
		if !token.WaitTimeout(time.Minute) || token.Error() != nil {
			t.Fatal("the broker: ", token.Error())
		}
	}
	wait(client.Connect())
	defer client.Disconnect(0)
	for p, heard := range down {
		wait(client.Subscribe(syncer.DownTopic(p, syncer.LeafBlock), 0, func(mqtt.Client, mqtt.Message) { heard <- struct{}{} }))
	}
	want := func(p fleet.Place, d fleet.Digest, n int) mqtt.Token {
		w := syncer.Want{Digest: d, Blocks: make([]uint32, n)}
		return client.Publish(syncer.UpTopic(p, syncer.LeafWant), 1, false, w.Encode())
	}
	for deadline := time.Now().Add(time.Minute); len(down[probe]) == 0; { // it listens
		wait(want(probe, fleet.Digest{}, 1))
		select {
		case <-time.After(20 * time.Millisecond):
		case <-served:
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody answers")
		}
	}
	for i := range asked {
		client.Publish(syncer.UpTopic(gate, syncer.LeafWant), 1, false, fmt.Sprint("rubbish ", i))
		wait(want(gate, fleet.DigestOf(blob), blocks))
	}
	wait(want(honest, fleet.DigestOf(blob), 1))
	allow()
	await(t, down[honest], "a block for who asked once")
	pieces := (fleet.BlockSize + syncer.PieceSize - 1) / syncer.PieceSize
	if got, most := len(down[gate]), asked*blocks*pieces; got > most/2 {
		t.Errorf("it was served after %d of the %d pieces that another had asked for", got, most)
	}
	stop()
	<-served
	if n := strings.Count(said.String(), "message left"); n != 1 {
		t.Errorf("told %d times of one kiosk's rubbish:\n%.2000s", n, said.String())
	}
}
