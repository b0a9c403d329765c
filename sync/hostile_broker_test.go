// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"gatehouse/fleet"
	syncer "gatehouse/sync"
	"gatehouse/sync/mqtttest"
)

// hostile is a kiosk whose way to an honest broker leads through somebody else.
type hostile struct {
	*kiosk
	broker    *mqtttest.Broker
	between   *mqtttest.Between
	collector *honest
}

func newHostile(t *testing.T) *hostile {
	h := &hostile{kiosk: newKiosk(t), broker: mqtttest.Start(t)}
	h.hurried = true
	h.between = mqtttest.Stand(t, h.broker.Addr())
	h.collector = collectAt(t, h.broker)
	return h
}

// recovers makes sure that the kiosk follows its fleet and delivers again once the network is honest, without a restart.
func (h *hostile) recovers(t *testing.T) {
	t.Helper()
	h.between.Meddle(nil)
	h.between.Seize(nil)
	h.set(func() { h.states = nil })
	h.until("joined again", h.joined)
	head := document(t, fleet.KindHead, "arena", 1000)
	h.broker.Publish(syncer.DocumentTopic(fleet.KindHead, "arena"), true, head.Bytes())
	h.until("a head offered", func() bool {
		return slices.ContainsFunc(h.offered, func(d fleet.Document) bool { return d.Digest() == head.Digest() })
	})
	var want uint64
	h.set(func() { h.events = append(h.events, []byte{0xa0}); want = uint64(len(h.events)) })
	h.until("the events received", func() bool { return h.receipt.Seq == want })
	h.collector.whole(t, want)
}

// honest is a collector as it should be: it has each event once, in order, and says up to where.
type honest struct {
	mu     sync.Mutex
	events [][]byte
	end    fleet.Link
	broken error
}

// collectAt has an honest collector answer at a broker.
func collectAt(t *testing.T, b *mqtttest.Broker) *honest {
	h := &honest{}
	batches := make(chan []byte, 1000)
	b.Subscribe("gatehouse/v1/+/+/up/ev", func(_ string, payload []byte) {
		select {
		case batches <- bytes.Clone(payload):
		default: // it comes again
		}
	})
	done, stop := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case raw := <-batches:
				if receipt := h.take(t, raw); receipt != nil {
					b.Publish("gatehouse/v1/arena/gate-1/down/ack", false, receipt)
				}
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
	return h
}

func (h *honest) take(t *testing.T, raw []byte) []byte {
	r, err := fleet.OpenRecords(raw, place, key(t, "kiosk").Public())
	if err != nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if have := uint64(len(h.events)); r.First <= have+1 && r.Last() > have {
		if r.First == have+1 && r.Before != h.end {
			h.broken = fmt.Errorf("event %d does not follow", r.First)
		}
		h.events = append(h.events, r.Events[have+1-r.First:]...)
		links := r.Links()
		h.end = links[len(links)-1]
	}
	raw, err = fleet.SignReceipt(place, morning, fleet.Receipt{Ledger: r.Ledger, Seq: uint64(len(h.events)), Link: h.end}, key(t, fleet.RoleCollector))
	if err != nil {
		t.Error(err)
	}
	return raw
}

// whole makes sure that so many events are there and that each follows the one before.
func (h *honest) whole(t *testing.T, want uint64) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if uint64(len(h.events)) != want || h.broken != nil {
		t.Errorf("%d events collected of %d; chain: %v", len(h.events), want, h.broken)
	}
}

// answer is a broker that answers what it is told to: CONNECT, SUBSCRIBE and PUBLISH, as long as each is true.
func answer(c net.Conn, connect, subscribe, publish bool) {
	for {
		p, err := packets.ReadPacket(c)
		if err != nil {
			return
		}
		switch p := p.(type) {
		case *packets.ConnectPacket:
			if connect {
				_ = packets.NewControlPacket(packets.Connack).Write(c)
			}
		case *packets.SubscribePacket:
			if subscribe {
				ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
				ack.MessageID, ack.ReturnCodes = p.MessageID, make([]byte, len(p.Topics))
				_ = ack.Write(c)
			}
		case *packets.PublishPacket:
			if publish {
				ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
				ack.MessageID = p.MessageID
				_ = ack.Write(c)
			}
		}
	}
}

// A broker that takes a connection and then does not do its part is left, and told so to whoever looks.
func TestABrokerThatDoesNotAnswerIsLeft(t *testing.T) {
	for name, c := range map[string]struct{ connect, subscribe, publish bool }{
		"nothing":       {},
		"CONNACK alone": {connect: true},
		"no PUBACK":     {connect: true, subscribe: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			h.between.Seize(func(conn net.Conn) { answer(conn, c.connect, c.subscribe, c.publish) })
			h.join(h.between.Addr)
			h.failed(syncer.ErrSilent)
			h.recovers(t)
		})
	}
}

// A connection that stands and carries nothing any more, as behind a dead NAT, is noticed by the kiosk's own questions.
func TestAHalfOpenConnectionIsNoticed(t *testing.T) {
	h := newHostile(t)
	h.join(h.between.Addr)
	h.until("joined", h.joined)
	h.between.Meddle(func(bool, packets.ControlPacket) []packets.ControlPacket { return nil })
	h.failed(syncer.ErrSilent)
	h.recovers(t)
}

// A broker that took the connection for another's answers all that it is asked, and passes nothing on: an order or a receipt would
// never come.
func TestABrokerThatPassesNothingOnIsNoticed(t *testing.T) {
	h := newHostile(t)
	h.join(h.between.Addr)
	h.until("joined", h.joined)
	h.between.Meddle(func(down bool, p packets.ControlPacket) []packets.ControlPacket {
		if m, ok := p.(*packets.PublishPacket); ok && down && !m.Retain {
			return nil
		}
		return []packets.ControlPacket{p}
	})
	h.failed(syncer.ErrDeaf)
	h.set(func() { h.states = nil })
	h.until("another attempt", func() bool { return len(h.states) > 0 })
	h.set(func() {
		if h.joined() {
			t.Error("joined to a broker that passes nothing on")
		}
	})
	h.recovers(t)
}

func TestARefusedSubscriptionIsTold(t *testing.T) {
	h := newHostile(t)
	h.between.Meddle(func(down bool, p packets.ControlPacket) []packets.ControlPacket {
		if ack, ok := p.(*packets.SubackPacket); ok {
			ack.ReturnCodes[len(ack.ReturnCodes)-1] = 0x80
		}
		return []packets.ControlPacket{p}
	})
	h.join(h.between.Addr)
	h.failed(syncer.ErrSubscribe)
	h.recovers(t)
}

func TestARefusedConnectionIsTold(t *testing.T) {
	h := newHostile(t)
	h.between.Meddle(func(_ bool, p packets.ControlPacket) []packets.ControlPacket {
		if ack, ok := p.(*packets.ConnackPacket); ok {
			ack.ReturnCode = packets.ErrRefusedNotAuthorised
		}
		return []packets.ControlPacket{p}
	})
	h.join(h.between.Addr)
	h.failed(packets.ErrorRefusedNotAuthorised)
	h.recovers(t)
}

// A broker that hangs up on everybody is not called in a loop without a pause.
func TestABrokerThatHangsUpIsCalledWithPauses(t *testing.T) {
	h := newHostile(t)
	var calls atomic.Int32
	h.between.Seize(func(net.Conn) { calls.Add(1) })
	h.join(h.between.Addr)
	h.until("twenty failures", func() bool { return len(h.states) >= 20 })
	if n := calls.Load(); n > 25 {
		t.Errorf("%d calls for 20 failures", n)
	}
	h.recovers(t)
}

// heapGrowth is by how many bytes the heap has grown after do, once what is not used was collected.
func heapGrowth(do func()) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	do()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

func TestFramesOf269MegabytesAreNotReadFor(t *testing.T) {
	h := newHostile(t)
	var peak atomic.Uint64
	h.between.Seize(func(c net.Conn) {
		if _, err := packets.ReadPacket(c); err != nil {
			return
		}
		_ = packets.NewControlPacket(packets.Connack).Write(c)
		_, _ = c.Write([]byte{0x30, 0xff, 0xff, 0xff, 0x7f})
		_, _ = io.Copy(io.Discard, c)
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak.Store(max(peak.Load(), m.Sys))
	})
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h.join(h.between.Addr)
	h.failed(syncer.ErrFrame)
	h.recovers(t)
	if grown := int64(peak.Load()) - int64(m.Sys); grown > 64<<20 {
		t.Errorf("%d MiB were taken for a frame that never came", grown>>20)
	}
}

// What a flood brings is bounded, whatever its topics and sizes, and the kiosk works on after it.
func TestAFloodIsBoundedInMemory(t *testing.T) {
	const rounds, documents = 2000, 40
	h := newHostile(t)
	frame := func(topic string, payload []byte) []byte {
		var b bytes.Buffer
		p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
		p.TopicName, p.Payload = "gatehouse/v1/"+topic, payload
		if err := p.Write(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	var small, large [][]byte // made before, so that only what the kiosk keeps is counted
	for _, leaf := range []string{"ack", "blk", "cmd", "config", "none"} {
		small = append(small, frame("arena/gate-1/down/"+leaf, bytes.Repeat([]byte{0xa0}, 2<<10)))
	}
	for v := range uint64(documents) { // distinct ones of half a megabyte
		d, err := fleet.Sign(fleet.KindHead, "arena", v+1, morning, map[string]string{"x": strings.Repeat("x", 500<<10)}, key(t, "head"))
		if err != nil {
			t.Fatal(err)
		}
		for _, topic := range []string{"arena/all/down/head", "arena/all/down/config", "all/down/doc/issuers", "all/down/doc/revocations/x", "all/down/root"} {
			large = append(large, frame(topic, d.Bytes()))
		}
	}
	// The kiosk may leave a broker that keeps it from hearing answers; then the next connection is flooded.
	const enough = 100 << 20
	flooded := make(chan struct{})
	var sent atomic.Int64
	var once sync.Once
	h.between.Seize(func(c net.Conn) {
		answered := make(chan struct{}, 1)
		done := make(chan struct{})
		go func() { defer close(done); answer(tell{c, answered}, true, true, true) }()
		select {
		case <-answered: // it is connected
		case <-done:
		}
		for _, f := range slices.Concat(large, slices.Repeat(small, rounds)) {
			n, err := c.Write(f)
			if sent.Add(int64(n)) > enough {
				once.Do(func() { close(flooded) })
			}
			if err != nil {
				break
			}
		}
		<-done
	})
	grown := heapGrowth(func() {
		h.join(h.between.Addr)
		<-flooded
		h.recovers(t)
	})
	if grown > 40<<20 {
		t.Errorf("%d MiB are kept of a flood of %d MiB", grown>>20, sent.Load()>>20)
	}
}
