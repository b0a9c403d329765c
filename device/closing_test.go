// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/entry"
)

// A closed lane answers lane_closed to everybody, over a restart too, until it is released; staff can let one in meanwhile.
func TestCloseAndRelease(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	ticket := b.pass(credential.Claims{})
	closed, err := b.client.CloseLane(b.ctx(), "in-1", client.Order{Reason: "wet floor"})
	if by := fmt.Sprintf("uid %d", os.Getuid()); err != nil || closed.Lane != "in-1" || closed.Event != 2 || closed.By != by {
		t.Fatalf("%+v, %v", closed, err)
	}
	b.expect("lane_closed", ticket)
	s := b.waitStatus("a status", func(*client.Status) bool { return true })
	if c := s.Lanes[0].Closed; c == nil || c.Event != 2 || c.Note != closed.By+": wet floor" || c.At.IsZero() || s.Ready {
		t.Errorf("the status of a closed lane: %+v, ready %v", s.Lanes[0], s.Ready)
	}
	if !hasCondition(s, "GH-207") {
		t.Errorf("no fault code says that the lane is closed: %+v", s.Conditions)
	}
	wantUnwell(t, "a lane that was forgotten", newDoctor(b), "gate warn GH-207")
	if e := b.explain(t, ticket); e.Answers[0].Reason != "ok" || len(e.Obstacles) != 1 || !strings.Contains(e.Obstacles[0], "lane_closed: closed by "+closed.By+": wet floor (event 2, ") {
		t.Errorf("%+v", e)
	}
	if _, err := b.client.CloseLane(b.ctx(), "in-1", client.Order{Reason: "again"}); !errors.Is(err, client.ErrRefused) || !strings.Contains(err.Error(), "is closed already, by "+closed.By+": wet floor") {
		t.Errorf("closed twice: %v", err)
	}
	mark := b.board.Mark()
	if _, err := b.client.OpenLane(b.ctx(), "in-1", client.Order{Reason: "the cleaner"}); err != nil || b.opens(mark) != 1 {
		t.Errorf("opened by hand: %v", err)
	}
	b.expect("lane_closed", ticket)
	if err := b.halt(); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.expect("lane_closed", ticket)
	released, err := b.client.ReleaseLane(b.ctx(), "in-1", client.Order{Reason: "it is dry"})
	if err != nil || released.Event == 0 {
		t.Fatalf("%+v, %v", released, err)
	}
	if s := b.waitStatus("a status", func(*client.Status) bool { return true }); hasCondition(s, "GH-207") {
		t.Error("the lane is said to be closed after its release")
	}
	b.expect("ok", ticket) // no use was taken while it was closed
	if _, err := b.client.ReleaseLane(b.ctx(), "in-1", client.Order{Reason: "again"}); !errors.Is(err, client.ErrRefused) || !strings.Contains(err.Error(), "is not closed, so there is nothing to release") {
		t.Errorf("released twice: %v", err)
	}
	page, err := b.client.Events(b.ctx(), client.Query{Kind: "released"})
	if err != nil || len(page.Events) != 1 || page.Events[0].Number != released.Event || page.Events[0].Lane != "in-1" || page.Events[0].Note != closed.By+": it is dry" {
		t.Errorf("recorded %+v, %v", page, err)
	}
	if err := b.halt(); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.expect("ok", b.pass(credential.Claims{})) // it stays released
}

// Without a reason, or a lane, nothing changes; a dead daemon closes nothing.
func TestCloseIsRefused(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	for what, c := range map[string]struct{ lane, reason, want string }{
		"no reason":    {"in-1", "", "needs a reason"},
		"another lane": {"in-2", "wet floor", "there is no lane in-2; there are in-1"},
	} {
		if _, err := b.client.CloseLane(b.ctx(), c.lane, client.Order{Reason: c.reason}); !errors.Is(err, client.ErrRefused) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	b.expect("ok", b.pass(credential.Claims{}))
	b.terms(entry.LaneTerms{Direction: entry.DirectionOut})
	if _, err := b.client.CloseLane(b.ctx(), "in-1", client.Order{Reason: "wet floor"}); !errors.Is(err, client.ErrRefused) || !strings.Contains(err.Error(), "nobody is kept in") {
		t.Errorf("a lane out: %v", err)
	}
	if err := b.halt(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.client.CloseLane(b.ctx(), "in-1", client.Order{Reason: "wet floor"}); !errors.Is(err, client.ErrNotRunning) {
		t.Errorf("a dead daemon: %v", err)
	}
}

// What cannot be recorded changes nothing, and while the disk stalls no guest waits for an order about his lane.
func TestClosingIsRecordedFirst(t *testing.T) {
	b := newBench(t)
	l := &lane{cfg: LaneConfig{Name: "in-1"}, health: newHealth(b.clock, b.quiet()).of("in-1")}
	closed := &entry.Event{Kind: entry.EventClosed, Lane: "in-1"}
	broken := errors.New("the disk is full")
	if err := l.orderClosed(closed, func(*entry.Event) error { return broken }); !errors.Is(err, broken) || l.closing.by.Load() != nil {
		t.Errorf("closed without a record: %v", err)
	}
	during := func(*entry.Event) error {
		if l.closing.by.Load() != nil { // it answers, and is not closed yet
			t.Error("it was closed before that was recorded")
		}
		return nil
	}
	if err := l.orderClosed(closed, during); err != nil || l.closing.by.Load() != closed {
		t.Fatal(err)
	}
	released := &entry.Event{Kind: entry.EventReleased, Lane: "in-1"}
	if err := l.orderClosed(released, func(*entry.Event) error { return context.DeadlineExceeded }); !errors.Is(err, context.DeadlineExceeded) || l.closing.by.Load() != closed {
		t.Errorf("released without a record: %v", err)
	}
}
