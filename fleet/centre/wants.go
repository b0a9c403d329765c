// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package centre

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"gatehouse/fleet"
	syncer "gatehouse/sync"
)

// wants are what kiosks ask for, the last word of each: a kiosk asks for one thing at a time. They are answered by turns, so
// that a kiosk that asks without end keeps nobody waiting for longer than one answer.
type wants struct {
	mu    sync.Mutex
	last  map[fleet.Place]syncer.Want
	turns []fleet.Place
	some  chan struct{}
}

func newWants() *wants {
	return &wants{last: map[fleet.Place]syncer.Want{}, some: make(chan struct{}, 1)}
}

// mostAsking bounds the kiosks that wait. One that is not heard asks again.
const mostAsking = 1 << 16

func (ws *wants) put(from fleet.Place, w syncer.Want) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if _, waits := ws.last[from]; !waits {
		if len(ws.turns) == mostAsking {
			return
		}
		ws.turns = append(ws.turns, from)
	}
	ws.last[from] = w
	select {
	case ws.some <- struct{}{}:
	default:
	}
}

func (ws *wants) next() (from fleet.Place, w syncer.Want, ok bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if len(ws.turns) == 0 {
		return from, w, false
	}
	from, ws.turns = ws.turns[0], ws.turns[1:]
	w = ws.last[from]
	delete(ws.last, from)
	return from, w, true
}

// hand answers what kiosks ask for until ctx ends. It keeps nobody's receipt back.
func (c *Centre) hand(ctx context.Context, l *link) {
	for ctx.Err() == nil {
		if from, w, ok := c.wants.next(); ok {
			c.complain(from, syncer.LeafWant, c.sendBlocks(ctx, l, from, w))
			continue
		}
		select {
		case <-ctx.Done():
		case <-c.wants.some:
		}
	}
}

// sendBlocks sends the blocks that a kiosk asks for.
func (c *Centre) sendBlocks(ctx context.Context, l *link, to fleet.Place, w syncer.Want) error {
	blob, err := c.blobs.get(w.Digest)
	if err != nil {
		return err
	}
	here := int(w.From) // of the first
	for _, i := range w.Blocks {
		begin := uint64(i) * fleet.BlockSize
		if begin >= uint64(len(blob)) {
			return fmt.Errorf("centre: block %d of a blob of %d bytes", i, len(blob))
		}
		block := blob[begin:min(begin+fleet.BlockSize, uint64(len(blob)))]
		for ; here < len(block) && ctx.Err() == nil; here += syncer.PieceSize {
			piece := block[here:min(here+syncer.PieceSize, len(block))]
			l.send(syncer.DownTopic(to, syncer.LeafBlock), syncer.Block{Digest: w.Digest, Index: i, From: uint32(here), Data: piece}.Encode())
		}
		here = 0
	}
	return nil
}

// blobs are those that kiosks asked for last. A whole fleet asks for one at a time, and for each four blocks anew.
type blobs struct {
	source func(fleet.Digest) ([]byte, error)
	recent []blob // the last first
}

type blob struct {
	digest fleet.Digest
	bytes  []byte
}

// mostBlobs bounds how many are kept in memory.
const mostBlobs = 4

func (b *blobs) get(d fleet.Digest) ([]byte, error) {
	at := slices.IndexFunc(b.recent, func(r blob) bool { return r.digest == d })
	if at < 0 {
		if b.source == nil {
			return nil, errors.New("centre: no blobs are handed out here")
		}
		bytes, err := b.source(d)
		if err != nil {
			return nil, fmt.Errorf("centre: a blob that was not published from here: %w", err)
		}
		b.recent = append(b.recent, blob{d, bytes})
		at = len(b.recent) - 1
	}
	got := b.recent[at]
	b.recent = slices.Insert(slices.Delete(b.recent, at, at+1), 0, got)
	b.recent = b.recent[:min(len(b.recent), mostBlobs)]
	return got.bytes, nil
}
