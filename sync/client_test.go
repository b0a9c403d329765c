// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"

	"gatehouse/fleet"
	syncer "gatehouse/sync"
	"gatehouse/sync/mqtttest"
)

func TestDocumentsComeInAndTheConnectionComesBack(t *testing.T) {
	b, k := mqtttest.Start(t), newKiosk(t)
	head, forged := document(t, fleet.KindHead, "arena", 3), document(t, fleet.KindHead, "stadium", 4)
	b.Publish(syncer.DocumentTopic(fleet.KindHead, "arena"), true, head.Bytes())
	b.Publish("gatehouse/v1/arena/all/down/other", true, forged.Bytes())
	b.Publish(syncer.DocumentTopic(fleet.KindConfig, "arena"), true, []byte("rubbish"))
	k.join(b.Addr())
	k.until("the head offered", func() bool { return len(k.offered) == 1 && k.offered[0].Digest() == head.Digest() })

	b.Kill()
	k.until("the loss told", func() bool { return !k.joined() })
	b.Restart()
	k.until("joined again", k.joined)
	config := document(t, fleet.KindConfig, "arena/gate-1", 1)
	b.Publish(syncer.DocumentTopic(fleet.KindConfig, "arena/gate-1"), true, config.Bytes())
	k.until("both documents offered", func() bool { return len(k.offered) == 2 })
}

func TestStatusIsGreetedCorrectedAndLeft(t *testing.T) {
	b, k := mqtttest.Start(t), newKiosk(t)
	e := listen(t, b)
	leave := k.join(b.Addr())
	hello := e.status()
	if !hello.Online || hello.Boot != "boot-1" || len(hello.Nonce) != 32 || hello.Version != "test" {
		t.Fatalf("greeting %+v", hello)
	}
	if r := e.next("up/reported"); len(r) == 0 {
		t.Error("nothing reported")
	}
	// The will of a connection before comes late.
	late, _ := json.Marshal(syncer.Status{Online: false, Boot: "boot-0"})
	b.Publish("gatehouse/v1/arena/gate-1/up/status", true, late)
	if s := e.status(); s.Online {
		t.Fatal("the late will was not heard here")
	}
	if s := e.status(); !s.Online || s.Nonce != hello.Nonce {
		t.Errorf("corrected to %+v", s)
	}
	leave()
	if s := e.status(); s.Online || s.Nonce != hello.Nonce {
		t.Errorf("goodbye %+v", s)
	}
}

// collect answers as an honest collector does, from what it has on.
func collect(t *testing.T, b *mqtttest.Broker, e *ear, have uint64, until uint64) {
	t.Helper()
	for have < until {
		r, err := fleet.OpenRecords(e.next("up/ev"), place, key(t, "kiosk").Public())
		if err != nil {
			t.Fatal(err)
		}
		if r.First != have+1 {
			continue // a batch that came again
		}
		have = r.Last()
		links := r.Links()
		receipt := fleet.Receipt{Ledger: r.Ledger, Seq: have, Link: links[len(links)-1]}
		send(t, b, receipt, key(t, fleet.RoleCollector))
	}
}

func send(t *testing.T, b *mqtttest.Broker, r fleet.Receipt, signer fleet.SigningKey) {
	t.Helper()
	raw, err := fleet.SignReceipt(place, morning, r, signer)
	if err != nil {
		t.Fatal(err)
	}
	b.Publish("gatehouse/v1/arena/gate-1/down/ack", false, raw)
}

func TestEventsLeaveInOrderAndOnlyReceiptsCount(t *testing.T) {
	b, k := mqtttest.Start(t), newKiosk(t)
	for range 1000 {
		k.events = append(k.events, []byte{0xa0})
	}
	e := listen(t, b)
	k.join(b.Addr())
	collect(t, b, e, 0, 1000)
	k.until("all received", func() bool { return k.receipt.Seq == 1000 })
	k.set(func() { k.events = append(k.events, []byte{0xa1, 1, 2}) })
	collect(t, b, e, 1000, 1001)
	k.until("the new one received", func() bool { return k.receipt.Seq == 1001 })
}

func TestReceiptsOfOthersCountForNothing(t *testing.T) {
	b, k := mqtttest.Start(t), newKiosk(t)
	k.events = [][]byte{{0xa0}, {0xa0}}
	k.join(b.Addr())
	k.until("joined", k.joined)
	good := fleet.Receipt{Ledger: k.ledger, Seq: 2, Link: k.linkAt(2)}
	ahead, foreign, other := good, good, good
	ahead.Seq, foreign.Ledger, other.Link = 3, fleet.LedgerID{9}, fleet.Link{9}
	send(t, b, good, key(t, "thief"))
	send(t, b, good, key(t, fleet.RoleCommand))
	send(t, b, foreign, key(t, fleet.RoleCollector))
	b.Publish("gatehouse/v1/arena/gate-1/down/ack", false, []byte("rubbish"))
	send(t, b, other, key(t, fleet.RoleCollector))
	k.until("an alarm for another chain", func() bool { return errors.Is(k.alarm, errOther) })
	send(t, b, ahead, key(t, fleet.RoleCollector))
	k.until("an alarm for a receipt ahead", func() bool { return errors.Is(k.alarm, fleet.ErrAhead) })
	if k.Receipt().Seq != 0 {
		t.Fatal("received, and no collector said so")
	}
	send(t, b, good, key(t, fleet.RoleCollector))
	k.until("received, and the alarm gone", func() bool { return k.receipt.Seq == 2 && k.alarm == nil })
}

func TestABlobComesInVerifiedBlocksAndResumes(t *testing.T) {
	b, k := mqtttest.Start(t), newKiosk(t)
	blob := make([]byte, 6*fleet.BlockSize+100)
	for i := range blob {
		blob[i] = byte(i >> 8)
	}
	base := fleet.BaseOf(blob, uint64(len(blob)/8))
	k.missing = fleet.Missing{Blobs: []fleet.MissingBlob{{Of: "test", Base: *base, Size: uint64(len(blob))}}}
	block := func(i uint32) []byte {
		return blob[int(i)*fleet.BlockSize : min((int(i)+1)*fleet.BlockSize, len(blob))]
	}
	var mu sync.Mutex
	var sent []uint32
	upTo := uint32(3) // blocks that are handed out; a message may be lost, and then it is asked for again
	b.Subscribe("gatehouse/v1/arena/gate-1/up/get", func(_ string, payload []byte) {
		w, err := syncer.ReadWant(payload)
		if err != nil {
			t.Error(err)
		}
		go func() { // from within a handler the broker cannot be spoken to
			mu.Lock()
			defer mu.Unlock()
			for _, i := range w.Blocks {
				if i >= upTo {
					continue
				}
				sent = append(sent, i)
				for _, data := range [][]byte{make([]byte, len(block(i))), block(i)} { // the first is forged
					b.Publish("gatehouse/v1/arena/gate-1/down/blk", false, syncer.Block{Digest: w.Digest, Index: i, Data: data}.Encode())
				}
			}
		}()
	})
	k.hurried = true
	leave := k.join(b.Addr())
	k.until("the first blocks kept", func() bool { return len(k.blocks) == 3 })
	leave()
	mu.Lock()
	sent, upTo = nil, uint32(len(base.Blocks))
	mu.Unlock()
	k.join(b.Addr())
	k.until("the blob offered", func() bool { return len(k.blobs) == 1 })
	mu.Lock()
	defer mu.Unlock()
	if slices.Min(sent) < 3 {
		t.Errorf("blocks that were kept are asked for again: %v", sent)
	}
	k.set(func() {
		if sha256.Sum256(k.blobs[0]) != base.Digest {
			t.Error("another blob was offered")
		}
	})
}

// nonceOf is the nonce of the connection that a status is of.
func nonceOf(t *testing.T, s syncer.Status) (nonce fleet.Nonce) {
	t.Helper()
	if err := json.Unmarshal([]byte(`"`+s.Nonce+`"`), &nonce); err != nil {
		t.Fatal(err)
	}
	return nonce
}

func TestCommandsAreObeyedOnceAndOnThisConnectionOnly(t *testing.T) {
	b, k := mqtttest.Start(t), newKiosk(t)
	e := listen(t, b)
	k.join(b.Addr())
	s := e.status()
	nonce := nonceOf(t, s)
	order := func(c fleet.Command, to fleet.Place, signer string) []byte {
		raw, err := fleet.SignCommand(to, morning, c, key(t, signer))
		if err != nil {
			t.Fatal(err)
		}
		b.Publish("gatehouse/v1/arena/gate-1/down/cmd", false, raw)
		return raw
	}
	open := fleet.Command{ID: fleet.Nonce{1}, Boot: s.Boot, Nonce: nonce, Action: fleet.ActionOpen, Lane: "in-1", Reason: "pushchair"}
	result := func() (r syncer.Result) {
		if err := json.Unmarshal(e.next("up/res/"), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	order(open, place, fleet.RoleCollector)
	order(open, fleet.Place{Venue: "arena", Kiosk: "gate-2"}, fleet.RoleCommand)
	stale := open
	stale.ID, stale.Nonce = fleet.Nonce{2}, fleet.Nonce{3}
	raw := order(stale, place, fleet.RoleCommand)
	if r := result(); r.Done || r.Code != "stale" || r.ID != stale.ID.String() {
		t.Fatalf("of another connection: %+v", r)
	}
	b.Publish("gatehouse/v1/arena/gate-1/down/cmd", false, raw) // replayed: no answer, and nothing is asked for again
	raw = order(open, place, fleet.RoleCommand)
	if r := result(); !r.Done || r.ID != open.ID.String() {
		t.Fatalf("%+v", r)
	}
	b.Publish("gatehouse/v1/arena/gate-1/down/cmd", false, raw) // replayed
	second := open
	second.ID = fleet.Nonce{4}
	order(second, place, fleet.RoleCommand)
	if r := result(); !r.Done || r.ID != second.ID.String() {
		t.Fatalf("%+v", r)
	}
	k.set(func() {
		if len(k.obeyed) != 2 || k.obeyed[0].ID != open.ID || k.obeyed[1].ID != second.ID {
			t.Errorf("obeyed %+v", k.obeyed)
		}
	})
}
