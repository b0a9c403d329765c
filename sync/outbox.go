// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"fmt"
	"time"

	"gatehouse/fleet"
)

// Sending is go-back-N: batches leave in order, a few at a time, and where receipts stay away they leave again from the
// last receipt on.
const maxUnderWay = 4

// sending is where the sending of records is.
type sending struct {
	received uint64   // up to here the collector has them
	next     uint64   // up to here they were sent
	underWay []uint64 // the last of each batch that was sent and not acknowledged
	due      time.Time
	patience time.Duration
	wentBack time.Time
}

func (f *sending) begin(r fleet.Receipt, patience time.Duration) {
	*f = sending{received: r.Seq, next: r.Seq, patience: patience}
}

// sendRecords sends what there is room for.
func (s *session) sendRecords(now time.Time) error {
	f := &s.sending
	if len(f.underWay) > 0 && now.After(f.due) {
		f.next, f.underWay = f.received, nil
		f.patience = min(2*f.patience, s.rhythm.mostReceipt)
	}
	for len(f.underWay) < maxUnderWay {
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
		f.next = r.Last()
		f.underWay = append(f.underWay, f.next)
		f.due = now.Add(f.patience)
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
	err = s.outbox.Acknowledge(r)
	s.cfg.Alarm(err)
	if err != nil {
		return err
	}
	f, now := &s.sending, time.Now()
	switch {
	case r.Seq > f.received:
		f.received, f.patience = r.Seq, s.rhythm.receipt
		s.fruitful = true
		f.next = max(f.next, r.Seq)
		for len(f.underWay) > 0 && f.underWay[0] <= r.Seq {
			f.underWay = f.underWay[1:]
		}
		f.due = now.Add(f.patience)
	case r.Seq < f.received && now.Sub(f.wentBack) >= s.rhythm.goBack:
		// It has fewer than it had: a collector that was put back asks for the rest.
		f.wentBack, f.received, f.next, f.underWay = now, r.Seq, r.Seq, nil
	}
	return nil
}
