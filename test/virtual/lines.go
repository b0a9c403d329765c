// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// ErrOff is returned to whoever waits for something of a machine that is off,
// or goes off meanwhile.
var ErrOff = errors.New("virtual: the machine is off")

// pollEvery is the pause between two readings of the lines. A reading holds
// the emulator's big lock, so reading without pause would slow the guest down.
const pollEvery = 2 * time.Millisecond

// An Edge is one line's change of level, as seen from outside.
type Edge struct {
	Line int
	High bool
	// At is when the new level was read; the change came at most Within before.
	At     time.Time
	Within time.Duration
}

// Lines records every change of the lines from before the guest's first
// instruction until the machine is off.
type Lines struct {
	names [LineCount]string

	mu     sync.Mutex
	now    Levels
	read   time.Time
	reads  int
	edges  []Edge
	end    error         // why the reading ended, once it has
	change chan struct{} // closed and made anew at every change
}

func newLines(names [LineCount]string) *Lines {
	return &Lines{names: names, change: make(chan struct{})}
}

// Number is the offset of a named line. It panics where there is none: that
// is a mistake in the test.
func (l *Lines) Number(name string) int {
	n := slices.Index(l.names[:], name)
	if n < 0 || name == "" {
		panic(fmt.Sprintf("virtual: no line is named %q", name))
	}
	return n
}

// Levels are those of the last reading.
func (l *Lines) Levels() Levels {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

// Reads tells how often the lines have been read.
func (l *Lines) Reads() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reads
}

// Edges gives the changes seen at or after a time, in their order. Those of
// one reading are in the order of the lines.
func (l *Lines) Edges(since time.Time) []Edge {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.since(since)
}

// Moved names the lines that changed at or after a time, each once, sorted; an
// unnamed one as line0 to line7.
func (l *Lines) Moved(since time.Time) []string {
	var names []string
	for _, e := range l.Edges(since) {
		name := l.names[e.Line]
		if name == "" {
			name = fmt.Sprintf("line%d", e.Line)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// WaitEdge waits for a change of the named line to that level at or after a
// time. It also finds one that came before the call.
func (l *Lines) WaitEdge(ctx context.Context, name string, high bool, since time.Time) (Edge, error) {
	line := l.Number(name)
	for {
		l.mu.Lock()
		edges, change, end := l.since(since), l.change, l.end
		l.mu.Unlock()
		for _, e := range edges {
			if e.Line == line && e.High == high {
				return e, nil
			}
		}
		if end != nil {
			return Edge{}, fmt.Errorf("%w: line %s did not go %s: %w", ErrOff, name, level(high), end)
		}
		select {
		case <-ctx.Done():
			return Edge{}, fmt.Errorf("virtual: line %s did not go %s: %w", name, level(high), ctx.Err())
		case <-change:
		}
	}
}

// WaitLevel waits until the named line is at that level, which it may be already.
func (l *Lines) WaitLevel(ctx context.Context, name string, high bool) error {
	line := l.Number(name)
	for {
		l.mu.Lock()
		now, change, end := l.now, l.change, l.end
		l.mu.Unlock()
		if now.Line(line) == high {
			return nil
		}
		if end != nil {
			return fmt.Errorf("%w: line %s is not %s: %w", ErrOff, name, level(high), end)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("virtual: line %s is not %s: %w", name, level(high), ctx.Err())
		case <-change:
		}
	}
}

func level(high bool) string {
	if high {
		return "high"
	}
	return "low"
}

func (l *Lines) since(t time.Time) []Edge {
	first := slices.IndexFunc(l.edges, func(e Edge) bool { return !e.At.Before(t) })
	if first < 0 {
		return nil
	}
	return slices.Clone(l.edges[first:])
}

// watch reads the lines until the emulator is gone.
func (l *Lines) watch(m *monitor) {
	pause := time.NewTicker(pollEvery)
	defer pause.Stop()
	err := l.poll(m)
	for err == nil {
		<-pause.C
		err = l.poll(m)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end = err
	close(l.change)
	l.change = make(chan struct{})
}

func (l *Lines) poll(m *monitor) error {
	text, err := m.command(readLines)
	if err != nil {
		return err
	}
	levels, err := parseLevels(text)
	if err != nil {
		return err
	}
	l.take(levels, time.Now())
	return nil
}

// take records one reading. The first gives the levels at power-on, no edges.
func (l *Lines) take(levels Levels, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	changed := levels.High ^ l.now.High
	if l.reads == 0 {
		changed = 0
	}
	for line := range LineCount {
		if changed>>line&1 == 1 {
			l.edges = append(l.edges, Edge{Line: line, High: levels.Line(line), At: at, Within: at.Sub(l.read)})
		}
	}
	l.reads++
	same := l.now == levels && l.reads > 1
	l.now, l.read = levels, at
	if !same {
		close(l.change)
		l.change = make(chan struct{})
	}
}
