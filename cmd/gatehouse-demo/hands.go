// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/cache"
	"gatehouse/device"
)

// hands are those of the kiosk's clocks, in a file that the story and the kiosk both have in memory: so a morning takes a
// minute, and the clock can be torn while the kiosk runs.
type hands struct{ mem []byte }

// The hands, each a number of eight bytes.
const (
	handPassed   = 8 * iota // what the story has skipped, in ns: every clock of the kiosk shows it
	handTorn                // how far the wall clock alone is wrong, in ns
	handUnsynced            // not 0 while nothing keeps the wall clock right
	handStart               // how far the story's beginning is from this machine's time, in ns
	handsSize
)

// newHands makes the file for a story that begins at a time.
func newHands(path string, begin time.Time) (*hands, error) {
	if err := os.WriteFile(path, make([]byte, handsSize), 0o600); err != nil {
		return nil, err
	}
	h, err := openHands(path)
	if err == nil {
		h.set(handStart, int64(time.Until(begin)))
	}
	return h, err
}

func openHands(path string) (*hands, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	mem, err := unix.Mmap(int(f.Fd()), 0, handsSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("the hands of the clock: %w", err)
	}
	return &hands{mem}, nil
}

func (h *hands) close() error {
	if h == nil {
		return nil
	}
	return unix.Munmap(h.mem)
}

func (h *hands) get(hand int) int64 { return int64(binary.NativeEndian.Uint64(h.mem[hand:])) }
func (h *hands) set(hand int, value int64) {
	binary.NativeEndian.PutUint64(h.mem[hand:], uint64(value))
}

// now is the story's time.
func (h *hands) now() time.Time {
	return time.Now().Round(0).Add(time.Duration(h.get(handStart) + h.get(handPassed)))
}

// pass lets time go by.
func (h *hands) pass(d time.Duration) { h.set(handPassed, h.get(handPassed)+int64(max(d, 0))) }

// tear sets the wall clock wrong, and takes away what keeps it right; with nothing it gives both back.
func (h *hands) tear(wrong time.Duration, synced bool) {
	unsynced := int64(1)
	if synced {
		unsynced = 0
	}
	h.set(handUnsynced, unsynced) // first: nothing keeps a torn clock
	h.set(handTorn, int64(wrong))
}

// clock is the kiosk's, which the hands move.
func (h *hands) clock() device.Clock {
	machine := device.SystemClock()
	return device.Clock{
		Wall:   func() time.Time { return h.now().Add(time.Duration(h.get(handTorn))) },
		Synced: func() bool { return h.get(handUnsynced) == 0 },
		Boot: func() (cache.Boot, error) {
			b, err := machine.Boot()
			b.Elapsed += time.Duration(h.get(handPassed))
			return b, err
		},
	}
}

// china has one time zone, and no summer time since 1991.
var china = time.FixedZone("CST", 8*60*60)

// opening is when the story begins: at seven in the morning, on a day that is neither over nor before the program was
// built, for no kiosk believes a time before that.
func opening(now time.Time) time.Time {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if at, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil && at.After(now) {
				now = at
			}
		}
	}
	day := now.In(china)
	begin := time.Date(day.Year(), day.Month(), day.Day(), 7, 0, 0, 0, china)
	if begin.Before(now) {
		begin = begin.AddDate(0, 0, 1)
	}
	return begin
}

var errNoTime = errors.New("no time of day; write 07:45")

// timeOfDay is a time on the day of the story.
func timeOfDay(day time.Time, clock string) (time.Time, error) {
	at, err := time.Parse("15:04", clock)
	if err != nil {
		return at, fmt.Errorf("%q: %w", clock, errNoTime)
	}
	day = day.In(china)
	return time.Date(day.Year(), day.Month(), day.Day(), at.Hour(), at.Minute(), 0, 0, china), nil
}
