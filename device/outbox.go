// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"cmp"
	"context"
	"fmt"

	"gatehouse/device/condition"
	"gatehouse/entry"
)

// alarmAt is from how full the room for events that wait for the collector is told, in percent.
const alarmAt = 70

// Record implements entry.Ledger. Where the events that wait for the collector take all the room that they may take, refusals are
// counted and not recorded: whom the kiosk let in and out, and what people did by hand, always is.
func (r *record) Record(ctx context.Context, ev *entry.Event) error {
	if r.full.Load() && ev.Kind == entry.EventDecision && ev.Outcome != entry.Admit {
		r.left.Add(1)
		return nil
	}
	return r.Ledger.Record(ctx, ev)
}

// observeOutbox tells how much waits for the collector, and has refusals left out for as long as it is too much.
func (k *kiosk) observeOutbox(ctx context.Context) {
	if !k.cfg.Sync.on() {
		return
	}
	limit := uint64(cmp.Or(k.cfg.Ledger.SizeMiB, defaultSizeMiB)) << 20
	waiting, err := k.ledger.Waiting()
	if err != nil {
		return // what is wrong with the ledger is told elsewhere
	}
	var told error
	if waiting >= limit/100*alarmAt {
		told = fmt.Errorf("device: events of about %d MiB wait for the collector, of %d that they may take", waiting>>20, limit>>20)
	}
	k.health.set(condition.Outbox, told)
	full := waiting >= limit
	k.ledger.full.Store(full)
	if n := k.ledger.left.Load(); !full && n > 0 {
		if _, err := k.note(ctx, "", fmt.Sprintf("%d refusals were not recorded: what waited for the collector took all its room", n)); err == nil {
			k.ledger.left.Add(-n)
		}
	}
}
