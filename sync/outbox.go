// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"fmt"
	"time"

	"gatehouse/fleet"
)

// Sending is go-back-N: batches leave in order, a few at a time, and where receipts stay away they leave again from the
// last receipt on. How many are under way begins at one, grows by one with each receipt and falls to one where receipts stay
// away: where all of a country's kiosks come back at once, a collector has one batch of each to take, and not what it drops.
const maxUnderWay = 4

// sending is where the sending of records is.
type sending struct {
	rhythm   *rhythm
	received uint64    // up to here the collector has them
	next     uint64    // up to here they were sent
	underWay []uint64  // the last of each batch that was sent and not acknowledged
	window   int       // how many may be, 1 to maxUnderWay
	again    int       // of those sent again, how many may be answered twice
	moved    time.Time // when the first of those was sent, or the last receipt moved on
	due      time.Time
	patience time.Duration
	wentBack time.Time
}

func (f *sending) begin(r fleet.Receipt, rhythm *rhythm) {
	*f = sending{rhythm: rhythm, received: r.Seq, next: r.Seq, window: 1, patience: rhythm.receipt}
}

// sent notes that a batch left, up to an event.
func (f *sending) sent(last uint64, now time.Time) {
	if len(f.underWay) == 0 {
		f.moved = now
	}
	f.next, f.underWay, f.due = last, append(f.underWay, last), now.Add(f.patience)
}

// late goes back where no receipt came for too long, and waits longer the next time.
func (f *sending) late(now time.Time) {
	if len(f.underWay) > 0 && now.After(f.due) {
		f.goBack(f.received)
		f.patience = min(2*f.patience, f.rhythm.mostReceipt)
	}
}

// goBack has everything sent again that follows an event.
func (f *sending) goBack(to uint64) {
	f.again += len(f.underWay)
	f.received, f.next, f.underWay, f.window = to, to, nil, 1
}

// answered moves on to what the collector has, up to an event, or back.
func (f *sending) answered(seq uint64, now time.Time) {
	switch {
	case seq > f.received:
		f.received, f.patience, f.moved = seq, f.rhythm.receipt, now
		f.next, f.window = max(f.next, seq), min(f.window+1, maxUnderWay)
		for len(f.underWay) > 0 && f.underWay[0] <= seq {
			f.underWay = f.underWay[1:]
		}
		f.due = now.Add(f.patience)
	case seq == f.received && f.again > 0:
		f.again-- // a second answer to what was sent twice: nothing was lost
	case seq == f.received && len(f.underWay) > 0 && now.Sub(f.moved) >= f.rhythm.lost:
		f.goBack(seq) // it is there, and what follows that did not arrive
	case seq < f.received && now.Sub(f.wentBack) >= f.rhythm.goBack:
		f.wentBack = now // it has fewer than it had: a collector that was put back asks for the rest
		f.goBack(seq)
	}
}

// hears ends a long wait: whoever publishes documents collects, so that a collector may be there again.
func (f *sending) hears() {
	f.patience = f.rhythm.receipt
	if due := f.moved.Add(f.rhythm.lost); due.Before(f.due) {
		f.due = due
	}
}

// sendRecords sends what there is room for.
func (s *session) sendRecords(now time.Time) error {
	f := &s.sending
	f.late(now)
	for len(f.underWay) < f.window {
		r, err := s.outbox.Records(f.next)
		if err != nil || r == nil {
			return nil // what is wrong with the ledger the kiosk knows itself
		}
		_, beat := s.kiosk.Report()
		raw, err := fleet.SignRecords(s.cfg.Place, beat.At, *r, s.cfg.Key)
		if err != nil {
			return fmt.Errorf("sync: %w", err)
		}
		s.publish(LeafRecords, false, 1, raw)
		f.sent(r.Last(), now)
	}
	return nil
}

// takeReceipt moves on to what the collector has.
func (s *session) takeReceipt(raw []byte) error {
	root := s.docs.Root()
	if root == nil {
		return nil
	}
	r, err := root.OpenReceipt(raw, s.cfg.Place)
	if err != nil {
		return err
	}
	own := s.outbox.Receipt()
	if r.Ledger != own.Ledger {
		return nil // of a ledger before this one
	}
	if err = s.outbox.Acknowledge(r); err != nil {
		s.cfg.Alarm(err)
		return err
	}
	if r.Seq > own.Seq { // one that is said again, as a broker may, ends no alarm
		s.cfg.Alarm(nil)
	}
	s.fruitful = s.fruitful || r.Seq > s.sending.received
	s.sending.answered(r.Seq, time.Now())
	return nil
}
