// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package centre

import (
	"errors"
	"sync"
	"time"

	"gatehouse/fleet"
	"gatehouse/fleet/collector"
)

// complaints are of whose messages the log told lately. Whoever sends rubbish without end does not fill the disk, on which the
// events are.
type complaints struct {
	mu    sync.Mutex
	began time.Time
	told  map[fleet.Place]bool
	kept  int // that were not told
}

// Bounds of what is told: each kiosk once in complainEvery, and so many of them: who owns the broker invents kiosks.
const (
	complainEvery  = time.Minute
	mostComplaints = 100
)

// due tells whether one about this kiosk, or about the centre (the zero Place), is to be told now, and how many were not in the time that is over.
func (cs *complaints) due(from fleet.Place) (due bool, kept int) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.told == nil || time.Since(cs.began) > complainEvery {
		kept = cs.kept
		cs.began, cs.told, cs.kept = time.Now(), map[fleet.Place]bool{}, 0
	}
	if cs.told[from] || len(cs.told) >= mostComplaints && from != (fleet.Place{}) {
		cs.kept++
		return false, kept
	}
	cs.told[from] = true
	return true, kept
}

// complain logs why a kiosk's message was left, if it was.
func (c *Centre) complain(from fleet.Place, leaf string, err error) {
	if err == nil {
		return
	}
	say := c.cfg.Log.Warn
	about := from
	if errors.Is(err, collector.ErrStore) { // the centre's own: no kiosk's rubbish hides it
		say, about = c.cfg.Log.Error, fleet.Place{}
	}
	if due, kept := c.complaints.due(about); due {
		say("message left", "kiosk", from, "leaf", leaf, "err", err, "untold", kept)
	}
}
