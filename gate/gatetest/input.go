// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gatetest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gatehouse/gate"
)

// The inputs of a lane, as [Board.Fail], [Board.Clear] and the socket name them: their faults are those of a reading.
const (
	Passage = gate.Output(gate.Passage)
	Exit    = gate.Output(gate.Exit)
	Fire    = gate.Output(gate.Fire)
)

func isInput(o gate.Output) bool { return slices.Contains(gate.Contacts(), gate.Contact(o)) }

// SetInput makes a contact of a lane active, or inactive.
func (b *Board) SetInput(lane string, c gate.Contact, active bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.levels[output{lane, gate.Output(c)}] = active
	b.notify()
}

// SetPassing puts somebody into the passage of a lane, or nobody. The contact of a real turnstile is active for some 250 ms.
func (b *Board) SetPassing(lane string, passing bool) { b.SetInput(lane, gate.Passage, passing) }

// Walk has one person go through the passage of a lane: it returns once its contact was read often enough to be noticed,
// as active and then as inactive.
func (b *Board) Walk(ctx context.Context, lane string) error { return b.Press(ctx, lane, gate.Passage) }

// Press makes a contact of a lane active and then inactive again, each for as long as it takes to be noticed.
func (b *Board) Press(ctx context.Context, lane string, c gate.Contact) error {
	for _, active := range []bool{true, false} {
		b.SetInput(lane, c, active)
		if err := b.waitReadings(ctx, output{lane, gate.Output(c)}, 3); err != nil {
			return err
		}
	}
	return nil
}

func (b *Board) waitReadings(ctx context.Context, o output, n int) error {
	b.mu.Lock()
	want := b.readings[o] + n
	b.mu.Unlock()
	for {
		b.mu.Lock()
		enough, changed := b.readings[o] >= want, b.changed
		b.mu.Unlock()
		if enough {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("gatetest: nobody reads the %s contact of %s: %w", o.out, o.lane, ctx.Err())
		}
	}
}

// contact reads an input, or fails the way that was asked for.
func (b *Board) contact(o output) (bool, error) {
	err := b.meet(o, func(time.Time) {}, time.Now())
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.readings[o]++
		b.notify()
	}
	return b.levels[o], err
}

// Input is one contact of a lane, read in this process.
func (b *Board) Input(lane string, c gate.Contact) gate.Input {
	return directInput{b, output{lane, gate.Output(c)}}
}

type directInput struct {
	board *Board
	of    output
}

func (s directInput) Active() (bool, error) { return s.board.contact(s.of) }

func (s directInput) Close() error { return nil }

// DialInput gives one contact of a lane on the board that listens at path.
func DialInput(path, lane string, c gate.Contact) (gate.Input, error) {
	w := &wire{path: path, lane: lane, output: gate.Output(c)}
	if err := w.connect(); err != nil {
		return nil, unreachable(err)
	}
	return remoteInput{w}, nil
}

type remoteInput struct{ wire *wire }

func (s remoteInput) Active() (bool, error) {
	rep, err := s.wire.ask(request{Lane: s.wire.lane, Output: s.wire.output})
	return rep.Active, err
}

func (s remoteInput) Close() error { return s.wire.close() }
