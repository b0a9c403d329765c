// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gatetest

import (
	"context"
	"fmt"
	"time"

	"gatehouse/gate"
)

// Passage names the passage contact of a lane to [Board.Fail] and [Board.Clear]: its faults are those of a reading.
const Passage gate.Output = "passage"

// SetPassing puts somebody into the passage of a lane, or nobody. The contact of a real turnstile is active for some 250 ms.
func (b *Board) SetPassing(lane string, passing bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.levels[output{lane, Passage}] = passing
	b.notify()
}

// Walk has one person go through the passage of a lane: it returns once its contact was read often enough to be noticed,
// as active and then as inactive.
func (b *Board) Walk(ctx context.Context, lane string) error {
	for _, passing := range []bool{true, false} {
		b.SetPassing(lane, passing)
		if err := b.waitReadings(ctx, lane, 3); err != nil {
			return err
		}
	}
	return nil
}

func (b *Board) waitReadings(ctx context.Context, lane string, n int) error {
	b.mu.Lock()
	want := b.readings[lane] + n
	b.mu.Unlock()
	for {
		b.mu.Lock()
		enough, changed := b.readings[lane] >= want, b.changed
		b.mu.Unlock()
		if enough {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("gatetest: nobody reads the passage contact of %s: %w", lane, ctx.Err())
		}
	}
}

// passing reads a contact, or fails the way that was asked for.
func (b *Board) passing(lane string) (bool, error) {
	o := output{lane, Passage}
	err := b.meet(o, func(time.Time) {}, time.Now())
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.readings[lane]++
		b.notify()
	}
	return b.levels[o], err
}

// Sensor is the passage contact of a lane, read in this process.
func (b *Board) Sensor(lane string) gate.Sensor { return directSensor{b, lane} }

type directSensor struct {
	board *Board
	lane  string
}

func (s directSensor) Passing() (bool, error) { return s.board.passing(s.lane) }

func (s directSensor) Close() error { return nil }

// DialSensor gives the passage contact of a lane on the board that listens at path.
func DialSensor(path, lane string) (gate.Sensor, error) {
	w := &wire{path: path, lane: lane, output: Passage}
	if err := w.connect(); err != nil {
		return nil, unreachable(err)
	}
	return remoteSensor{w}, nil
}

type remoteSensor struct{ wire *wire }

func (s remoteSensor) Passing() (bool, error) {
	rep, err := s.wire.ask(request{Lane: s.wire.lane, Output: Passage})
	return rep.Active, err
}

func (s remoteSensor) Close() error { return s.wire.close() }
