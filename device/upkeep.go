// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gatehouse/cache"
	"gatehouse/device/condition"
	"gatehouse/entry"
)

// upkeepPeriod is how often the time that passed is written down, which is what a power cut can take back, and how often
// the stores are looked after.
const upkeepPeriod = time.Minute

// keepUp looks after the stores every minute, writes the floor at the end, and looks what became wrong by the passing of
// time.
func (k *kiosk) keepUp(ctx context.Context) error {
	tick := time.NewTicker(cmp.Or(k.cfg.upkeep, upkeepPeriod))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			for _, part := range []func(){k.guardLedger, k.raiseFloor, func() { k.saveReceipt(ctx) }, func() { k.observeOutbox(ctx) }, func() { k.prune(ctx) }, k.dropCopies, k.observe} {
				k.safely(ctx, part)
			}
		case <-ctx.Done():
			k.safely(ctx, k.raiseFloor)
			return nil
		}
	}
}

// guardLedger notices that the ledger's file was moved or deleted while it is open: what is written goes on into a file
// that the next start does not find. The floor is then written where the next start looks, so that it misses the ledger.
func (k *kiosk) guardLedger() {
	err := k.ledger.InPlace()
	if err != nil {
		err = errors.Join(fmt.Errorf("%w: put all files of the folder back into it, or restart gatehoused and accept the loss", err), os.MkdirAll(k.cfg.State, 0o700))
	}
	k.ledger.gone.Store(err != nil)
	k.health.set(condition.LedgerGone, err)
}

// LedgerConfig is how long the record of events is kept. Nobody has confirmed yet that he has them, so both are more than
// a kiosk that is cut off for a month of busy days needs.
type LedgerConfig struct {
	// Keep is how long events are kept: 35d if absent.
	Keep entry.Duration `yaml:"keep"`
	// SizeMiB is how much the events may take, in MiB; beyond it the oldest go earlier. 512 if absent; half a million
	// events take about 160.
	SizeMiB uint `yaml:"size_mib"`
}

const (
	defaultKeep = 35 * 24 * time.Hour
	minKeep     = 24 * time.Hour
	maxKeep     = 10 * 365 * 24 * time.Hour

	defaultSizeMiB = 512
	minSizeMiB     = 16
	maxSizeMiB     = 1024 // a 32-bit board cannot map much more
)

func (c *LedgerConfig) check() (field string, err error) {
	if keep := time.Duration(c.Keep); keep != 0 && (keep < minKeep || keep > maxKeep) {
		return "keep", fmt.Errorf("%v is not between 1d and 3650d", keep)
	}
	if c.SizeMiB != 0 && (c.SizeMiB < minSizeMiB || c.SizeMiB > maxSizeMiB) {
		return "size_mib", fmt.Errorf("%d is not between %d and %d", c.SizeMiB, minSizeMiB, maxSizeMiB)
	}
	return "", nil
}

// retention is what the ledger may forget, of what the floor remembers nothing.
func (k *kiosk) retention() cache.Retention {
	r := cache.Retention{
		Bytes: uint64(cmp.Or(k.cfg.Ledger.SizeMiB, defaultSizeMiB)) << 20,
		From:  k.time.floor.Ledger().Last,
	}
	if k.cfg.Sync.on() { // what the collector does not have yet stays
		r.From = min(r.From, k.ledger.Receipt().Seq+1)
	}
	if past := k.time.past(); !past.IsZero() {
		r.Expired = past
		r.Before = past.Add(-cmp.Or(time.Duration(k.cfg.Ledger.Keep), defaultKeep))
	}
	return r
}

// pruneMost is how long pruning may wait for the disk in one round.
const pruneMost = 10 * time.Second

// prune forgets what is old enough. While the ledger is not the one that the floor knows nothing is forgotten.
func (k *kiosk) prune(ctx context.Context) {
	if k.ledger.lost.Load() || k.ledger.gone.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, pruneMost)
	defer cancel()
	p, err := k.ledger.Prune(ctx, k.retention())
	if p != (cache.Pruned{}) {
		k.log.Info("ledger pruned", "events", p.Events, "uses", p.Uses)
	}
	if ctx.Err() != nil {
		return // the disk stalls, or the kiosk stops: the next round does it
	}
	k.health.set(condition.Pruning, err)
}

// saveReceipt writes down what the collector has.
func (k *kiosk) saveReceipt(ctx context.Context) {
	if !k.cfg.Sync.on() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, pruneMost)
	defer cancel()
	if err := k.ledger.SaveReceipt(ctx); err != nil && ctx.Err() == nil {
		k.log.Warn("receipt not written down", "error", err)
	}
}

// copiesKept is how long the kiosk must have run before the copies that a migration made of its databases go: who has to
// go back to the former version finds out before that.
const copiesKept = 24 * time.Hour

func (k *kiosk) dropCopies() {
	if k.health.elapsed()-k.began < copiesKept {
		return
	}
	for _, name := range []string{"trust.db", "ledger.db"} {
		dropped, err := cache.DropCopies(filepath.Join(k.cfg.State, name))
		if len(dropped) > 0 || err != nil {
			k.log.Info("copies of a former schema removed", "files", dropped, "error", err)
		}
	}
}
