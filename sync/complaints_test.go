// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gatehouse/fleet"
)

// Whatever a broker sends, on whichever topics and connections, the log has a few lines of it.
func TestRubbishFillsNoLog(t *testing.T) {
	var log bytes.Buffer
	c := New(Config{Place: fleet.Place{Venue: "arena", Kiosk: "gate-1"}, Log: slog.New(slog.NewTextHandler(&log, nil))}, nil, nil, nil, nil)
	for range 20 {
		s := newSession(c)
		for range 500 {
			s.inbox.put(RootTopic(), []byte("rubbish"))
			s.inbox.put(DocumentTopic(fleet.KindHead, "arena"), []byte("rubbish"))
		}
	}
	if n := strings.Count(log.String(), "\n"); n == 0 || n > 2*mostComplaints {
		t.Errorf("%d lines in the log", n)
	}
}

func TestComplaintsComeAgainAndSayWhatWasKeptBack(t *testing.T) {
	var c complaints
	now := time.Unix(1777622400, 0)
	for i := range 25 {
		if _, ok := c.due(now); ok != (i < mostComplaints) {
			t.Errorf("complaint %d said: %v", i, ok)
		}
	}
	if kept, ok := c.due(now.Add(complaintSpan)); !ok || kept != 15 {
		t.Errorf("after a span: %v, %d kept back", ok, kept)
	}
	if kept, ok := c.due(now.Add(complaintSpan)); !ok || kept != 0 {
		t.Errorf("and then: %v, %d kept back", ok, kept)
	}
}
