// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet_test

import (
	"slices"
	"testing"
	"time"

	"gatehouse/fleet"
)

// wiped is a kiosk that lost its documents and kept its floor.
func wiped(k fleet.Known) fleet.Known {
	return fleet.Known{Pin: k.Pin, Place: k.Place, Floor: k.Marks}
}

func TestWipedStateCannotBeRolledBack(t *testing.T) {
	m := newModel(t)
	old := m.bundle(1)
	m.put(fleet.KindConfig, "arena", 2, m.layer("night ticket"))
	m.put(fleet.RevocationsOf("arena"), "all", 2, fleet.RevocationList{})
	_, k := m.open(m.known(), m.bundle(2))
	k = wiped(k)

	m.refused(k, old, fleet.ErrOlder)
	whole := m.docs
	older := newModel(t).docs
	for _, n := range []string{"config arena", "revocations/arena all"} {
		m.docs = map[string]fleet.Document{}
		for name, d := range whole {
			m.docs[name] = d
		}
		m.docs[n] = older[n]
		m.refused(k, m.bundle(3), fleet.ErrOlder) // a newer head with one older document
		delete(m.docs, n)
		m.refused(k, m.bundle(3), fleet.ErrWithheld)
	}
	m.docs = whole
	m.open(k, m.bundle(2)) // the same again is no rollback
	u, _ := m.open(k, m.bundle(3))
	if v := versions(u)["config arena"]; v != 2 {
		t.Errorf("config version %d", v)
	}
}

func TestStoredStateThatWasPutBack(t *testing.T) {
	m := newModel(t)
	_, before := m.open(m.known(), m.bundle(1))
	_, k := m.open(before, m.bundle(2))
	before.Floor = k.Marks
	m.refused(before, nil, fleet.ErrOlder)
}

// The floor is written after the store: a power cut between the two leaves an older floor, and that is no rollback.
func TestFloorOlderThanTheStore(t *testing.T) {
	m := newModel(t)
	_, before := m.open(m.known(), m.bundle(1))
	_, k := m.open(before, m.bundle(2))
	k.Floor = before.Marks
	m.open(k, nil)
	m.refused(k, m.bundle(1), fleet.ErrOlder)
}

// A thief's version 2^62 in the floor binds no more once the root has replaced the key, even where the store has
// the new root and the floor was not written since.
func TestPoisonedFloorIsFreedByANewRoot(t *testing.T) {
	m := newModel(t)
	_, k := m.open(m.known(), m.bundle(1))
	_, poisoned := m.open(k, docs(m.head(1<<62, morning, m.entries())))
	m.keys["head"] = []fleet.SigningKey{key(t, "new head")}
	m.root(2, m.keys["root"][:2]...)

	m.open(wiped(poisoned), m.bundle(2))
	_, k = m.open(poisoned, m.bundle(2))
	k.Floor = poisoned.Marks
	m.open(k, nil)
	m.open(k, m.bundle(3))
	m.refused(k, m.bundle(1), fleet.ErrOlder)
}

func TestFloorOfAnotherPast(t *testing.T) {
	m := newModel(t)
	_, k := m.open(m.known(), m.bundle(1))
	m.put(fleet.KindConfig, "arena", 1, m.layer("another of the same version"))
	_, other := m.open(m.known(), m.bundle(1))
	k.Floor = other.Marks
	m.refused(k, nil, fleet.ErrConflict)
	m.refused(k, m.bundle(2), fleet.ErrConflict)
}

// A kiosk that is moved keeps what it knew of its former venue: the way there and back is no way to older documents.
func TestMarksOfAFormerPlaceStay(t *testing.T) {
	m := newModel(t)
	_, before := m.open(m.known(), m.bundle(1))
	old := m.bundle(1)
	m.put(fleet.KindConfig, "arena", 2, m.layer("night ticket"))
	_, k := m.open(before, m.bundle(2))

	k.Place = fleet.Place{Venue: "pool", Kiosk: "gate-1"}
	k = wiped(k) // stored documents of another venue are not believed
	pool := m.sign(fleet.KindConfig, "pool", 1, morning, m.layer("swimmer"), m.keys["config"][:2]...)
	named := []fleet.Document{m.docs["issuers all"], m.docs["revocations/arena all"], pool}
	entries := []fleet.Entry{fleet.EntryOf(m.docs["root/newest"])}
	for _, d := range named {
		entries = append(entries, fleet.EntryOf(d))
	}
	head := m.sign(fleet.KindHead, "pool", 1, morning, &fleet.Head{
		FreshUntil: uint64(morning.Add(time.Hour).Unix()), HardAfter: uint64(morning.Add(time.Hour).Unix()), Documents: entries,
	}, m.keys["head"]...)
	u, k := m.open(k, docs(append(named, m.docs["root/1"], head)...))
	if again, _ := m.open(k, nil); !slices.Equal(again.Marks(), u.Marks()) {
		t.Error("the marks are in another order the second time")
	}

	k.Place = place
	k = wiped(k)
	m.refused(k, old, fleet.ErrOlder)
	m.open(k, m.bundle(2))
}

// What heads said under replaced keys counts no more, whichever venue they were for: a kiosk may have been moved since.
func TestReplacedHeadKeyIsToldToAKioskThatWasMoved(t *testing.T) {
	m := newModel(t)
	_, k := m.open(m.known(), m.bundle(1))
	for i := range k.Marks {
		if k.Marks[i].Kind == fleet.KindHead {
			k.Marks[i].Scope = "pool"
		}
	}
	m.keys["head"] = []fleet.SigningKey{key(t, "new head")}
	m.root(2, m.keys["root"][:2]...)
	if u, _ := m.open(wiped(k), m.bundle(1)); u.HeadRoot() != 2 {
		t.Errorf("the heads' keys were replaced by root %d, want 2", u.HeadRoot())
	}
}
