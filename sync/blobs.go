// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gatehouse/fleet"
)

// blockWindow is how many blocks are under way.
const blockWindow = 4

// fetching is which blob is on its way. One at a time; a head is put in force whole, so they are offered together.
type fetching struct {
	wanted []fleet.MissingBlob
	tried  []fleet.MissingBlob // of the offer that is under way
	more   bool                // something is missing that is no blob to fetch: to offer blobs would be in vain
	asked  map[uint32]bool
	due    time.Time
}

// partial is the block of which a part is here. It outlives connections, so that a break costs no more than a piece.
type partial struct {
	blob  fleet.Digest
	index uint32
	data  []byte
}

// add puts a piece behind those that are here, or begins with it. ok is false for one that does not follow: it came twice, or
// one before it was lost.
func (p *partial) add(b Block) (ok bool) {
	switch {
	case b.From == 0:
		*p = partial{b.Digest, b.Index, append(p.data[:0], b.Data...)}
		return true
	case p.blob != b.Digest || p.index != b.Index || len(p.data) != int(b.From):
		return false
	}
	p.data = append(p.data, b.Data...)
	return true
}

// from is how much of a block is here, in bytes.
func (p *partial) from(blob fleet.Digest, index uint32) uint32 {
	if p.blob != blob || p.index != index {
		return 0
	}
	return uint32(len(p.data))
}

// patience is when a kiosk begins to fetch which blob. It outlives connections: all kiosks of a venue lose theirs at one moment.
type patience map[fleet.Digest]time.Time

// mostPatience bounds of how many blobs it is kept; beyond it the waiting begins anew.
const mostPatience = 256

// over tells whether the kiosk may fetch a blob now. Each waits for a part of the spread that its name and the blob's digest
// give: another one for another list, so that no kiosk is always the last.
func (p patience) over(b fleet.MissingBlob, place fleet.Place, now time.Time) bool {
	until, known := p[b.Base.Digest]
	if !known {
		if len(p) >= mostPatience {
			clear(p)
		}
		until = now
		if b.Spread > 0 {
			until = now.Add(time.Duration(hashOf(place.String()+b.Base.Digest.String()) % uint64(b.Spread)))
		}
		p[b.Base.Digest] = until
	}
	return !now.Before(until)
}

// want takes what the newest head waits for. A blob without blocks comes in a bundle only.
func (f *fetching) want(m fleet.Missing) {
	f.more = len(m.Documents) > 0
	var wanted []fleet.MissingBlob
	for _, b := range m.Blobs {
		if len(b.Base.Blocks) > 0 {
			wanted = append(wanted, b)
		} else {
			f.more = true
		}
	}
	under := -1 // the place of the blob that is on its way
	if len(f.wanted) > 0 {
		under = slices.IndexFunc(wanted, func(b fleet.MissingBlob) bool { return b.Base.Digest == f.wanted[0].Base.Digest })
	}
	if under < 0 {
		under, f.asked = 0, nil
	}
	f.wanted = append(wanted[under:], wanted[:under]...)
}

// turn lets the next blob be first: nobody has this one, or its time has not come. One issuer's list that is nowhere keeps
// no other's away.
func (f *fetching) turn() { f.wanted, f.asked = append(f.wanted[1:], f.wanted[0]), nil }

// askForBlocks asks for the next blocks where there is room, and not while an offer decides what is wanted.
func (s *session) askForBlocks(ctx context.Context, now time.Time) error {
	f := &s.fetching
	if s.offering != nil || len(f.wanted) == 0 || len(f.asked) > 0 && now.Before(f.due) {
		return nil
	}
	if len(f.asked) > 0 {
		f.turn()
	}
	whole := !f.more
	for range f.wanted {
		b := f.wanted[0]
		lacks, err := s.blobs.Lacks(b, blockWindow)
		switch {
		case err != nil:
			return s.giveUp(err)
		case len(lacks) > 0 && (lacks[0] > 0 || s.patience.over(b, s.cfg.Place, now)):
			s.ask(b, lacks, now)
			return nil
		}
		whole = whole && len(lacks) == 0 && !now.Before(s.vain[b.Base.Digest])
		f.turn()
	}
	if whole {
		return s.finish(ctx)
	}
	return nil
}

func (s *session) ask(b fleet.MissingBlob, lacks []uint32, now time.Time) {
	f := &s.fetching
	f.asked, f.due = map[uint32]bool{}, now.Add(s.rhythm.block)
	for _, i := range lacks {
		f.asked[i] = true
	}
	s.publish(LeafWant, false, 1, Want{Digest: b.Base.Digest, Blocks: lacks, From: s.partial.from(b.Base.Digest, lacks[0])}.Encode())
}

// takeBlock takes a piece of a block, and keeps the block once it is whole and what the manifest says.
func (s *session) takeBlock(raw []byte) error {
	b, err := ReadBlock(raw)
	if err != nil {
		return err
	}
	f := &s.fetching
	if len(f.wanted) == 0 || f.wanted[0].Base.Digest != b.Digest || !f.asked[b.Index] || !s.partial.add(b) {
		return nil // late, or never asked for
	}
	s.fruitful = true
	f.due = time.Now().Add(s.rhythm.block) // slow is not lost
	want := f.wanted[0]
	block := s.partial.data
	if begin := uint64(b.Index) * fleet.BlockSize; uint64(len(block)) < min(want.Size-begin, fleet.BlockSize) {
		return nil
	}
	s.partial = partial{}
	if fleet.DigestOf(block) != want.Base.Blocks[b.Index] {
		return fmt.Errorf("%w: block %d of %s is not what was signed", ErrWire, b.Index, b.Digest)
	}
	if err := s.blobs.Put(want, b.Index, block); err != nil {
		return s.giveUp(err)
	}
	delete(f.asked, b.Index)
	return nil
}

// finish offers the whole blobs with the documents.
func (s *session) finish(ctx context.Context) error {
	var blobs [][]byte
	for _, b := range s.fetching.wanted {
		blob, err := s.blobs.Take(b)
		if err != nil {
			return s.giveUp(err)
		}
		blobs = append(blobs, blob)
	}
	s.fetching = fetching{tried: s.fetching.wanted}
	s.offerDocuments(ctx, blobs)
	return nil
}

// tried notes which blobs were offered. Where they are missing as before, for a full disk or whatever else, they are not offered
// again at once: to build lists in vain wears a card out.
func (s *session) tried(now time.Time) {
	if len(s.vain) >= mostPatience {
		clear(s.vain)
	}
	for _, b := range s.fetching.tried {
		s.vain[b.Base.Digest] = now.Add(s.rhythm.vain)
	}
	s.fetching.tried = nil
}

// giveUp leaves the blob until the next offer: the disk is full, or fails.
func (s *session) giveUp(err error) error {
	s.fetching = fetching{}
	s.cfg.Log.Warn("blob not kept", "err", err)
	return nil
}
