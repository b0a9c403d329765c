// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// journal takes the kiosk's log, keeps it in a file, and gives those lines to the story that tell what the kiosk did.
type journal struct {
	mu    sync.Mutex
	file  *os.File
	half  []byte // of a line
	lines []line
	more  chan struct{} // holds one
}

// line is one of the log's, as far as the story looks at it.
type line struct {
	Message string `json:"msg"` // scan, passage or way out
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
	Event   uint64 `json:"event"` // 0: it could not be recorded
	Stale   bool   `json:"stale"`
	Outage  bool   `json:"outage"`
	Passage string `json:"passage"`
	What    string `json:"what"`
}

func newJournal(path string) (*journal, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return &journal{file: f, more: make(chan struct{}, 1)}, err
}

// Write implements io.Writer for the kiosk's standard error.
func (j *journal) Write(text []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.half = append(j.half, text...)
	for {
		whole, rest, ok := bytes.Cut(j.half, []byte("\n"))
		if !ok {
			break
		}
		var l line
		if json.Unmarshal(whole, &l) == nil && (l.Message == "scan" || l.Message == "passage" || l.Message == "way out") {
			j.lines = append(j.lines, l)
			select {
			case j.more <- struct{}{}:
			default:
			}
		}
		j.half = rest
	}
	return j.file.Write(text)
}

var errSilent = errors.New("the kiosk's log does not tell of it")

// next waits for the next line, which is of a kind.
func (j *journal) next(ctx context.Context, message string) (l line, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		if l, ok := j.take(); ok {
			if l.Message != message {
				return l, fmt.Errorf("the kiosk tells of a %s (%s%s%s) where the script has a %s", l.Message, l.Reason, l.Passage, l.What, message)
			}
			return l, nil
		}
		select {
		case <-j.more:
		case <-ctx.Done():
			return l, fmt.Errorf("a %s: %w: %w", message, errSilent, context.Cause(ctx))
		}
	}
}

// take takes a line, if there is one.
func (j *journal) take() (l line, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.lines) == 0 {
		return l, false
	}
	l, j.lines = j.lines[0], j.lines[1:]
	return l, true
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	return j.file.Close()
}
