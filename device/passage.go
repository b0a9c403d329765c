// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"

	"gatehouse/entry"
	"gatehouse/gate"
)

// surprise is a passage that ended no admission, on its way from the gate to the lane's goroutine, with the grant of the
// admission that it is about.
type surprise struct {
	what  gate.Surprise
	grant *entry.Grant
}

// maxSurprises wait for the lane's goroutine. More of them within one admission tell nothing more.
const maxSurprises = 16

// surprised hears of a passage from the gate's loop, which must not wait.
func (l *lane) surprised(what gate.Surprise, grant *entry.Grant) {
	select {
	case l.surprises <- surprise{what, grant}:
	default:
		l.log.Warn("passage not recorded", "passage", what)
	}
}

// settle ends an admission with what is known of its passage.
func (l *lane) settle(ctx context.Context, dec entry.Decision, p entry.Passage) {
	err := l.kiosk.decider.Settle(context.WithoutCancel(ctx), dec, p, l.kiosk.time.moment())
	if err != nil || l.cfg.HasSensor() {
		l.kiosk.recorded(err)
	}
	if l.cfg.HasSensor() && (!dec.Grant.Free() || p == entry.Passed) {
		l.log.Info("passage", "passage", p, "event", dec.Event)
	}
}

// recordSurprises writes down those that wait.
func (l *lane) recordSurprises(ctx context.Context) {
	for {
		select {
		case s := <-l.surprises:
			l.recordSurprise(ctx, s)
		default:
			return
		}
	}
}

// recordSurprise writes down a passage that ended no admission. A late one takes the use that was given back.
func (l *lane) recordSurprise(ctx context.Context, s surprise) {
	var of entry.Decision
	for _, dec := range l.last {
		if s.grant != nil && dec.Grant == s.grant {
			of = dec
		}
	}
	if s.what != gate.UnadmittedPassage && of.Grant.Free() { // one more of those who come and go
		l.settle(ctx, of, entry.Passed)
		return
	}
	l.log.Warn("passage", "passage", s.what, "event", of.Event)
	if s.what == gate.LatePassage {
		l.settle(ctx, of, entry.Passed)
	}
	now := l.kiosk.time.moment()
	ev := &entry.Event{At: now.At, Clock: now.Clock, Kind: entry.EventIncident, Lane: l.cfg.Name, Note: string(s.what), Of: of.Event}
	l.kiosk.recorded(l.kiosk.decider.Record(context.WithoutCancel(ctx), ev))
}
