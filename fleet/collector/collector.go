// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"gatehouse/entry"
	"gatehouse/fleet"
)

// ErrUnknownKiosk: no key of this kiosk is known. Add the kiosk to the folder, or find out who sends in its name.
var ErrUnknownKiosk = errors.New("collector: no key of this kiosk is known")

// ErrStore: what came cannot be kept now. Kiosks keep it, and send it again.
var ErrStore = errors.New("events cannot be kept")

// Code says what an alarm is about.
type Code string

// The alarms.
const (
	// AlarmGap: events that the kiosk does not have any more never arrived.
	AlarmGap Code = "gap"
	// AlarmBroken: the chain does not go on from where it was: events were changed on the kiosk.
	AlarmBroken Code = "chain_broken"
	// AlarmConflict: another event than the one that is kept has its number: the kiosk's ledger was put back to an earlier
	// state, or its key is in two hands.
	AlarmConflict Code = "ledger_rolled_back"
	// AlarmUnreadable: an event of a form that is not known. It is kept as it came; upgrade the collector.
	AlarmUnreadable Code = "unreadable"
)

// Alarm is something that a person must look at.
type Alarm struct {
	At     time.Time      `json:"at"` // by the collector's clock
	Kiosk  fleet.Place    `json:"kiosk"`
	Ledger fleet.LedgerID `json:"ledger"`
	Seq    uint64         `json:"seq"` // of the first event that it is about
	Code   Code           `json:"code"`
	Text   string         `json:"text"`
}

// Stored is an event with where it came from.
type Stored struct {
	Kiosk  fleet.Place
	Ledger fleet.LedgerID
	Link   fleet.Link
	Event  entry.Event
	Body   []byte // as it was recorded
}

// tip is the end of a ledger as far as it arrived; Seq 0 before its first event.
type tip struct {
	Seq  uint64
	Link fleet.Link
}

// Store keeps events. There is one transaction for a batch: either all of it and what follows from it is durable, or nothing.
type Store interface {
	// Batch runs one transaction. It is durable when Batch returns nil.
	Batch(ctx context.Context, do func(Tx) error) error
}

// Tx is what one batch reads and writes.
type Tx interface {
	// Tip is where a ledger's events end; the zero tip before the first.
	Tip(kiosk fleet.Place, ledger fleet.LedgerID) (seq uint64, link fleet.Link, err error)
	SetTip(kiosk fleet.Place, ledger fleet.LedgerID, seq uint64, link fleet.Link) error
	// Links are the links of the events that are kept, by number, from one to another.
	Links(kiosk fleet.Place, ledger fleet.LedgerID, first, last uint64) (map[uint64]fleet.Link, error)
	// Put keeps an event; Beside keeps one whose number is taken, Unread one that cannot be read.
	Put(e Stored) error
	Beside(e Stored) error
	Unread(e Stored) error
	Alarm(a Alarm) error
}

// Collector takes batches.
type Collector struct {
	store Store
	// key is the public key of a kiosk, nil where none is known.
	key  func(fleet.Place) ed25519.PublicKey
	sign []fleet.SigningKey
	now  func() time.Time
}

// New is a collector over a store. sign are the keys of the role that acknowledges.
func New(store Store, key func(fleet.Place) ed25519.PublicKey, now func() time.Time, sign ...fleet.SigningKey) *Collector {
	return &Collector{store: store, key: key, sign: sign, now: now}
}

// Take keeps a batch that came in the name of a kiosk, and returns the receipt to send. A batch that does not follow what is
// kept is answered with a receipt for that, and the kiosk goes back. On an error there is nothing to send.
func (c *Collector) Take(ctx context.Context, from fleet.Place, raw []byte) (receipt []byte, err error) {
	public := c.key(from)
	if public == nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknownKiosk, from)
	}
	r, err := fleet.OpenRecords(raw, from, public)
	switch {
	case errors.Is(err, fleet.ErrSignature):
		return nil, fmt.Errorf("collector: %s has another key than its kiosk.pem in the folder, or somebody sends in its name: %w", from, err)
	case err != nil:
		return nil, err
	}
	var end tip
	if err := c.store.Batch(ctx, func(tx Tx) (err error) {
		end, err = c.take(tx, from, r)
		return err
	}); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStore, told(err))
	}
	return fleet.SignReceipt(from, c.now(), fleet.Receipt{Ledger: r.Ledger, Seq: end.Seq, Link: end.Link}, c.sign...)
}

// take keeps a batch and returns up to where the kiosk may forget.
func (c *Collector) take(tx Tx, from fleet.Place, r *fleet.Records) (end tip, err error) {
	if end.Seq, end.Link, err = tx.Tip(from, r.Ledger); err != nil {
		return end, err
	}
	alarm := func(seq uint64, code Code, text string) error {
		return tx.Alarm(Alarm{At: c.now(), Kiosk: from, Ledger: r.Ledger, Seq: seq, Code: code, Text: text})
	}
	switch {
	case r.First > end.Seq+1 && r.First > r.Oldest:
		return end, nil // something was lost on the way: it goes back
	case r.First > end.Seq+1:
		err = alarm(end.Seq+1, AlarmGap, fmt.Sprintf("events %d to %d never arrived, and the kiosk has them no more", end.Seq+1, r.First-1))
	case r.First == end.Seq+1 && r.Before != end.Link:
		err = alarm(r.First, AlarmBroken, fmt.Sprintf("event %d does not follow event %d as it is kept here", r.First, end.Seq))
	}
	if err != nil {
		return end, err
	}
	kept, err := tx.Links(from, r.Ledger, r.First, r.Last())
	if err != nil {
		return end, err
	}
	contradicted := uint64(0)
	links := r.Links()
	for i, link := range links {
		e := Stored{Kiosk: from, Ledger: r.Ledger, Link: link, Body: r.Events[i]}
		e.Event.Seq = r.First + uint64(i)
		switch there, taken := kept[e.Event.Seq]; {
		case taken && there == link:
			continue
		case taken:
			if contradicted == 0 {
				contradicted = e.Event.Seq
			}
			err = tx.Beside(e)
		default:
			err = c.put(tx, e, alarm)
		}
		if err != nil {
			return end, err
		}
	}
	last := tip{r.Last(), links[len(links)-1]}
	if contradicted > 0 {
		// The kiosk goes on from here, and forgets what it has now only for a receipt of that.
		err = alarm(contradicted, AlarmConflict, fmt.Sprintf("another event %d is kept here; both are now", contradicted))
	} else if last.Seq <= end.Seq {
		return end, err // all of it was here
	}
	return last, errors.Join(err, tx.SetTip(from, r.Ledger, last.Seq, last.Link))
}

// lastYear is the last that RFC 3339 can write. An event of a later one could be shown to nobody, nor those behind it.
const lastYear = 9999

// put keeps an event, in the form that it came in where that is not known.
func (c *Collector) put(tx Tx, e Stored, alarm func(uint64, Code, string) error) error {
	ev, err := fleet.DecodeEvent(e.Event.Seq, e.Body)
	if err != nil || ev.At.Year() < 0 || ev.At.Year() > lastYear {
		return errors.Join(tx.Unread(e), alarm(e.Event.Seq, AlarmUnreadable, "an event of a form that is not known here"))
	}
	e.Event = ev
	return tx.Put(e)
}
