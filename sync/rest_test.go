// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"gatehouse/fleet"
)

// kept is a staging that keeps one block.
type kept struct {
	Blobs
	block []byte
}

func (k *kept) Put(_ fleet.MissingBlob, _ uint32, block []byte) error {
	k.block = block
	return nil
}

// What came before a connection was lost counts, and an order does not: no kiosk would be asked, for there is none here.
func TestWhatCameBeforeABreakCounts(t *testing.T) {
	data := []byte("8 bytes!")
	base := fleet.BaseOf(data, 1)
	k := &kept{}
	s := newSession(&Client{cfg: Config{Log: slog.New(slog.NewTextHandler(io.Discard, nil))}, blobs: k})
	s.fetching = fetching{wanted: []fleet.MissingBlob{{Base: *base, Size: uint64(len(data))}}, asked: map[uint32]bool{0: true}}
	s.inbox.messages <- message{LeafCommand, []byte("order")}
	s.inbox.messages <- message{LeafBlock, Block{Digest: base.Digest, Data: data[:5]}.Encode()}
	s.inbox.messages <- message{LeafBlock, Block{Digest: base.Digest, From: 5, Data: data[5:]}.Encode()}
	s.takeRest(context.Background())
	if string(k.block) != string(data) || !s.fruitful {
		t.Errorf("kept %q", k.block)
	}
}
