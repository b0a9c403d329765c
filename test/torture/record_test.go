// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package torture

import (
	"errors"
	"fmt"
	"testing"

	"gatehouse/cache"
	"gatehouse/entry"
	"gatehouse/fleet"
	"gatehouse/fleet/collector"
)

// The ways in which a collector is not right.
var (
	errUnread   = errors.New("an event that was durable is not in the collector")
	errForeign  = errors.New("the collector has an event that the ledger does not have so")
	errAlarm    = errors.New("the collector raises an alarm, and nothing was lost or changed")
	errReceived = errors.New("the kiosk takes for received what the collector does not have")
	errAgain    = errors.New("an order was carried out more than once")
	errUnfit    = errors.New("an order that was said to be carried out is not in the record")
)

// record is every event that a dead kiosk's ledger had, also of those that it forgot later.
type record struct {
	ledger fleet.LedgerID
	events []recorded // event 1 first
	pruned uint64     // the ledger has none up to here any more
}

type recorded struct {
	link  fleet.Link
	event entry.Event
}

// read takes what a ledger has beyond what is known, up to a number.
func (r *record) read(l *cache.Ledger, last uint64) error {
	for uint64(len(r.events)) < last {
		batch, err := l.Records(uint64(len(r.events)))
		if err != nil {
			return fmt.Errorf("%w: %w", errOpen, err)
		}
		if batch == nil || batch.First != uint64(len(r.events))+1 {
			return fmt.Errorf("%w: event %d was pruned before anybody saw it", errOpen, len(r.events)+1)
		}
		r.ledger, r.pruned = batch.Ledger, batch.Oldest-1
		for i, link := range batch.Links() {
			if seq := batch.First + uint64(i); seq <= last {
				ev, err := fleet.DecodeEvent(seq, batch.Events[i])
				if err != nil {
					return fmt.Errorf("%w: %w", errOpen, err)
				}
				r.events = append(r.events, recorded{link, ev})
			}
		}
	}
	return nil
}

// hold holds what a collector has to the record: each event once, in order, as it was recorded, with a chain that is whole
// from the first on, and so many of them at least.
func (r *record) hold(events []collector.Stored, alarms []collector.Alarm, least uint64) error {
	var errs []error
	for _, a := range alarms {
		errs = append(errs, fmt.Errorf("%w: %s at event %d: %s", errAlarm, a.Code, a.Seq, a.Text))
	}
	var before fleet.Link
	for i, e := range events {
		if i >= len(r.events) {
			return errors.Join(append(errs, fmt.Errorf("%w: %d, after the last one", errForeign, e.Event.Seq))...)
		}
		seq := uint64(i + 1)
		before = before.Next(r.ledger, seq, e.Body)
		if e.Ledger != r.ledger || e.Event.Seq != seq || e.Link != r.events[i].link || before != e.Link {
			return errors.Join(append(errs, fmt.Errorf("%w: %d in place %d", errForeign, e.Event.Seq, seq))...)
		}
	}
	if n := uint64(len(events)); n < least {
		errs = append(errs, fmt.Errorf("%w: it has %d of %d", errUnread, n, least))
	}
	return errors.Join(errs...)
}

// The record finds each way in which a collector can be wrong: else a thousand kills show nothing.
func TestRecord(t *testing.T) {
	bodies := [][]byte{{1}, {2}, {3}}
	r := record{ledger: fleet.LedgerID{7}}
	var kept []collector.Stored
	var link fleet.Link
	for i, body := range bodies {
		seq := uint64(i + 1)
		link = link.Next(r.ledger, seq, body)
		r.events = append(r.events, recorded{link, entry.Event{Seq: seq}})
		kept = append(kept, collector.Stored{Ledger: r.ledger, Link: link, Body: body, Event: entry.Event{Seq: seq}})
	}
	changed := kept[1]
	changed.Body = []byte{9}
	for name, c := range map[string]struct {
		events []collector.Stored
		alarms []collector.Alarm
		part   bool
		want   error
	}{
		"right":            {events: kept},
		"not all yet":      {events: kept[:2], part: true},
		"one is missing":   {events: kept[:2], want: errUnread},
		"none":             {want: errUnread},
		"a gap":            {events: []collector.Stored{kept[0], kept[2]}, part: true, want: errForeign},
		"one twice":        {events: []collector.Stored{kept[0], kept[1], kept[1]}, want: errForeign},
		"out of order":     {events: []collector.Stored{kept[1], kept[0], kept[2]}, want: errForeign},
		"one was changed":  {events: []collector.Stored{kept[0], changed, kept[2]}, want: errForeign},
		"one too many":     {events: append(kept[:3:3], kept[2]), want: errForeign},
		"an alarm":         {events: kept, alarms: []collector.Alarm{{Code: collector.AlarmGap}}, want: errAlarm},
		"another's ledger": {events: []collector.Stored{{Ledger: fleet.LedgerID{8}, Link: kept[0].Link, Body: kept[0].Body, Event: kept[0].Event}}, part: true, want: errForeign},
	} {
		t.Run(name, func(t *testing.T) {
			least := uint64(len(kept))
			if c.part {
				least = 0
			}
			if err := r.hold(c.events, c.alarms, least); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}
