// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"context"
	"sync"
	"time"
)

// The bounds of a free passage: a grant opens the lane for freePulse, and a recorded event allows grants for freeSpell.
const (
	freePulse = 7 * time.Second
	freeSpell = time.Hour
)

// free admits whoever comes.
func (d *Decision) free() {
	d.hold(StepLane, "free passage at this hour")
	d.Outcome, d.Reason = Admit, ReasonFreePassage
	d.open = opening{pulse: freePulse, free: true}
}

// spells are the free passages under way, at most one a lane.
type spells struct {
	mu    sync.Mutex
	lanes map[string]spell
}

// spell is a stretch of free passage that one event records; 0 where there is none.
type spell struct {
	event uint64
	began time.Time
}

func (s *spells) of(lane string) spell {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lanes[lane]
}

func (s *spells) set(lane string, now spell) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lanes == nil {
		s.lanes = map[string]spell{}
	}
	s.lanes[lane] = now
}

// Mode is whom a lane lets through at a moment.
func (d *Decider) Mode(lane Lane, now Moment) Mode {
	var terms *Terms
	if belief, err := d.knowledge.Belief(); err == nil {
		terms = belief.Terms()
	}
	return terms.Mode(lane, now)
}

// Free opens a lane to everybody where its hours say so, for as long as one pulse lasts; it is asked again after that. The
// decision has no Grant where the lane is not free now, or where that cannot be recorded: its beginning, each further hour of
// it and its end are events, and without its event no lane is free. One goroutine asks for a lane.
func (d *Decider) Free(ctx context.Context, lane Lane, now Moment) Decision {
	dec := Decision{At: now.At, Clock: now.Clock, lane: lane, record: (*Policy)(nil).recording()}
	mode := ModeIn
	if belief, err := d.knowledge.Belief(); err == nil && belief.Terms() != nil {
		dec.record = belief.Terms().Policy.recording()
		mode = belief.Terms().Mode(lane, now)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(dec.record.Deadline))
	defer cancel()
	under := d.spells.of(lane.Name)
	age := now.At.Sub(under.began)
	switch {
	case mode != ModeFree && under.event == 0:
		return dec
	case mode != ModeFree:
		d.spells.set(lane.Name, spell{})
		dec.RecordErr = d.ledger.Record(ctx, &Event{At: now.At, Clock: now.Clock, Kind: EventIncident, Lane: lane.Name,
			Reason: ReasonFreePassage, Of: under.event, Note: "free passage is over"})
		return dec
	case under.event != 0 && age >= 0 && age < freeSpell:
		dec.free()
		dec.Event = under.event
	default:
		dec.free()
		ev := dec.event()
		if dec.RecordErr = d.ledger.Reserve(ctx, ev); dec.RecordErr != nil {
			dec.refuse(StepRecord, ReasonRecordFailed, dec.RecordErr.Error())
			return dec
		}
		dec.Event = ev.Seq
		d.spells.set(lane.Name, spell{ev.Seq, now.At})
	}
	d.waiting.take(lane.Name) // nobody is asked for a second pass now
	dec.Grant = newGrant(lane.Name, time.Now(), dec.open)
	return dec
}
