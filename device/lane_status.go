// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"time"

	"gatehouse/device/client"
	"gatehouse/device/condition"
	"gatehouse/entry"
	"gatehouse/gate"
	"gatehouse/scanner"
)

// note logs a decision and counts it. Nothing in it identifies: the hash is short, and none for a private kind.
// at is when the relay had risen, or the answer was known.
func (l *lane) note(dec entry.Decision, scan scanner.Scan, at time.Time) {
	l.count(dec.Reason, dec.Outcome)
	attrs := []any{"outcome", dec.Outcome, "reason", dec.Reason, "event", dec.Event, "format", dec.Format,
		"issuer", dec.Issuer, "kind", dec.Kind, "rule", dec.Rule, "pass", dec.PassHash.String(), "stale", dec.Stale, "outage", dec.Outage, "late", dec.Late,
		"age_us", at.Sub(scan.At).Microseconds()}
	if n := len(dec.Steps); n > 0 && !dec.Steps[n-1].Held {
		attrs = append(attrs, "step", dec.Steps[n-1].Code, "detail", dec.Steps[n-1].Note)
	}
	l.log.Info("scan", attrs...)
}

func (l *lane) count(r entry.Reason, o entry.Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now.Scans++
	l.now.Outcomes[string(o)]++
	l.kiosk.meter.decided(l.cfg.Name, r, o)
	l.now.Last, l.now.LastAt = string(r), l.kiosk.hw.Clock.Wall()
}

// status is the lane now.
func (l *lane) status() client.Lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.now
	s.Outcomes = map[string]uint64{}
	for k, v := range l.now.Outcomes {
		s.Outcomes[k] = v
	}
	s.Scanner = l.health.text("connected", condition.Scanner)
	s.Gate = l.health.text(inService, condition.Gate, condition.Lamp)
	s.Tapped = l.tapped.Load()
	s.Mode = string(l.modeNow())
	s.Closed = closedOf(l.closing.by.Load())
	contact := func(c gate.Contact, codes ...condition.Code) string {
		if !l.cfg.Has(c) {
			return ""
		}
		return l.health.text("well", codes...)
	}
	s.Sensor, s.Exit = contact(gate.Passage, condition.Sensor), contact(gate.Exit, condition.ExitInput)
	s.Fire = contact(gate.Fire, condition.FireInput, condition.Fire)
	return s
}
