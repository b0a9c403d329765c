// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/cache"
	"gatehouse/device/client"
	"gatehouse/device/condition"
	"gatehouse/fleet"
)

func (d *doctor) checkSynced() {
	if d.clock.Synced() {
		d.ok("clock", "", "the kernel says that it is kept right")
		return
	}
	d.found("clock", "", condition.Clock, "the kernel says that nothing keeps it right")
}

func (d *doctor) checkTimeZone() {
	if _, err := os.Stat(d.localtime); err != nil && os.Getenv("TZ") == "" {
		d.fault("time zone", "", condition.TimeZone, err)
		return
	}
	d.ok("time zone", "", "it is %s here", d.clock.Wall().Local().Format("2006-01-02 15:04 -07:00"))
}

func (d *doctor) checkConfig() bool {
	cfg, err := readConfig(d.report.Config)
	if err != nil {
		d.fault("config", "", condition.Config, err)
		return false
	}
	d.cfg = cfg
	if cfg.Bundle != "" {
		if info, err := os.Stat(cfg.Bundle); errors.Is(err, fs.ErrNotExist) && cfg.Sync.on() {
			// It gets its documents over the network.
		} else if err != nil {
			d.fault("config", "", condition.Bundle, err)
		} else if !info.Mode().IsRegular() {
			d.found("config", "", condition.Bundle, cfg.Bundle+" is not a file")
		}
	}
	var lanes []string
	for _, l := range cfg.Lanes {
		lanes = append(lanes, l.Name)
	}
	d.ok("config", "", "%s/%s, lanes: %s", cfg.Venue, cfg.Kiosk, strings.Join(lanes, ", "))
	return true
}

func (d *doctor) checkVenueKey() {
	if _, err := readVenueKey(d.cfg.VenueKey); err != nil {
		d.fault("venue key", "", condition.VenueKey, err)
		return
	}
	d.ok("venue key", "", "%s", d.cfg.VenueKey)
}

// checkState looks at the place of what must outlive a power cut.
func (d *doctor) checkState() {
	dir := d.cfg.State
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if _, parent := os.Stat(filepath.Dir(dir)); parent == nil {
			d.ok("state folder", "", "%s is not there yet; the first start makes it", dir)
			return
		}
	}
	if err == nil {
		err = d.stateFault(dir, info)
	}
	if err != nil {
		d.fault("state folder", "", condition.State, err)
		return
	}
	free, err := diskSpace(dir)
	if err != nil {
		d.fault("state folder", "", condition.DiskSpace, err)
		return
	}
	d.ok("state folder", "", "%s, %d MiB free", dir, free>>20)
}

// inMemory are the file systems that are gone when the power is.
var inMemory = []int64{unix.TMPFS_MAGIC, unix.RAMFS_MAGIC}

func (d *doctor) stateFault(dir string, info fs.FileInfo) error {
	if !info.IsDir() {
		return fmt.Errorf("device: %s is not a folder", dir)
	}
	if mode := info.Mode().Perm(); mode&0o027 != 0 {
		return fmt.Errorf("device: %s is open to other users (mode %04o); run: chmod 0700 %s", dir, mode, dir)
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return fmt.Errorf("device: %s: %w", dir, err)
	}
	switch {
	case slices.Contains(inMemory, int64(disk.Type)):
		return fmt.Errorf("device: %s is in memory: a power cut takes all that the kiosk must remember", dir)
	case disk.Flags&unix.ST_RDONLY != 0:
		return fmt.Errorf("device: %s is on a disk that is mounted read-only", dir)
	}
	return ownedAlike(dir, info)
}

// ownedAlike finds files of another user than their folder's: a daemon that was once started by root leaves such.
func ownedAlike(dir string, info fs.FileInfo) error {
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("device: %w", err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			continue // it went away meanwhile, as drafts do
		}
		if s, ok := info.Sys().(*syscall.Stat_t); ok && s.Uid != owner.Uid {
			return fmt.Errorf("device: %s is of user %d and its folder of user %d; run: chown -R %d %s", filepath.Join(dir, f.Name()), s.Uid, owner.Uid, owner.Uid, dir)
		}
	}
	return nil
}

// checkSockets looks at the two files of a daemon that answered on one of them.
func (d *doctor) checkSockets() {
	for _, s := range []struct {
		name string
		mode fs.FileMode
	}{{client.StatusSocket, statusMode}, {client.ControlSocket, controlMode}} {
		path := filepath.Join(d.cfg.Run, s.name)
		info, err := os.Stat(path)
		if err != nil {
			d.fault("sockets", "", condition.LocalAPI, err)
			return
		}
		if mode := info.Mode().Perm(); info.Mode().Type() != fs.ModeSocket || mode != s.mode {
			d.found("sockets", "", condition.LocalAPI, fmt.Sprintf("%s is %v and should be a socket of mode %04o; restart gatehoused", path, info.Mode(), s.mode))
			return
		}
	}
	d.ok("sockets", "", "both are in %s", d.cfg.Run)
}

// checkStores opens the files of a daemon that does not run, for reading alone.
func (d *doctor) checkStores(ctx context.Context) {
	if _, err := os.Stat(d.cfg.State); err != nil {
		for _, name := range []string{"floor", "trust store", "ledger"} {
			d.skip(name, "", "there is no state folder yet")
		}
		return
	}
	floor, err := cache.OpenFloor(filepath.Join(d.cfg.State, "floor"), cache.FloorOptions{Boot: d.clock.Boot, Built: built()})
	if err != nil {
		d.fault("floor", "", condition.Floor, err)
		d.skip("ledger", "", "it is held to the floor")
		return
	}
	d.checkFloor(floor)
	d.checkTrust(floor)
	d.checkLedger(ctx, floor)
}

func (d *doctor) checkFloor(floor *cache.Floor) {
	if err := floor.Fault(); err != nil {
		d.fault("floor", "", condition.Floor, err)
		return
	}
	now := d.clock.Wall()
	switch at, _ := floor.Time(); {
	case at.Year() < 2000:
		d.ok("floor", "", "it knows no time yet")
	case now.Before(at):
		d.found("clock", "", condition.ClockBehind, fmt.Sprintf("the clock says %s, and it is %s at least", utc(now), utc(at)))
		fallthrough
	default:
		d.ok("floor", "", "it is %s at least", utc(at))
	}
}

func (d *doctor) checkTrust(floor *cache.Floor) {
	terms, err := cache.InspectTrust(filepath.Join(d.cfg.State, "trust.db"), cache.TrustOptions{
		Pin: d.cfg.Root, Place: fleet.Place{Venue: d.cfg.Venue, Kiosk: d.cfg.Kiosk}, Floor: floor.Marks(d.cfg.Root),
	})
	switch now := d.clock.Wall(); {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, cache.ErrNoBelief):
		d.found("trust store", "", condition.NoBelief, "there are no signed documents on this kiosk yet")
	case errors.Is(err, cache.ErrOlderSchema):
		d.skip("trust store", "", "an earlier version wrote it; the next start migrates it")
	case errors.Is(err, cache.ErrInUse):
		d.found("trust store", "", condition.Daemon, err.Error())
	case err != nil:
		d.fault("trust store", "", condition.Trust, err)
	case !now.Before(terms.HardAfter):
		d.found("trust store", "", condition.DataHard, "signed "+utc(terms.Signed)+", too old since "+utc(terms.HardAfter))
	case !now.Before(terms.FreshUntil):
		d.found("trust store", "", condition.DataStale, "signed "+utc(terms.Signed)+", stale since "+utc(terms.FreshUntil))
	case len(terms.Incomplete) > 0:
		d.found("trust store", "", condition.Incomplete, "not here: "+strings.Join(terms.Incomplete, ", "))
	default:
		d.ok("trust store", "", "signed %s, fresh until %s", utc(terms.Signed), utc(terms.FreshUntil))
	}
}

// ledgerMost bounds the reading of a long ledger.
const ledgerMost = time.Minute

func (d *doctor) checkLedger(ctx context.Context, floor *cache.Floor) {
	ctx, cancel := context.WithTimeout(ctx, ledgerMost)
	defer cancel()
	kept := floor.Ledger()
	last, err := cache.InspectLedger(ctx, filepath.Join(d.cfg.State, "ledger.db"), kept)
	switch {
	case errors.Is(err, fs.ErrNotExist) && kept.ID == "":
		d.ok("ledger", "", "there is none yet; the first start begins it")
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, cache.ErrChain):
		d.fault("ledger", "", condition.LedgerLost, err)
	case errors.Is(err, cache.ErrOlderSchema):
		d.skip("ledger", "", "an earlier version wrote it; the next start migrates it")
	case errors.Is(err, cache.ErrInUse):
		d.found("ledger", "", condition.Daemon, err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		d.skip("ledger", "", "it is longer than can be followed in %v; start the daemon and use: gatehouse ledger check", ledgerMost)
	case err != nil:
		d.fault("ledger", "", condition.Ledger, err)
	default:
		d.ok("ledger", "", "%d events, each the one that was recorded", last)
	}
}

// checkLines looks for the lines of a lane by their names.
func (d *doctor) checkLines(l LaneConfig) {
	if chips, err := filepath.Glob(d.chips); err == nil && len(chips) == 0 {
		d.skip("gate", l.Name, "this machine has no GPIO chip; on a kiosk: is its kernel module loaded?")
		return
	}
	if err := d.lines(l.GPIO); err != nil {
		d.fault("gate", l.Name, condition.Gate, err)
		return
	}
	d.ok("gate", l.Name, "its lines are there and free")
}

// repeat notes the daemon's conditions that belong to a check, and tells whether there are any.
func (d *doctor) repeat(all []client.Condition, name, lane string, codes ...string) (any bool) {
	for _, c := range all {
		mine := slices.ContainsFunc(codes, func(begin string) bool { return strings.HasPrefix(c.Code, begin) })
		if mine && c.Lane == lane {
			d.found(name, lane, condition.Code(c.Code), c.Text)
			any = true
		}
	}
	return any
}

// flatten lists conditions and what follows from them.
func flatten(list []client.Condition) (all []client.Condition) {
	for _, c := range list {
		all = append(append(all, c), flatten(c.LeadsTo)...)
	}
	return all
}
