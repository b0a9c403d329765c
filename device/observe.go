// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/cache"
	"gatehouse/device/condition"
	"gatehouse/entry"
)

// lowSpace is how little room on the disk of the state folder is told, in bytes: a copy of a database for a migration
// still fits, and months of events. Of a small disk it is a tenth.
const lowSpace = 128 << 20

// observe looks for what becomes wrong without anybody telling: by the passing of time, or on the disk.
func (k *kiosk) observe() {
	_, err := k.ledger.Last()
	k.health.set(condition.Ledger, err)
	if k.ledger.Pending() == 0 {
		k.health.set(condition.RecordStalled, nil)
	}
	unsynced, behind := k.time.observe()
	k.health.set(condition.Clock, unsynced)
	k.health.set(condition.ClockBehind, behind)
	_, err = diskSpace(k.cfg.State)
	k.health.set(condition.DiskSpace, err)
	k.observeBelief()
}

// errLowSpace: the disk has little room left.
var errLowSpace = errors.New("little room is left")

// diskSpace is the room that is left for this user on the disk of a folder, in bytes; with errLowSpace it is little.
func diskSpace(dir string) (free uint64, err error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, fmt.Errorf("device: how much room %s has: %w", dir, err)
	}
	block := uint64(fs.Bsize)
	return fs.Bavail * block, checkSpace(dir, fs.Bavail*block, fs.Blocks*block)
}

func checkSpace(dir string, free, size uint64) error {
	if low := min(lowSpace, size/10); free < low {
		return fmt.Errorf("device: %w: %d MiB of %d on the disk of %s; less than %d are few, see df -h", errLowSpace, free>>20, size>>20, dir, low>>20)
	}
	return nil
}

// observeBelief tells how old and how whole the documents in force are.
func (k *kiosk) observeBelief() {
	var none, unreadable, stale, hard, incomplete error
	belief, err := k.trust.Belief()
	switch {
	case errors.Is(err, cache.ErrNoBelief):
		none = err
	case err != nil:
		unreadable = err
	default:
		t := belief.Terms()
		switch t.Freshness(k.time.moment()) {
		case entry.Stale:
			stale = fmt.Errorf("device: the data was signed at %s and should be renewed by %s: gatehouse import FILE", utc(t.Signed), utc(t.FreshUntil))
		case entry.Hard:
			hard = fmt.Errorf("device: the data was signed at %s, and since %s nobody is admitted on it: gatehouse import FILE", utc(t.Signed), utc(t.HardAfter))
		}
		if len(t.Incomplete) > 0 {
			incomplete = fmt.Errorf("device: signed, and not here: %s", strings.Join(t.Incomplete, ", "))
		}
	}
	k.health.set(condition.NoBelief, none)
	k.health.set(condition.Trust, unreadable)
	k.health.set(condition.DataStale, stale)
	k.health.set(condition.DataHard, hard)
	k.health.set(condition.Incomplete, incomplete)
}

func utc(t time.Time) string { return t.UTC().Format(time.RFC3339) }
