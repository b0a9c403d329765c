// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"sync"
	"time"
)

// complaints bounds how often the log says that a message was left: a broker may send nothing but rubbish, and what the log
// writes wears a card out and pushes out what somebody will look for.
type complaints struct {
	mu    sync.Mutex
	since time.Time // when the span began
	said  int       // in it
	kept  int       // that were not said
}

const (
	complaintSpan  = time.Minute
	mostComplaints = 10 // in a span
)

// due tells whether to say one now, and how many were kept back before it.
func (c *complaints) due(now time.Time) (kept int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.since) >= complaintSpan {
		c.since, c.said = now, 0
	}
	if c.said == mostComplaints {
		c.kept++
		return 0, false
	}
	c.said++
	kept, c.kept = c.kept, 0
	return kept, true
}
