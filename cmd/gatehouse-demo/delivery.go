// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"gatehouse/device/client"
	"gatehouse/fleet"
	"gatehouse/fleet/collector"
)

// record is what a kiosk says of its ledger.
type record struct {
	chain  client.Chain
	ledger string
	events []client.Event
}

// recorded asks the kiosk for all that it has recorded.
func (s *stage) recorded(ctx context.Context) (r record, err error) {
	chain, err := s.client.CheckLedger(ctx)
	if err != nil {
		return r, err
	}
	r.chain = *chain
	for next := uint64(1); next <= chain.Last; {
		page, err := s.client.Events(ctx, client.Query{From: next})
		if err != nil {
			return r, err
		}
		if page.Next <= next {
			return r, fmt.Errorf("after event %d the kiosk's record does not go on", next)
		}
		r.ledger, next = page.Ledger, page.Next
		r.events = append(r.events, page.Events...)
	}
	return r, nil
}

// delivered is what the collector has of the kiosk.
type delivered struct {
	events int
	twice  int // of them, whose number another one has
}

// delivery waits until the collector has all that the kiosk has recorded, and holds one to the other.
func (s *stage) delivery(ctx context.Context) (d delivered, err error) {
	if _, err := s.awaitFor(ctx, patience, "every event to be delivered", func(st *client.Status) bool {
		return st.Ledger.Events > 0 && st.Ledger.Received == st.Ledger.Events
	}); err != nil {
		return d, err
	}
	r, err := s.recorded(ctx)
	if err != nil {
		return d, err
	}
	rows, err := s.office.rows(ctx)
	if err != nil {
		return d, err
	}
	d = countRows(rows)
	alarms, err := s.office.store.Alarms(ctx)
	if err != nil {
		return d, err
	}
	if len(alarms) > 0 {
		return d, fmt.Errorf("%w: the collector raised an alarm: %s", errDelivery, alarms[0].Text)
	}
	return d, oneToOne(r, rows)
}

func countRows(rows []collector.Stored) (d delivered) {
	seen := map[uint64]bool{}
	for _, r := range rows {
		d.events++
		if seen[r.Event.Seq] {
			d.twice++
		}
		seen[r.Event.Seq] = true
	}
	return d
}

// errDelivery: the collector has not what the kiosk recorded.
var errDelivery = errors.New("not delivered one to one")

// oneToOne says where collected events are not those that were recorded: each once, in their order, and with the hash that
// their chain has on the kiosk.
func oneToOne(r record, rows []collector.Stored) error {
	if r.chain.First != 1 || len(r.events) != int(r.chain.Last) || len(rows) != len(r.events) {
		return fmt.Errorf("%w: %d events, and the kiosk has %d, from %d to %d", errDelivery, len(rows), len(r.events), r.chain.First, r.chain.Last)
	}
	var link fleet.Link
	for i, row := range rows {
		seq := uint64(i + 1)
		link = link.Next(row.Ledger, seq, row.Body)
		switch have, want := row.Event, r.events[i]; {
		case row.Ledger.String() != r.ledger:
			return fmt.Errorf("%w: event %d is of another ledger", errDelivery, seq)
		case have.Seq != seq || want.Number != seq:
			return fmt.Errorf("%w: event %d and event %d of the kiosk are in place %d", errDelivery, have.Seq, want.Number, seq)
		case row.Link != link:
			return fmt.Errorf("%w: at event %d the chain breaks", errDelivery, seq)
		case !have.At.Equal(want.At) || string(have.Kind) != want.Kind || string(have.Outcome) != want.Outcome ||
			string(have.Reason) != want.Reason || have.Of != want.Of || have.Note != want.Note:
			return fmt.Errorf("%w: event %d is another one at the kiosk", errDelivery, seq)
		}
	}
	if hex.EncodeToString(link[:]) != r.chain.Link {
		return fmt.Errorf("%w: the chain ends in another hash than the kiosk's", errDelivery)
	}
	return nil
}
