// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	mostLog  = 1 << 20     // bytes of lines that wait for the log's reader
	lastLine = time.Second // how long what waits is tried at the end
)

// logWriter is a log that never makes anybody wait: whoever reads standard error may be stopped, and a lane that logs a
// scan must go on. Lines wait in a queue for one goroutine. When the queue is full, lines are dropped until all that
// waited is written; how many, the log says then.
type logWriter struct {
	out  io.Writer
	most int

	mu      sync.Mutex
	lines   [][]byte
	size    int    // of lines, in bytes
	dropped uint64 // since it was told last; lines are taken again once that is 0
	closed  bool

	wake chan struct{} // holds one
	done chan struct{} // closed when the goroutine has ended
}

// newLogWriter starts the writer; end stops it. most bounds the lines that wait, in bytes.
func newLogWriter(out io.Writer, most int) *logWriter {
	w := &logWriter{out: out, most: most, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		w.run()
	}()
	return w
}

// Write takes one line, or drops it. It never fails and never waits for the reader.
func (w *logWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.dropped > 0 || w.size+len(line) > w.most {
		w.dropped++
		return len(line), nil
	}
	w.lines = append(w.lines, bytes.Clone(line))
	w.size += len(line)
	w.nudge()
	return len(line), nil
}

func (w *logWriter) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run writes until the log is closed and all is written. A line that cannot be written is lost: there is no other place
// to say so.
func (w *logWriter) run() {
	told := slog.New(slog.NewTextHandler(w.out, nil))
	for {
		line, dropped, closed := w.next()
		switch {
		case line != nil:
			_, _ = w.out.Write(line)
		case dropped > 0:
			told.Warn("log lines dropped", "count", dropped)
		case closed:
			return
		default:
			<-w.wake
		}
	}
}

// next takes the oldest line, or, when there is none, how many were dropped after it.
func (w *logWriter) next() (line []byte, dropped uint64, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.lines) == 0 {
		dropped, w.dropped = w.dropped, 0
		return nil, dropped, w.closed
	}
	line = w.lines[0]
	w.lines, w.size = w.lines[1:], w.size-len(line)
	return line, 0, w.closed
}

// end takes no more lines and waits until all is written, for lastLine at most: a reader that is stopped keeps the
// goroutine in its write, and only the end of the process takes it out.
func (w *logWriter) end() {
	w.mu.Lock()
	w.closed = true
	w.nudge()
	w.mu.Unlock()
	late := time.NewTimer(lastLine)
	defer late.Stop()
	select {
	case <-w.done:
	case <-late.C:
	}
}
