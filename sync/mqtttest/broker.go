// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package mqtttest is a broker for tests and for the demo: mochi, embedded, which is there on every machine; and the network
// between it and a client, which drops, forges and hangs up as a test wants. What a venue runs is tested with Debian's
// Mosquitto.
package mqtttest

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"sync"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/packets"
)

// TB is what of testing.TB a test's broker needs.
type TB interface {
	Helper()
	Fatal(args ...any)
	Cleanup(func())
}

// Embedded is a broker in this process, on loopback. It keeps its address when it is killed and started again, and forgets
// all that was retained.
type Embedded struct {
	addr string
	tls  *tls.Config

	mu     sync.Mutex
	server *mochi.Server
	ears   int // subscriptions from within; those with one number would hide each other
}

// New takes an address on loopback for a broker that Open starts. tls is nil for plain TCP; a configuration that asks for
// certificates of clients lets in who has one.
func New(tls *tls.Config) (*Embedded, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("mqtttest: %w", err)
	}
	return &Embedded{addr: l.Addr().String(), tls: tls}, l.Close()
}

// Start starts a broker that ends with the test.
func Start(tb TB) *Broker {
	tb.Helper()
	e, err := New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	b := &Broker{e, tb}
	b.Restart()
	tb.Cleanup(b.Kill)
	return b
}

// Addr is host:port.
func (b *Embedded) Addr() string { return b.addr }

// Open starts it, or starts it again.
func (b *Embedded) Open() error {
	server := mochi.New(&mochi.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	if err := server.AddHook(new(auth.AllowHook), nil); err != nil {
		return fmt.Errorf("mqtttest: %w", err)
	}
	l, err := listen(b.addr, b.tls)
	if err != nil {
		return fmt.Errorf("mqtttest: %w", err)
	}
	if err := server.AddListener(l); err != nil {
		return fmt.Errorf("mqtttest: %w", err)
	}
	if err := server.Serve(); err != nil {
		return fmt.Errorf("mqtttest: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.server = server
	return nil
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

// Say publishes from within; while the broker is dead nobody hears it.
func (b *Embedded) Say(topic string, retained bool, payload []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.server == nil {
		return nil
	}
	return b.server.Publish(topic, payload, retained, 0)
}

// Hear hears what is published on a filter, until the broker is killed.
func (b *Embedded) Hear(filter string, hear func(topic string, payload []byte)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ears++
	return b.server.Subscribe(filter, b.ears, func(_ *mochi.Client, _ packets.Subscription, pk packets.Packet) { hear(pk.TopicName, pk.Payload) })
}

// Broker is an embedded broker of a test, which fails where the broker does.
type Broker struct {
	*Embedded
	tb TB
}

// Restart starts it again.
func (b *Broker) Restart() {
	b.tb.Helper()
	if err := b.Open(); err != nil {
		b.tb.Fatal(err)
	}
}

// Publish publishes from within; while the broker is dead nobody hears it.
func (b *Broker) Publish(topic string, retained bool, payload []byte) {
	b.tb.Helper()
	if err := b.Say(topic, retained, payload); err != nil {
		b.tb.Fatal(err)
	}
}

// Subscribe hears what is published on a filter.
func (b *Broker) Subscribe(filter string, hear func(topic string, payload []byte)) {
	b.tb.Helper()
	if err := b.Hear(filter, hear); err != nil {
		b.tb.Fatal(err)
	}
}
