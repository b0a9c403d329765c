// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestLinesRecordEveryChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLines([LineCount]string{"relay0", "green0"})
		begin := time.Now()
		l.take(Levels{High: 4}, begin) // high at power-on is no change
		if moved := l.Moved(begin); moved != nil {
			t.Errorf("moved at power-on: %v", moved)
		}
		up := begin.Add(10 * time.Millisecond)
		l.take(Levels{High: 7, Outputs: 3}, up)
		down := up.Add(time.Second)
		l.take(Levels{High: 6, Outputs: 3}, down)

		want := []Edge{
			{Line: 0, High: true, At: up, Within: 10 * time.Millisecond},
			{Line: 1, High: true, At: up, Within: 10 * time.Millisecond},
			{Line: 0, High: false, At: down, Within: time.Second},
		}
		if got := l.Edges(begin); !slices.Equal(got, want) {
			t.Errorf("edges %+v, want %+v", got, want)
		}
		if moved := l.Moved(begin); !slices.Equal(moved, []string{"green0", "relay0"}) {
			t.Errorf("moved: %v", moved)
		}
		if moved := l.Moved(down); !slices.Equal(moved, []string{"relay0"}) {
			t.Errorf("moved since the pulse's end: %v", moved)
		}
		e, err := l.WaitEdge(t.Context(), "relay0", false, begin)
		if err != nil || e != want[2] {
			t.Errorf("the edge of before: %+v, %v", e, err)
		}
	})
}

func TestLinesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLines([LineCount]string{"relay0"})
		l.take(Levels{}, time.Now())
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.WaitEdge(short, "relay0", true, time.Now()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting in vain gave %v", err)
		}
		begin, waited := time.Now(), make(chan error)
		go func() { waited <- l.WaitLevel(t.Context(), "relay0", true) }()
		synctest.Wait()
		l.take(Levels{High: 1}, time.Now())
		if err := <-waited; err != nil {
			t.Error(err)
		}
		if err := l.WaitLevel(t.Context(), "relay0", true); err != nil {
			t.Errorf("a level that is there already: %v", err)
		}
		// The machine goes off while somebody waits.
		go func() {
			_, err := l.WaitEdge(t.Context(), "relay0", false, begin)
			waited <- err
		}()
		synctest.Wait()
		near, far := net.Pipe()
		near.Close()
		far.Close()
		l.watch(&monitor{conn: near})
		if err := <-waited; !errors.Is(err, ErrOff) {
			t.Errorf("a machine that went off gave %v", err)
		}
	})
}
