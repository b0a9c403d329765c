// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"gatehouse/fleet"
	syncer "gatehouse/sync"
)

// badNetwork drops, doubles, repeats, holds back and swaps messages, both ways, by chance.
type badNetwork struct {
	rnd  *rand.Rand
	old  map[bool][]packets.ControlPacket // of each way, to be said again
	held map[bool]packets.ControlPacket
}

func (n *badNetwork) meddle(down bool, p packets.ControlPacket) []packets.ControlPacket {
	switch p.(type) {
	case *packets.PublishPacket, *packets.PubackPacket:
	default:
		return []packets.ControlPacket{p}
	}
	n.old[down] = append(n.old[down], p)
	out := []packets.ControlPacket{p}
	switch n.rnd.IntN(12) {
	case 0: // lost
		out = nil
	case 1: // doubled
		out = append(out, p)
	case 2: // an old one is said again
		out = append(out, n.old[down][n.rnd.IntN(len(n.old[down]))])
	case 3: // held back until after the next
		if n.held[down] == nil {
			n.held[down], out = p, nil
		}
	}
	if h := n.held[down]; h != nil && h != p {
		out, n.held[down] = append(out, h), nil
	}
	return out
}

// Drops, duplicates, replays, reorders, delays and cuts cost time and nothing else.
func TestABadNetworkLosesAndDoublesNothing(t *testing.T) {
	const events = 1500
	h := newHostile(t)
	for i := range events {
		h.events = append(h.events, []byte{0xa1, byte(i >> 8), byte(i)})
	}
	blob := bytes.Repeat([]byte("revoked."), 9*fleet.BlockSize/8)
	base := fleet.BaseOf(blob, uint64(len(blob)/8))
	h.missing = fleet.Missing{Blobs: []fleet.MissingBlob{{Of: "test", Base: *base, Size: uint64(len(blob))}}}
	h.broker.Subscribe("gatehouse/v1/+/+/up/get", func(_ string, payload []byte) {
		w, err := syncer.ReadWant(payload)
		if err != nil {
			return
		}
		go func() { // from within a handler the broker cannot be spoken to
			for _, i := range w.Blocks {
				block := syncer.Block{Digest: w.Digest, Index: i, Data: blob[int(i)*fleet.BlockSize:][:fleet.BlockSize]}
				h.broker.Publish("gatehouse/v1/arena/gate-1/down/blk", false, block.Encode())
			}
		}()
	})
	n := &badNetwork{rnd: rand.New(rand.NewPCG(5, 17)), old: map[bool][]packets.ControlPacket{}, held: map[bool]packets.ControlPacket{}}
	h.between.Meddle(n.meddle)
	h.join(h.between.Addr)
	for _, part := range []uint64{events / 3, 2 * events / 3, events} {
		h.until("a part received", func() bool { return h.receipt.Seq >= part })
		h.between.Cut()
	}
	h.until("the blob here", func() bool { return len(h.blobs) > 0 })
	h.set(func() {
		if !bytes.Equal(h.blobs[0], blob) {
			t.Error("another blob was offered")
		}
	})
	h.collector.whole(t, events)
	h.recovers(t)
	h.set(func() {
		if h.alarm != nil {
			t.Errorf("alarm: %v", h.alarm)
		}
	})
}

// A receipt that is said again, or comes late, moves nothing back; one for another kiosk, of another ledger, or of what was
// never sent moves nothing on.
func TestReplayedAndForeignReceiptsMoveNothing(t *testing.T) {
	h := newHostile(t)
	for range 300 {
		h.events = append(h.events, []byte{0xa0})
	}
	h.join(h.between.Addr)
	h.until("all received", func() bool { return h.receipt.Seq == 300 })
	receipt := func(to fleet.Place, seq, linkAt uint64, signer string) {
		h.mu.Lock()
		r := fleet.Receipt{Ledger: h.ledger, Seq: seq, Link: h.linkAt(linkAt)}
		h.mu.Unlock()
		raw, err := fleet.SignReceipt(to, morning, r, key(t, signer))
		if err != nil {
			t.Fatal(err)
		}
		h.broker.Publish("gatehouse/v1/arena/gate-1/down/ack", false, raw)
	}
	receipt(place, 64, 64, fleet.RoleCollector) // from before
	receipt(fleet.Place{Venue: "arena", Kiosk: "gate-2"}, 301, 300, fleet.RoleCollector)
	receipt(place, 300, 300, "head")
	receipt(place, 1<<40, 300, fleet.RoleCollector) // of what was never sent
	alarms := func() (n int) {
		for _, err := range h.alarms {
			if errors.Is(err, fleet.ErrAhead) {
				n++
			}
		}
		return n
	}
	h.until("an alarm", func() bool { return alarms() > 0 }) // which ends with the next good receipt, and not with an old one
	h.set(func() { h.alarms = nil })
	receipt(place, 64, 64, fleet.RoleCollector)
	receipt(place, 1<<40, 300, fleet.RoleCollector)
	h.until("another alarm", func() bool { return alarms() > 0 })
	h.set(func() {
		if h.alarms[0] == nil {
			t.Error("a receipt from before ended the alarm")
		}
	})
	if got := h.Receipt().Seq; got != 300 {
		t.Errorf("received up to %d", got)
	}
	h.recovers(t)
	h.until("the alarm over", func() bool { return h.alarm == nil })
}

// The kiosk's clock may jump, or say what no message can: events leave, and the connection stands.
func TestClockJumpsDuringASession(t *testing.T) {
	h := newHostile(t)
	h.hurried = false // on a busy machine no connection stands that has to answer at once
	h.join(h.between.Addr)
	h.until("joined", h.joined)
	want := uint64(0)
	for _, at := range []time.Time{morning, morning.AddDate(10, 0, 0), time.Unix(12, 0), {}, time.Unix(-5, 0), morning.AddDate(300, 0, 0), morning} {
		h.set(func() { h.at, h.events = at, append(h.events, []byte{0xa0}); want++ })
		h.until("received at "+at.String(), func() bool { return h.receipt.Seq == want })
	}
	h.set(func() {
		if slices.ContainsFunc(h.states, func(err error) bool { return err != nil }) {
			t.Errorf("the connection did not stand: %v", h.states)
		}
	})
	h.recovers(t)
}

// An order of an earlier connection is worth nothing on a later one, also when a broker gives both the same answers.
func TestAnOrderOfAnEarlierConnectionIsNotObeyed(t *testing.T) {
	h := newHostile(t)
	e := listen(t, h.broker)
	h.join(h.between.Addr)
	first := e.status()
	order := func(s syncer.Status, id byte) []byte {
		c := fleet.Command{ID: fleet.Nonce{id}, Boot: s.Boot, Action: fleet.ActionOpen, Lane: "in-1", Reason: "test"}
		if err := c.Nonce.UnmarshalText([]byte(s.Nonce)); err != nil {
			t.Fatal(err)
		}
		raw, err := fleet.SignCommand(place, morning, c, key(t, fleet.RoleCommand))
		if err != nil {
			t.Fatal(err)
		}
		h.broker.Publish("gatehouse/v1/arena/gate-1/down/cmd", false, raw)
		return raw
	}
	raw := order(first, 1)
	h.until("obeyed", func() bool { return len(h.obeyed) == 1 })
	h.between.Cut()
	second := first
	for second.Nonce == first.Nonce || !second.Online {
		second = e.status()
	}
	h.broker.Publish("gatehouse/v1/arena/gate-1/down/cmd", false, raw)
	order(second, 2)
	h.until("the new one obeyed", func() bool { return len(h.obeyed) >= 2 })
	h.set(func() {
		if h.obeyed[1].ID != (fleet.Nonce{2}) || len(h.obeyed) != 2 {
			t.Errorf("obeyed %+v", h.obeyed)
		}
	})
	h.recovers(t)
}

// A broker that says of each message that it has it, and gives it to nobody, makes the kiosk forget nothing.
func TestABrokerThatAcceptsAndDeliversNothing(t *testing.T) {
	h := newHostile(t)
	for range 500 {
		h.events = append(h.events, []byte{0xa0})
	}
	acknowledged := make(chan struct{}, 1000)
	h.between.Seize(func(c net.Conn) {
		answer(tell{c, acknowledged}, true, true, true)
	})
	h.join(h.between.Addr)
	for range 30 { // batches are sent again and again
		<-acknowledged
	}
	if got := h.Receipt().Seq; got != 0 {
		t.Errorf("%d events count as received", got)
	}
	h.recovers(t)
	h.collector.whole(t, 501)
}

// tell notices what is written to a connection.
type tell struct {
	net.Conn
	written chan struct{}
}

func (c tell) Write(b []byte) (int, error) {
	select {
	case c.written <- struct{}{}:
	default:
	}
	return c.Conn.Write(b)
}
