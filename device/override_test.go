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
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
)

// opens counts how often the relay rose since a mark.
func (b *bench) opens(mark gatetest.Mark) (n int) {
	for _, e := range b.board.Edges()[mark:] {
		if e.Output == gate.Relay && e.Active {
			n++
		}
	}
	return n
}

// A lane opens by hand for a reason, once for each order, with an event of who and why; and without documents.
func TestOpenByHand(t *testing.T) {
	b := newBench(t)
	b.start()
	mark := b.board.Mark()
	opened, err := b.client.OpenLane(b.ctx(), "in-1", client.Order{Reason: "wheelchair at the gate"})
	if err != nil || opened.Lane != "in-1" || opened.Event != 1 || opened.By != fmt.Sprintf("uid %d", os.Getuid()) {
		t.Fatalf("%+v, %v", opened, err)
	}
	if n := b.opens(mark); n != 1 {
		t.Errorf("the relay rose %d times", n)
	}
	page, err := b.client.Events(b.ctx(), client.Query{})
	if err != nil || len(page.Events) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	if ev := page.Events[0]; ev.Reason != "override" || ev.Outcome != "admit" || ev.Lane != "in-1" || ev.Note != opened.By+": wheelchair at the gate" {
		t.Errorf("event %+v", ev)
	}
	b.importBundle()
	b.expect("ok", b.pass(credential.Claims{})) // the lane works on
	if opened, err = b.client.OpenLane(b.ctx(), "in-1", client.Order{Reason: "the next one"}); err != nil || opened.Event != 4 {
		t.Errorf("%+v, %v", opened, err)
	}
}

func TestOpenByHandIsRefused(t *testing.T) {
	b := newBench(t)
	b.start()
	mark := b.board.Mark()
	for what, c := range map[string]struct{ lane, reason, want string }{
		"no reason":    {"in-1", "", "needs a reason"},
		"another lane": {"in-2", "fire drill", "there is no lane in-2; there are in-1"},
	} {
		if _, err := b.client.OpenLane(b.ctx(), c.lane, client.Order{Reason: c.reason}); !errors.Is(err, client.ErrRefused) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if b.opens(mark) != 0 {
		t.Error("the lane opened")
	}
	if _, err := callerOf(context.Background()); err == nil {
		t.Error("a caller that nobody knows was taken")
	}
	if err := b.halt(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.client.OpenLane(b.ctx(), "in-1", client.Order{Reason: "fire drill"}); !errors.Is(err, client.ErrNotRunning) {
		t.Errorf("a dead daemon: %v", err)
	}
}

// What cannot be recorded does not open.
func TestOpenByHandIsRecordedFirst(t *testing.T) {
	b := newBench(t)
	b.cfg.ledger = func(l entry.Ledger) entry.Ledger { return fullLedger{l} }
	b.start()
	mark := b.board.Mark()
	if _, err := b.client.OpenLane(b.ctx(), "in-1", client.Order{Reason: "fire drill"}); !errors.Is(err, client.ErrRefused) || !strings.Contains(err.Error(), "could not be recorded, so the lane stays shut") {
		t.Errorf("got %v", err)
	}
	if b.opens(mark) != 0 {
		t.Error("the lane opened")
	}
}

// fullLedger takes nothing.
type fullLedger struct{ entry.Ledger }

func (fullLedger) Reserve(context.Context, *entry.Event, ...entry.Use) error {
	return errors.New("the disk is full")
}

func (fullLedger) Record(context.Context, *entry.Event) error {
	return errors.New("the disk is full")
}

// An order that was given up opens for nobody.
func TestOrderThatWasGivenUp(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := &lane{kiosk: &kiosk{}, log: b.quiet(), health: newHealth(b.clock, b.quiet()).of("in-1"), orders: make(chan order, 1)}
	l.serving.Store(true)
	if _, err := l.order(ctx, "uid 0", "fire drill"); err == nil {
		t.Error("it was waited for without end")
	}
	l.obey(t.Context(), nil, order{ctx: ctx, done: make(chan ordered, 1)}) // would need a decider and a gate
	l.serving.Store(false)
	if _, err := l.order(t.Context(), "uid 0", "fire drill"); err == nil || !strings.Contains(err.Error(), "not in service") {
		t.Errorf("got %v", err)
	}
}
