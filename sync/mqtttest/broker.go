// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package mqtttest starts brokers for tests: mochi, embedded, which is there on every machine, and Debian's Mosquitto,
// which is what a venue runs. What is tested on one is tested on both.
package mqtttest

import (
	"log/slog"
	"net"
	"sync"
	"testing"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// Embedded is a broker in this process, on loopback. It keeps its address when it is killed and started again, and forgets
// all that was retained.
type Embedded struct {
	tb   testing.TB
	addr string

	mu     sync.Mutex
	server *mochi.Server
	ears   int // subscriptions from within; those with one number would hide each other
}

// Start starts a broker that ends with the test.
func Start(tb testing.TB) *Embedded {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	b := &Embedded{tb: tb, addr: l.Addr().String()}
	_ = l.Close()
	b.Restart()
	tb.Cleanup(b.Kill)
	return b
}

// Addr is host:port.
func (b *Embedded) Addr() string { return b.addr }

// Restart starts it again.
func (b *Embedded) Restart() {
	b.tb.Helper()
	server := mochi.New(&mochi.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	if err := server.AddHook(new(auth.AllowHook), nil); err != nil {
		b.tb.Fatal(err)
	}
	if err := server.AddListener(listeners.NewTCP(listeners.Config{ID: "test", Address: b.addr})); err != nil {
		b.tb.Fatal(err)
	}
	if err := server.Serve(); err != nil {
		b.tb.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.server = server
}

// Kill ends it and every connection.
func (b *Embedded) Kill() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.server != nil {
		_ = b.server.Close()
		b.server = nil
	}
}

// Publish publishes from within; while the broker is dead nobody hears it.
func (b *Embedded) Publish(topic string, retained bool, payload []byte) {
	b.tb.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.server == nil {
		return
	}
	if err := b.server.Publish(topic, payload, retained, 0); err != nil {
		b.tb.Fatal(err)
	}
}

// Subscribe hears what is published on a filter.
func (b *Embedded) Subscribe(filter string, hear func(topic string, payload []byte)) {
	b.tb.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ears++
	if err := b.server.Subscribe(filter, b.ears, func(_ *mochi.Client, _ packets.Subscription, pk packets.Packet) { hear(pk.TopicName, pk.Payload) }); err != nil {
		b.tb.Fatal(err)
	}
}
