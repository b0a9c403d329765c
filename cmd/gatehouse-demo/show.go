// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"gatehouse/entry"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
)

// answer is what came of a code.
type answer struct {
	reason        entry.Reason
	opened        bool          // the relay rose
	at, published time.Time     // when the gate answered, and when what it goes by was published last
	took          time.Duration // last byte to relay or red lamp
	stale, outage bool
	recorded      bool
	passage       entry.Passage // of an admission
	surplus       int           // lines of the log about answers that nobody asked for
}

// show has a code scanned, waits for its answer, has who is admitted walk through, and waits for the gate to be at rest.
func (s *stage) show(ctx context.Context, sc scene) (a answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	paper, err := sc.paper.issued(s)
	if err != nil {
		return a, err
	}
	for _, surplus := s.journal.take(); surplus; _, surplus = s.journal.take() {
		a.surplus++
	}
	s.outOfSight(ctx, paper.Code)
	mark, began := s.board.Mark(), time.Now()
	for range sc.times {
		if err := s.scanner.Scan(paper.Code); err != nil {
			return a, err
		}
	}
	edge, err := s.board.Wait(ctx, mark, func(e gatetest.Edge) bool {
		return e.Active && (e.Output == gate.Relay || e.Output == gate.Red)
	})
	if err != nil {
		return a, fmt.Errorf("no answer at the gate: %w", err)
	}
	a.at, a.published = edge.Time, s.published
	a.took, a.opened = edge.Time.Sub(began), edge.Output == gate.Relay
	if a.opened && !sc.stays {
		if err := s.board.Walk(ctx, lane); err != nil {
			return a, err
		}
	}
	if err := s.atRest(ctx); err != nil {
		return a, err
	}
	s.last = time.Now()
	return a, s.read(ctx, &a)
}

// outOfSight waits until a code that was the last one shown is read again.
func (s *stage) outOfSight(ctx context.Context, code string) {
	if n := len(s.shown); n > 0 && s.shown[n-1] == code {
		again := time.NewTimer(time.Until(s.last.Add(sameCode + sameCode/2)))
		defer again.Stop()
		select {
		case <-again.C:
		case <-ctx.Done():
		}
	}
	s.shown = append(s.shown, code)
}

// atRest waits until relay and lamps are off.
func (s *stage) atRest(ctx context.Context) error {
	for _, o := range gate.Outputs() {
		if err := s.board.WaitLevel(ctx, lane, o, false); err != nil {
			return err
		}
	}
	return nil
}

// read takes what the kiosk's log says of the answer, and of the passage after an admission.
func (s *stage) read(ctx context.Context, a *answer) error {
	scan, err := s.journal.next(ctx, "scan")
	if err != nil {
		return err
	}
	a.reason, a.stale, a.outage, a.recorded = entry.Reason(scan.Reason), scan.Stale, scan.Outage, scan.Event != 0
	if !a.opened {
		return nil
	}
	passage, err := s.journal.next(ctx, "passage")
	a.passage = entry.Passage(passage.Passage)
	return err
}
