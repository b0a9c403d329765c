// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/cache"
	"gatehouse/entry"
)

// Clock is what the machine tells about time. A kiosk often has no battery behind its clock, so none of it is believed
// by itself.
type Clock struct {
	Wall   func() time.Time           // the system's clock, which anybody can set
	Synced func() bool                // whether the kernel says that something keeps it right
	Boot   func() (cache.Boot, error) // CLOCK_BOOTTIME, which nobody can set
}

// SystemClock is the clock of this machine.
func SystemClock() Clock {
	id := sync.OnceValues(bootID) // it is asked at every scan, and cannot change
	return Clock{Wall: time.Now, Synced: kernelSynced, Boot: func() (cache.Boot, error) { return kernelBoot(id) }}
}

// kernelSynced asks adjtimex(2). The kernel takes the word back about nine hours after the last correction; a service
// that may not ask (ProtectClock=yes) is told nothing, and counts as never synced.
func kernelSynced() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
}

func kernelBoot(id func() (string, error)) (b cache.Boot, err error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return b, fmt.Errorf("device: CLOCK_BOOTTIME: %w", err)
	}
	b.Elapsed = time.Duration(ts.Nano())
	b.ID, err = id()
	return b, err
}

func bootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("device: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}

// trustedFor is how long a clock that was synced is taken to keep time by itself: at a drift of 100 ppm a week is a
// minute.
const trustedFor = 7 * 24 * time.Hour

// timekeeper is the kiosk's only clock: what time it is, and how far that can be trusted.
type timekeeper struct {
	Clock
	floor *cache.Floor

	mu      sync.Mutex
	syncAt  time.Time     // the wall clock when it was last synced; zero: never since the start
	syncRun time.Duration // how long the machine had run then
}

// skew is how far a clock that is right may be behind the floor: the clocks of those who sign are not the kiosk's.
const skew = time.Minute

// moment is now, never before the floor. A synced wall clock is taken as it is. When the sync is gone the last synced time goes on with
// CLOCK_BOOTTIME, so that whoever sets the wall clock moves nothing. Without any sync the wall clock is taken where it is
// not behind the floor, else the floor.
func (k *timekeeper) moment() entry.Moment {
	floor, floorErr := k.floor.Time()
	m := k.reading()
	if floorErr != nil || !m.At.Before(floor) {
		return m
	}
	if floor.Sub(m.At) > skew {
		return entry.Moment{At: floor, Clock: entry.ClockBehind}
	}
	m.At = floor
	return m
}

// past is a time that has passed for certain, as far as this kiosk can know: the floor's and its own clock's. A floor that
// a stolen key drove ahead makes nothing forgotten, nor does a wrong clock. Zero while the floor cannot be told.
func (k *timekeeper) past() time.Time {
	floor, err := k.floor.Time()
	if err != nil {
		return time.Time{}
	}
	if at := k.reading().At; at.Before(floor) {
		return at
	}
	return floor
}

// reading is what the clocks say before the floor is asked.
func (k *timekeeper) reading() entry.Moment {
	boot, err := k.Boot()
	wall := k.Wall()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.Synced() {
		k.syncAt, k.syncRun = wall, boot.Elapsed
		return entry.Moment{At: wall, Clock: entry.ClockSynced}
	}
	if err != nil || k.syncAt.IsZero() {
		return entry.Moment{At: wall, Clock: entry.ClockNeverSynced}
	}
	ago := boot.Elapsed - k.syncRun
	m := entry.Moment{At: k.syncAt.Add(ago), Clock: entry.ClockSynced, SyncedAgo: ago}
	if ago > trustedFor {
		m.Clock = entry.ClockNeverSynced
	}
	return m
}

// observe tells what is wrong with the clock: that nothing keeps it right, or that it is behind the floor.
func (k *timekeeper) observe() (unsynced, behind error) {
	switch m := k.moment(); m.Clock {
	case entry.ClockBehind:
		// No time of day: it would be another condition, and a line of the log, whenever somebody looks.
		return nil, fmt.Errorf("device: the clock is %s behind the time that this kiosk knows of: decisions go by that; set the clock or give the kiosk a time server",
			entry.Duration(m.At.Sub(k.Wall()).Round(time.Minute)).Rough())
	case entry.ClockNeverSynced:
		return errNeverSynced, nil
	}
	return nil, nil
}

var errNeverSynced = errors.New("device: nothing keeps the clock right, so data is stale at best: give the kiosk a time server (timedatectl shows how it is)")

// at is the time by which documents are believed: zero where no clock can be trusted, so that a kiosk whose clock starts
// in 1970 can be provisioned.
func (k *timekeeper) at() time.Time {
	if m := k.moment(); m.Clock == entry.ClockSynced {
		return m.At
	}
	return time.Time{}
}
