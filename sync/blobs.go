// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"context"
	"fmt"
	"time"

	"gatehouse/fleet"
)

// blockWindow is how many blocks are under way.
const blockWindow = 4

// fetching is which blob is on its way. One at a time.
type fetching struct {
	wanted []fleet.MissingBlob
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

// patience is when a kiosk begins to fetch the blob that it learned of last. It outlives connections: all kiosks of a
// venue lose theirs at one moment.
type patience struct {
	of    fleet.Digest
	until time.Time
}

// over tells whether the kiosk may fetch a blob now. Each waits for a part of the spread that its name and the blob's digest
// give: another one for another list, so that no kiosk is always the last.
func (p *patience) over(b fleet.MissingBlob, place fleet.Place, now time.Time) bool {
	if p.of != b.Base.Digest {
		*p = patience{b.Base.Digest, now}
		if b.Spread > 0 {
			p.until = now.Add(time.Duration(hashOf(place.String()+b.Base.Digest.String()) % uint64(b.Spread)))
		}
	}
	return !now.Before(p.until)
}

// want takes what the newest head waits for. A blob without blocks comes in a bundle only.
func (f *fetching) want(m fleet.Missing) {
	var wanted []fleet.MissingBlob
	for _, b := range m.Blobs {
		if len(b.Base.Blocks) > 0 {
			wanted = append(wanted, b)
		}
	}
	if len(wanted) == 0 || len(f.wanted) == 0 || wanted[0].Base.Digest != f.wanted[0].Base.Digest {
		f.asked, f.due = nil, time.Time{}
	}
	f.wanted = wanted
}

// askForBlocks asks for the next blocks where there is room, and not while an offer decides what is wanted.
func (s *session) askForBlocks(ctx context.Context, now time.Time) error {
	f := &s.fetching
	if s.offering != nil || len(f.wanted) == 0 || len(f.asked) > 0 && now.Before(f.due) {
		return nil
	}
	b := f.wanted[0]
	lacks, err := s.blobs.Lacks(b, blockWindow)
	if err != nil {
		return s.giveUp(err)
	}
	if begun := len(lacks) == 0 || lacks[0] > 0; !begun && !s.patience.over(b, s.cfg.Place, now) {
		return nil
	}
	if len(lacks) == 0 {
		return s.finish(ctx, b)
	}
	f.asked, f.due = map[uint32]bool{}, now.Add(s.rhythm.block)
	for _, i := range lacks {
		f.asked[i] = true
	}
	s.publish(LeafWant, false, 1, Want{Digest: b.Base.Digest, Blocks: lacks, From: s.partial.from(b.Base.Digest, lacks[0])}.Encode())
	return nil
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

// finish offers the whole blob with the documents.
func (s *session) finish(ctx context.Context, b fleet.MissingBlob) error {
	blob, err := s.blobs.Take(b)
	if err != nil {
		return s.giveUp(err)
	}
	s.fetching = fetching{}
	s.offerDocuments(ctx, [][]byte{blob})
	return nil
}

// giveUp leaves the blob until the next offer: the disk is full, or fails.
func (s *session) giveUp(err error) error {
	s.fetching = fetching{}
	s.cfg.Log.Warn("blob not kept", "err", err)
	return nil
}
