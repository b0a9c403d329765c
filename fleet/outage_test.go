// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet_test

import (
	"errors"
	"testing"
	"time"

	"gatehouse/fleet"
)

// headDown is the next head, which calls issuers down.
func (m *model) headDown(sequence uint64, entries []fleet.Entry, down map[string]uint64) fleet.Document {
	m.tb.Helper()
	at := morning.Add(time.Duration(sequence) * time.Minute)
	return m.sign(fleet.KindHead, "arena", sequence, at, &fleet.Head{
		FreshUntil: uint64(at.Add(time.Hour).Unix()), HardAfter: uint64(at.Add(24 * time.Hour).Unix()), Documents: entries, Down: down,
	}, m.keys["head"]...)
}

// What a head says of outages counts with the head itself, also while documents that it names are on their way.
func TestOutagesAreThoseOfTheNewestHead(t *testing.T) {
	m := newModel(t)
	u, known := m.open(m.known(), m.bundle(1))
	if len(u.Terms().Down) != 0 {
		t.Errorf("down at first: %v", u.Terms().Down)
	}
	since := morning.Add(-time.Hour)
	u, known = m.open(known, docs(m.headDown(2, m.entries(), map[string]uint64{"arena": uint64(since.Unix())})))
	if got := u.Terms().Down; len(got) != 1 || !got["arena"].Equal(since) {
		t.Errorf("down %v", got)
	}
	if u, _ = m.open(known, nil); len(u.Terms().Down) != 1 {
		t.Error("forgotten at the next start")
	}
	m.put(fleet.KindConfig, "arena", 2, m.layer("evening ticket"))
	u, known = m.open(known, docs(m.headDown(3, m.entries(), nil)))
	if len(u.Terms().Incomplete) == 0 || len(u.Terms().Down) != 0 {
		t.Errorf("up again by a head that waits for %v: down %v", u.Terms().Incomplete, u.Terms().Down)
	}
	if u, _ = m.open(known, nil); len(u.Terms().Down) != 0 {
		t.Error("down again at the next start")
	}
}

func TestOutageThatCannotBe(t *testing.T) {
	m := newModel(t)
	signed := uint64(morning.Add(time.Minute).Unix())
	for name, down := range map[string]map[string]uint64{
		"no issuer's name": {"Arena": signed}, "no time": {"arena": 0}, "a time to come": {"arena": signed + 1},
	} {
		if _, err := fleet.ReadHead(m.headDown(1, m.entries(), down)); !errors.Is(err, fleet.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := fleet.ReadHead(m.headDown(1, m.entries(), map[string]uint64{"arena": signed})); err != nil {
		t.Error(err)
	}
}
