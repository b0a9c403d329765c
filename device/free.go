// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"runtime/debug"
	"time"

	"gatehouse/entry"
	"gatehouse/gate"
)

// freeLook is how often a lane looks whether it is free at this hour, and the least time between two openings that ended
// at once.
const freeLook = time.Second

// everybody opens the lane for whoever comes, where the venue's hours say so, and tells when to look again. A panic ends
// this look alone.
func (l *lane) everybody(ctx context.Context, g *gate.Gate) (again time.Duration) {
	defer func() {
		if p := recover(); p != nil {
			l.log.Error("free passage panicked", "panic", panicText(p), "stack", string(debug.Stack()))
			again = freeLook
		}
	}()
	if !l.serving.Load() || l.out.leaving() != nil { // the lane is theirs who leave, or the fire's
		return freeLook
	}
	lane, now := l.entryLane(), l.kiosk.time.moment()
	mode := l.kiosk.decider.Mode(lane, now)
	l.mode.Store(&mode)
	if mode != entry.ModeFree && l.free == 0 {
		return freeLook
	}
	dec := l.kiosk.decider.Free(ctx, lane, now)
	if dec.RecordErr != nil {
		l.kiosk.recorded(dec.RecordErr)
	}
	if dec.Event != l.free {
		l.log.Info("free passage", "event", dec.Event, "reason", dec.Reason) // event 0: it is over, or cannot be recorded
		l.scanner.Forget()                                                   // codes are answered in another way now
	}
	if l.free = dec.Event; dec.Grant == nil {
		return freeLook
	}
	began := time.Now()
	l.open(ctx, g, dec, func(time.Time, error) {})
	if time.Since(began) < freeLook {
		return freeLook
	}
	return 0
}

// modeNow is whom the lane lets through, as it was when it looked last.
func (l *lane) modeNow() entry.Mode {
	if mode := l.mode.Load(); mode != nil {
		return *mode
	}
	return entry.ModeIn
}
