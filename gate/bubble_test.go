// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/entry"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
)

// bench is a gate at work in a bubble, with everything that can be seen of it.
type bench struct {
	t     *testing.T
	gate  *gate.Gate
	board *gatetest.Board
	began time.Time
	stop  context.CancelFunc
	ran   chan error

	mu     sync.Mutex
	states []string
	alive  []time.Duration
}

// on starts a gate. Lines of the board are wrapped by wrap, if set.
func on(t *testing.T, cfg gate.Config, wrap func(gate.Lines) gate.Lines) *bench {
	t.Helper()
	b := &bench{t: t, board: gatetest.New(gatetest.Config{}), began: time.Now(), ran: make(chan error, 1)}
	return b.start(cfg, wrap)
}

func (b *bench) start(cfg gate.Config, wrap func(gate.Lines) gate.Lines) *bench {
	b.t.Helper()
	cfg.Lane = "north"
	cfg.State = func(err error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.states = append(b.states, fmt.Sprint(err))
	}
	if cfg.Alive == nil {
		cfg.Alive = func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.alive = append(b.alive, time.Since(b.began))
		}
	}
	lines := b.board.Lines("north")
	if wrap != nil {
		lines = wrap(lines)
	}
	g, err := gate.New(cfg, lines)
	if err != nil {
		b.t.Fatal(err)
	}
	b.gate = g
	ctx, stop := context.WithCancel(b.t.Context())
	b.stop = stop
	go func() { b.ran <- g.Run(ctx) }()
	synctest.Wait()
	return b
}

// end stops the gate and returns what Run returned.
func (b *bench) end() error {
	b.stop()
	return <-b.ran
}

// edges prints the record, each with its time since the start.
func (b *bench) edges() []string {
	var list []string
	for _, e := range b.board.Edges() {
		list = append(list, fmt.Sprintf("%v %s", e.Time.Sub(b.began), strings.TrimPrefix(e.String(), "north ")))
	}
	return list
}

func (b *bench) wantEdges(want ...string) {
	b.t.Helper()
	if got := b.edges(); !slices.Equal(got, want) {
		b.t.Errorf("edges\n got %q\nwant %q", got, want)
	}
}

func (b *bench) lastState() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.states) == 0 {
		return "(none)"
	}
	return b.states[len(b.states)-1]
}

// outcome is what an Admit returned, and when.
type outcome struct {
	passage entry.Passage
	err     error
	at      time.Duration
}

// admit calls Admit without waiting for it.
func (b *bench) admit(ctx context.Context, grant *entry.Grant) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		p, err := b.gate.Admit(ctx, grant)
		done <- outcome{p, err, time.Since(b.began)}
	}()
	return done
}

func (b *bench) wantAdmitted(o outcome, at time.Duration) {
	b.t.Helper()
	if o.passage != entry.PassageUnknown || o.err != nil || o.at != at {
		b.t.Errorf("Admit returned %q, %v at %v; want %q, nil at %v", o.passage, o.err, o.at, entry.PassageUnknown, at)
	}
}

func (b *bench) wantFault(o outcome, is error, at time.Duration) {
	b.t.Helper()
	if o.passage != entry.Fault || !errors.Is(o.err, is) || o.at != at {
		b.t.Errorf("Admit returned %q, %v at %v; want %q, %v at %v", o.passage, o.err, o.at, entry.Fault, is, at)
	}
}

// wayOut is a bench whose lane has every input.
type wayOut struct {
	*turnstile
	mu       sync.Mutex
	departed []string
	inputs   map[gate.Contact]string
}

// noticed is how long a level takes to be a level, and a little.
const noticed = 50 * time.Millisecond

// cleared is how long the fire contact is inactive before the alarm is over.
const cleared = time.Second

// inWayOut runs a test in a bubble, and ends the gate.
func inWayOut(t *testing.T, change func(*wayOut, *gate.Config), f func(t *testing.T, w *wayOut)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWayOut(t)
		w.run(change)
		f(t, w)
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
}

func newWayOut(t *testing.T) *wayOut {
	return &wayOut{inputs: map[gate.Contact]string{}, turnstile: &turnstile{
		bench: &bench{t: t, board: gatetest.New(gatetest.Config{}), began: time.Now(), ran: make(chan error, 1)}}}
}

func (w *wayOut) run(change func(*wayOut, *gate.Config)) {
	cfg := gate.Config{Passage: awaited, Inputs: map[gate.Contact]gate.Input{}}
	for _, c := range gate.Contacts() {
		cfg.Inputs[c] = w.board.Input("north", c)
	}
	cfg.Departed = func(d gate.Departure, at time.Time) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.departed = append(w.departed, string(d))
	}
	cfg.InputState = func(c gate.Contact, err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.inputs[c] = fmt.Sprint(err)
	}
	cfg.Surprised = func(x gate.Surprise, _ *entry.Grant) {
		w.turnstile.mu.Lock()
		defer w.turnstile.mu.Unlock()
		w.surprises = append(w.surprises, string(x))
	}
	if change != nil {
		change(w, &cfg)
	}
	w.start(cfg, nil)
	time.Sleep(100 * time.Millisecond)
}

func (w *wayOut) press() {
	w.board.SetInput("north", gate.Exit, true)
	time.Sleep(noticed)
	w.board.SetInput("north", gate.Exit, false)
}

func (w *wayOut) fire(on bool) {
	w.board.SetInput("north", gate.Fire, on)
	time.Sleep(noticed)
	if !on {
		time.Sleep(cleared)
	}
}

func (w *wayOut) wantOpen(open bool) {
	w.t.Helper()
	synctest.Wait()
	if w.board.Level("north", gate.Relay) != open {
		w.t.Errorf("at %v the relay is active: %t", w.now(), !open)
	}
}

func (w *wayOut) wantDeparted(want ...string) {
	w.t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.departed, want) {
		w.t.Errorf("departed %q, want %q", w.departed, want)
	}
}

func (w *wayOut) wantInput(c gate.Contact, part string) {
	w.t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !strings.Contains(w.inputs[c], part) {
		w.t.Errorf("of %s was told %q, want %q", c, w.inputs[c], part)
	}
}

// wantLetsOut presses the button and wants the lane to open and to close.
func (w *wayOut) wantLetsOut() {
	w.t.Helper()
	w.press()
	w.wantOpen(true)
	time.Sleep(gate.DefaultExitPulse)
	w.wantOpen(false)
}
