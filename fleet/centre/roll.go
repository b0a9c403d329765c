// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package centre

import (
	"cmp"
	"context"
	"slices"
	"time"

	"gatehouse/fleet"
	syncer "gatehouse/sync"
)

// Seen is what a kiosk last said of itself. Nothing of it is signed: it is for people to look at.
type Seen struct {
	Kiosk    fleet.Place     `json:"kiosk"`
	Status   syncer.Status   `json:"status"`
	Reported syncer.Reported `json:"reported"`
	Beat     syncer.Beat     `json:"beat"`
	BeatAt   time.Time       `json:"beat_at,omitzero"` // when the beat came here; zero: none came since this began to listen
}

// Watch calls show with all kiosks that were heard of, by name: once what is retained has come, and then with each change,
// until ctx ends.
func Watch(ctx context.Context, b Broker, show func([]Seen) error) error {
	l, err := dial(ctx, b, "office-"+clientSuffix(), ears{
		filters: []string{syncer.UpFilter(syncer.LeafStatus), syncer.UpFilter(syncer.LeafReported), syncer.UpFilter(syncer.LeafBeat)},
		room:    wholeFleet,
	})
	if err != nil {
		return err
	}
	defer l.close()
	seen := map[fleet.Place]*Seen{}
	due, waiting := time.NewTimer(settled), true
	defer due.Stop()
	for {
		select {
		case m := <-l.heard:
			note(seen, m)
			if m.retained || !waiting { // the heartbeats of a large fleet never pause
				due.Reset(settled)
			}
			waiting = true
		case <-due.C:
			waiting = false
			if err := show(sorted(seen)); err != nil {
				return err
			}
		case err := <-l.lost:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// wholeFleet is how many messages may come at once: two are retained of each kiosk.
const wholeFleet = 1 << 16

// settled is for how long nothing that is retained comes when all of it has come, and how soon a change is shown.
const settled = 300 * time.Millisecond

func note(seen map[fleet.Place]*Seen, m message) {
	from, leaf, ok := syncer.ParseUp(m.topic)
	if !ok {
		return
	}
	s := seen[from]
	if s == nil {
		s = &Seen{Kiosk: from}
		seen[from] = s
	}
	// What is not of its form is left: the next one may be.
	switch leaf {
	case syncer.LeafStatus:
		_ = syncer.ReadNote(m.payload, &s.Status)
	case syncer.LeafReported:
		_ = syncer.ReadNote(m.payload, &s.Reported)
	case syncer.LeafBeat:
		if syncer.ReadNote(m.payload, &s.Beat) == nil {
			s.BeatAt = time.Now()
		}
	}
}

func sorted(seen map[fleet.Place]*Seen) []Seen {
	list := make([]Seen, 0, len(seen))
	for _, s := range seen {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b Seen) int {
		return cmp.Or(cmp.Compare(a.Kiosk.Venue, b.Kiosk.Venue), cmp.Compare(a.Kiosk.Kiosk, b.Kiosk.Kiosk))
	})
	return list
}
