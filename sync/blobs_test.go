// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"gatehouse/fleet"
	syncer "gatehouse/sync"
	"gatehouse/sync/mqtttest"
)

// A break in the middle of a block costs a piece, not the block; what is forged costs the block and not the blob.
func TestABlockGoesOnWhereItWasCut(t *testing.T) {
	b, k := mqtttest.Start(t), newKiosk(t)
	blob := bytes.Repeat([]byte("revoked "), 5*fleet.BlockSize/8+4)
	base := fleet.BaseOf(blob, uint64(len(blob)/8))
	k.missing = fleet.Missing{Blobs: []fleet.MissingBlob{{Of: "test", Base: *base, Size: uint64(len(blob))}}}
	e := listen(t, b)
	next := func() syncer.Want {
		t.Helper()
		w, err := syncer.ReadWant(e.next("up/get"))
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	piece := func(index, from uint32, data []byte) {
		b.Publish("gatehouse/v1/arena/gate-1/down/blk", false, syncer.Block{Digest: base.Digest, Index: index, From: from, Data: data}.Encode())
	}
	pieces := func(index, from, upTo uint32) {
		block := blob[index*fleet.BlockSize : min(int(index+1)*fleet.BlockSize, len(blob))]
		for upTo = min(upTo, uint32(len(block))); from < upTo; from += syncer.PieceSize {
			piece(index, from, block[from:min(from+syncer.PieceSize, upTo)])
		}
	}
	k.join(b.Addr())
	if w := next(); w.From != 0 || !slices.Equal(w.Blocks, []uint32{0, 1, 2, 3}) {
		t.Fatalf("first asked for %+v", w)
	}
	pieces(0, 0, fleet.BlockSize)
	pieces(1, 0, 3*syncer.PieceSize)
	k.until("one block kept", func() bool { return len(k.blocks) == 1 })
	send(t, b, fleet.Receipt{Ledger: k.ledger, Seq: 9}, key(t, fleet.RoleCollector))
	k.until("all heard that was said so far", func() bool { return k.alarm != nil })
	b.Kill()
	b.Restart()
	e = listen(t, b)
	w := next()
	if w.From != 3*syncer.PieceSize || !slices.Equal(w.Blocks, []uint32{1, 2, 3, 4}) {
		t.Fatalf("after a break it asked for %+v", w)
	}
	piece(1, 5*syncer.PieceSize, make([]byte, 100)) // one before it was lost
	pieces(1, w.From, fleet.BlockSize)
	pieces(1, w.From, fleet.BlockSize) // twice
	pieces(2, 0, syncer.PieceSize)
	piece(2, syncer.PieceSize, make([]byte, fleet.BlockSize-syncer.PieceSize)) // forged
	pieces(2, 0, fleet.BlockSize)
	pieces(3, 0, fleet.BlockSize)
	pieces(4, 0, fleet.BlockSize)
	if w := next(); w.From != 0 || !slices.Equal(w.Blocks, []uint32{5}) {
		t.Fatalf("at the end it asked for %+v", w)
	}
	pieces(5, 0, fleet.BlockSize)
	k.until("the blob offered", func() bool { return len(k.blobs) == 1 })
	k.set(func() {
		if !bytes.Equal(k.blobs[0], blob) {
			t.Error("another blob was offered")
		}
	})
}

// A head is put in force whole: while one of its documents or blobs is nowhere, to offer the others would be in vain, and where
// it was in vain, as on a full disk, they are not built again at once.
func TestBlobsAreOfferedTogetherAndNotAgainAndAgain(t *testing.T) {
	b, k := mqtttest.Start(t), newKiosk(t)
	for _, text := range []string{"arena   ", "stadium "} {
		blob := bytes.Repeat([]byte(text), 2*fleet.BlockSize/8)
		m := fleet.MissingBlob{Of: "test", Base: *fleet.BaseOf(blob, uint64(len(blob)/8)), Size: uint64(len(blob))}
		for i := range uint32(2) {
			k.blocks[blockOf{m.Base.Digest, i}] = blob[i*fleet.BlockSize : (i+1)*fleet.BlockSize]
		}
		k.missing.Blobs = append(k.missing.Blobs, m)
	}
	k.missing.Documents = []fleet.Entry{{Kind: fleet.KindConfig, Scope: "arena"}}
	k.vain, k.hurried = true, true
	k.join(b.Addr())
	k.until("some offers", func() bool { return k.offers >= 3 })
	k.set(func() {
		if len(k.blobs) > 0 {
			t.Error("blobs were offered while a document was missing")
		}
		k.missing.Documents = nil
	})
	k.until("the blobs offered and offered again", func() bool { return len(k.tried) >= 3 })
	k.set(func() {
		for i := range 2 {
			if pause := k.tried[i+1].Sub(k.tried[i]); pause < syncer.Vain {
				t.Errorf("offered again after %v", pause)
			}
		}
		if len(k.blobs) != 2*len(k.tried) {
			t.Errorf("%d blobs in %d offers", len(k.blobs), len(k.tried))
		}
	})
}

// Of two issuers' lists one is nowhere to be had, or is to be fetched later: the other comes all the same.
func TestOneListKeepsNoOtherAway(t *testing.T) {
	for name, spread := range map[string]time.Duration{"nobody has it": 0, "its time has not come": 1000 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			b, k := mqtttest.Start(t), newKiosk(t)
			missing := func(text string, spread time.Duration) ([]byte, fleet.MissingBlob) {
				blob := bytes.Repeat([]byte(text), 5*fleet.BlockSize/8)
				return blob, fleet.MissingBlob{Of: "test", Base: *fleet.BaseOf(blob, uint64(len(blob)/8)), Size: uint64(len(blob)), Spread: spread}
			}
			_, absent := missing("nowhere ", spread)
			blob, present := missing("revoked ", 0)
			k.missing = fleet.Missing{Blobs: []fleet.MissingBlob{absent, present}}
			b.Subscribe("gatehouse/v1/arena/gate-1/up/get", func(_ string, payload []byte) {
				w, err := syncer.ReadWant(payload)
				if err != nil {
					t.Error(err)
				}
				if w.Digest == absent.Base.Digest {
					return
				}
				go func() { // from within a handler the broker cannot be spoken to
					for _, i := range w.Blocks {
						block := blob[i*fleet.BlockSize : min(int(i+1)*fleet.BlockSize, len(blob))]
						b.Publish("gatehouse/v1/arena/gate-1/down/blk", false, syncer.Block{Digest: w.Digest, Index: i, Data: block}.Encode())
					}
				}()
			})
			k.hurried = true
			k.join(b.Addr())
			k.until("the list that is there kept", func() bool {
				lacks := false
				for i := range present.Base.Blocks {
					lacks = lacks || k.blocks[blockOf{present.Base.Digest, uint32(i)}] == nil
				}
				return !lacks
			})
		})
	}
}
