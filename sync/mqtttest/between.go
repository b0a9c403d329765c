// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package mqtttest

import (
	"net"
	"sync"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// Between stands between a client and a broker: it is the network that nobody can trust, or a broker of somebody else. It
// listens on loopback until the test ends.
type Between struct {
	// Addr is host:port, for clients.
	Addr string

	broker string

	mu     sync.Mutex
	seize  func(net.Conn)
	meddle func(down bool, p packets.ControlPacket) []packets.ControlPacket
	open   map[net.Conn]bool
	closed bool
	ends   sync.WaitGroup
}

// Stand puts itself before the broker at an address.
func Stand(tb TB, broker string) *Between {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	b := &Between{Addr: l.Addr().String(), broker: broker, open: map[net.Conn]bool{}}
	b.ends.Go(func() { b.accept(l) })
	tb.Cleanup(func() {
		_ = l.Close()
		b.mu.Lock()
		b.closed = true
		b.mu.Unlock()
		b.Cut()
		b.ends.Wait()
	})
	return b
}

// Seize has connections from now on served by do, which returns when it is done with one; nil lets them through again. Those
// that stand are cut.
func (b *Between) Seize(do func(net.Conn)) {
	b.mu.Lock()
	b.seize = do
	b.mu.Unlock()
	b.Cut()
}

// Meddle has every packet given to do, which returns what goes on in its place; nil lets all through. down is towards the
// client. It is called for one packet at a time.
func (b *Between) Meddle(do func(down bool, p packets.ControlPacket) []packets.ControlPacket) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.meddle = do
}

// Cut ends every connection that stands.
func (b *Between) Cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.open {
		_ = c.Close()
	}
}

func (b *Between) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		b.ends.Go(func() { b.serve(c) })
	}
}

// hold remembers a connection so that it can be cut, and tells whether it may live.
func (b *Between) hold(c net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open[c] = true
	return !b.closed
}

func (b *Between) release(c net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, c)
	_ = c.Close()
}

func (b *Between) serve(client net.Conn) {
	defer b.release(client)
	if !b.hold(client) {
		return
	}
	b.mu.Lock()
	seize := b.seize
	b.mu.Unlock()
	if seize != nil {
		seize(client)
		return
	}
	broker, err := net.Dial("tcp", b.broker)
	if err != nil {
		return
	}
	defer b.release(broker)
	if !b.hold(broker) {
		return
	}
	up := make(chan struct{})
	go func() { defer close(up); b.carry(false, client, broker) }()
	b.carry(true, broker, client)
	<-up
}

// carry brings packets from one end to the other until one of them is gone.
func (b *Between) carry(down bool, from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	for {
		p, err := packets.ReadPacket(from)
		if err != nil {
			return
		}
		b.mu.Lock()
		out := []packets.ControlPacket{p}
		if b.meddle != nil {
			out = b.meddle(down, p)
		}
		b.mu.Unlock()
		for _, p := range out {
			if p.Write(to) != nil {
				return
			}
		}
	}
}
