// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gatetest

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"gatehouse/gate"
)

// Edge is one change of a level. Driving an output to the level that it has is none.
type Edge struct {
	// Time is when the board got the request, with a monotonic reading: subtract freely.
	Time   time.Time
	Lane   string
	Output gate.Output
	Active bool
}

func (e Edge) String() string {
	level := "off"
	if e.Active {
		level = "on"
	}
	return fmt.Sprintf("%s %s %s", e.Lane, e.Output, level)
}

// Config is how a board behaves.
type Config struct {
	// ReleaseOnClose makes the outputs of a client inactive when its connection ends, as mainline kernels
	// do with the lines of a process that is gone. Otherwise they stay as they are, as on a Raspberry Pi.
	ReleaseOnClose bool
}

// output names one output of the board.
type output struct {
	lane string
	out  gate.Output
}

// Board is a simulated board. Its methods may be called from any goroutine.
type Board struct {
	cfg Config

	mu       sync.Mutex
	levels   map[output]bool // of the outputs and of the inputs
	edges    []Edge
	first    Mark          // of edges[0]
	changed  chan struct{} // closed and replaced at each edge, and when a client is gone
	faults   map[output]*fault
	readings map[output]int // of the inputs
	closed   bool
	server   *net.UnixListener
	clients  map[*net.UnixConn]struct{}
	served   sync.WaitGroup
}

// New makes a board whose outputs are all inactive.
func New(cfg Config) *Board {
	return &Board{
		cfg:      cfg,
		levels:   make(map[output]bool),
		readings: make(map[output]int),
		changed:  make(chan struct{}),
		faults:   make(map[output]*fault),
		clients:  make(map[*net.UnixConn]struct{}),
	}
}

// Lines are the outputs of a lane, driven in this process. Closing them does nothing.
func (b *Board) Lines(lane string) gate.Lines { return direct{b, lane} }

type direct struct {
	board *Board
	lane  string
}

func (d direct) Drive(o gate.Output, active bool) error {
	return d.board.drive(output{d.lane, o}, active, time.Now())
}

func (d direct) Close() error { return nil }

// drive moves an output, or fails the way that was asked for.
func (b *Board) drive(o output, active bool, at time.Time) error {
	return b.meet(o, func(at time.Time) { b.set(o, active, at) }, at)
}

// meet does what a call asks for, with b.mu held, or meets the fault that was asked for.
func (b *Board) meet(o output, do func(at time.Time), at time.Time) error {
	b.mu.Lock()
	f := b.takeFault(o)
	if f == nil {
		do(at)
		b.mu.Unlock()
		return nil
	}
	if f.mode == FailYetMoved {
		do(at)
	}
	b.mu.Unlock()

	if f.mode != Hang {
		return fmt.Errorf("gatetest: %s %s: %s: %w", o.lane, o.out, f.mode, ErrInjected)
	}
	<-f.lifted
	b.mu.Lock()
	do(time.Now())
	b.mu.Unlock()
	return nil
}

// set records a level; b.mu is held.
func (b *Board) set(o output, active bool, at time.Time) {
	if b.levels[o] == active {
		return
	}
	b.levels[o] = active
	b.edges = append(b.edges, Edge{at, o.lane, o.out, active})
	b.notify()
}

// notify wakes those who wait; b.mu is held.
func (b *Board) notify() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// Level tells whether an output is active.
func (b *Board) Level(lane string, o gate.Output) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.levels[output{lane, o}]
}

// Edges returns the record, oldest first.
func (b *Board) Edges() []Edge {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.edges)
}

// Mark is a place in the record: the number of edges before it.
type Mark int

// Mark returns the present end of the record: what is waited for after it is yet to come.
func (b *Board) Mark() Mark {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.first + Mark(len(b.edges))
}

// Forget drops the record. Levels and marks stay valid.
func (b *Board) Forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.first += Mark(len(b.edges))
	b.edges = nil
}

// WaitEdge waits for the first edge after a mark that takes an output of a lane to a level. It fails when ctx ends.
func (b *Board) WaitEdge(ctx context.Context, after Mark, lane string, o gate.Output, active bool) (Edge, error) {
	return b.Wait(ctx, after, func(e Edge) bool { return e.Lane == lane && e.Output == o && e.Active == active })
}

// Wait waits for the first edge after a mark that matches. It fails when ctx ends, naming the edges that came instead.
func (b *Board) Wait(ctx context.Context, after Mark, match func(Edge) bool) (Edge, error) {
	for {
		b.mu.Lock()
		came := slices.Clone(b.edges[max(0, min(len(b.edges), int(after-b.first))):])
		changed := b.changed
		b.mu.Unlock()
		if i := slices.IndexFunc(came, match); i >= 0 {
			return came[i], nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Edge{}, fmt.Errorf("gatetest: waiting for an edge: %w; since the mark came %v", ctx.Err(), came)
		}
	}
}

// WaitLevel waits until an output of a lane has a level.
func (b *Board) WaitLevel(ctx context.Context, lane string, o gate.Output, active bool) error {
	for {
		b.mu.Lock()
		level := b.levels[output{lane, o}]
		changed := b.changed
		b.mu.Unlock()
		if level == active {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("gatetest: waiting for %s %s to be %t: %w", lane, o, active, ctx.Err())
		}
	}
}
