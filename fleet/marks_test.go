// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet_test

import (
	"testing"

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
