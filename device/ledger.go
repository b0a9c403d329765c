// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"

	"gatehouse/cache"
	"gatehouse/device/condition"
	"gatehouse/entry"
)

// record is the kiosk's ledger, and what is known of one before it. While a former ledger is lost nobody can say which
// passes of limited use were used: they are answered out of order until a technician accepts the loss.
type record struct {
	*cache.Ledger
	lost atomic.Bool
	gone atomic.Bool  // the file is no longer where the next start looks for it
	full atomic.Bool  // what waits for the collector takes all the room that it may
	left atomic.Int64 // refusals that were not recorded for that
}

// Reserve takes no use while a former ledger is lost, or this one will be; an admission without a limit takes none anyway.
func (r *record) Reserve(ctx context.Context, ev *entry.Event, uses ...entry.Use) error {
	limited := slices.ContainsFunc(uses, func(u entry.Use) bool { return u.Limit != 0 })
	if limited && (r.lost.Load() || r.gone.Load()) {
		return entry.ErrLedgerLost
	}
	return r.Ledger.Reserve(ctx, ev, uses...)
}

// recorded tells how a write of the record went. One that is late was not lost; the condition ends when a write is in
// time, or with the last that waits.
func (k *kiosk) recorded(err error) {
	switch {
	case err == nil:
		k.health.set(condition.RecordStalled, nil)
		k.health.set(condition.Record, nil)
	case errors.Is(err, entry.ErrLate):
		k.health.set(condition.RecordStalled, err)
	default:
		k.health.set(condition.Record, err)
	}
}

// lostLedger stands in the floor for a former ledger whose id nobody knows: a damaged file found with a floor that was
// lost as well.
const lostLedger = "unknown"

var errLedgerLost = errors.New("device: the record of former admissions is lost, so passes of limited use are not admitted: find the former ledger.db, or accept the loss with: gatehouse ledger accept-loss")

// openLedger opens the ledger. A damaged one is set aside and a new one begun; a ledger that does not go on from the one
// that the floor knows is a loss, told until it is accepted.
func (k *kiosk) openLedger() error {
	path := filepath.Join(k.cfg.State, "ledger.db")
	ledger, lost, err := k.openKept(path)
	if errors.Is(err, cache.ErrDamaged) {
		k.log.Error("ledger set aside", "error", err)
		if _, asideErr := cache.SetLedgerAside(path); asideErr != nil {
			return fmt.Errorf("device: %w", errors.Join(err, asideErr))
		}
		if k.time.floor.Ledger().ID == "" {
			if err := k.time.floor.Raise(k.trust.Believed(), cache.Kept{ID: lostLedger}); err != nil {
				return fmt.Errorf("device: %w", err)
			}
		}
		ledger, lost, err = k.openKept(path)
	}
	if err != nil {
		return fmt.Errorf("device: %w", err)
	}
	if err := k.closeLanes(ledger); err != nil {
		return errors.Join(fmt.Errorf("device: %w", err), ledger.Close())
	}
	k.ledger = &record{Ledger: ledger}
	if lost != nil {
		k.ledger.lost.Store(true)
		k.health.set(condition.LedgerLost, fmt.Errorf("%w (%w)", errLedgerLost, lost))
	}
	if n := ledger.Recovered(); n > 0 {
		k.log.Warn("open reservations committed as unknown", "count", n)
	}
	return nil
}

// openKept opens the ledger at path, and tells how it is not the one that the floor knows.
func (k *kiosk) openKept(path string) (ledger *cache.Ledger, lost, err error) {
	ledger, err = cache.OpenLedger(path, cache.LedgerOptions{At: k.time.moment().At, NoSync: k.cfg.noSync || !syncing})
	if err != nil {
		return nil, nil, err
	}
	if former := k.time.floor.Ledger(); former.ID != "" {
		lost = ledger.Holds(former)
	}
	if errors.Is(lost, cache.ErrDamaged) {
		return nil, nil, errors.Join(lost, ledger.Close())
	}
	return ledger, lost, nil
}

// acceptLoss makes the ledger that is kept now the kiosk's own, and an event of it. From then on passes of limited use
// are admitted again, those that were used before the loss among them.
func (k *kiosk) acceptLoss(ctx context.Context) error {
	if !k.ledger.lost.Load() {
		return errors.New("device: no ledger is lost; there is nothing to accept")
	}
	now := k.time.moment()
	ev := &entry.Event{At: now.At, Clock: now.Clock, Kind: entry.EventIncident, Note: "loss of ledger " + k.time.floor.Ledger().ID + " accepted"}
	if err := k.ledger.Record(ctx, ev); err != nil {
		return fmt.Errorf("device: the loss was not accepted: %w", err)
	}
	kept, err := k.ledger.Kept()
	if err == nil {
		err = k.time.floor.Raise(k.trust.Believed(), kept)
	}
	if err != nil {
		return fmt.Errorf("device: the loss was not accepted: %w", err)
	}
	k.ledger.lost.Store(false)
	k.health.set(condition.LedgerLost, nil)
	k.log.Warn("loss of the former ledger accepted", "event", ev.Seq)
	return nil
}
