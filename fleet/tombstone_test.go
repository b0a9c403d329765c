// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet_test

import (
	"errors"
	"slices"
	"testing"

	"gatehouse/fleet"
)

// withGuest is a fleet with a second issuer that has a list, and a kiosk with a layer of its own.
func withGuest(t *testing.T, revocable bool) *model {
	m := newModel(t)
	m.putIssuers(1, revocable, true)
	m.put(fleet.RevocationsOf("guest"), "all", 1, fleet.RevocationList{})
	p := policy("gate's own")
	m.putPolicy("arena/gate-1", 1, p, "accept")
	return m
}

func (m *model) putIssuers(version uint64, revocable, guest bool) {
	m.tb.Helper()
	list := m.issuers()
	if guest {
		list.Issuers = append(list.Issuers, fleet.Issuer{Name: "guest", Revocable: revocable, Keys: []fleet.IssuerKey{m.issuerKey("guest")}})
	}
	m.put(fleet.KindIssuers, "all", version, list)
}

func TestTombstoneEndsAList(t *testing.T) {
	m := withGuest(t, true)
	_, k := m.open(m.known(), m.bundle(1))
	m.putIssuers(2, false, false)
	m.put(fleet.RevocationsOf("guest"), "all", 2, fleet.Tombstone{})
	u, k := m.open(k, m.bundle(2))
	if r := u.Revocations(); len(r) != 1 || r[0].Issuer != "arena" {
		t.Errorf("revocations %+v", r)
	}
	if !slices.Contains(u.Changed(), "revocations/guest of all, version 2 (withdrawn)") || versions(u)["revocations/guest all"] != 2 {
		t.Errorf("changed %v, in force %v", u.Changed(), versions(u))
	}
	if u, _ = m.open(k, nil); len(u.Revocations()) != 1 {
		t.Errorf("from the store: %+v", u.Revocations())
	}

	// The head's key alone cannot make it forgotten, nor bring back what was before.
	tomb := m.docs["revocations/guest all"]
	delete(m.docs, "revocations/guest all")
	m.refused(k, docs(m.head(3, morning, m.entries())), fleet.ErrWithheld)
	m.put(fleet.RevocationsOf("guest"), "all", 1, fleet.RevocationList{})
	m.refused(k, m.bundle(3), fleet.ErrOlder)
	m.put(fleet.RevocationsOf("guest"), "all", 2, fleet.RevocationList{})
	m.refused(k, m.bundle(3), fleet.ErrConflict)
	m.docs["revocations/guest all"] = tomb
	_, k = m.open(k, m.bundle(3))

	// Versions count on.
	m.putIssuers(3, true, true)
	m.put(fleet.RevocationsOf("guest"), "all", 3, fleet.RevocationList{})
	if u, _ = m.open(k, m.bundle(4)); len(u.Revocations()) != 2 || versions(u)["revocations/guest all"] != 3 {
		t.Errorf("revocations %+v, in force %v", u.Revocations(), versions(u))
	}
}

func TestTombstoneOfAListThatMustBeThere(t *testing.T) {
	m := withGuest(t, true)
	_, k := m.open(m.known(), m.bundle(1))
	m.put(fleet.RevocationsOf("guest"), "all", 2, fleet.Tombstone{})
	m.refused(k, m.bundle(2), fleet.ErrWithheld)
	m.refused(m.known(), m.bundle(2), fleet.ErrWithheld)

	m.putIssuers(2, false, true) // still listed, and two offline keys say that it needs no list
	if u, _ := m.open(k, m.bundle(2)); len(u.Revocations()) != 1 || len(u.Keys()) != 2 {
		t.Errorf("revocations %+v, %d keys", u.Revocations(), len(u.Keys()))
	}
}

func TestTombstoneIsSignedByWhatItEnds(t *testing.T) {
	m := withGuest(t, false)
	_, k := m.open(m.known(), m.bundle(1))
	for n, kind := range map[string]fleet.Kind{"revocations/guest all": fleet.RevocationsOf("guest"), "config arena/gate-1": fleet.KindConfig} {
		former := m.docs[n]
		for _, keys := range [][]fleet.SigningKey{m.keys["head"], m.keys["root"][:1], nil} {
			m.docs[n] = m.sign(kind, former.Scope(), 2, morning, fleet.Tombstone{}, keys...)
			m.refused(k, m.bundle(2), fleet.ErrSignature)
		}
		m.docs[n] = former
	}
}

func TestTombstoneEndsALayer(t *testing.T) {
	m := withGuest(t, false)
	u, k := m.open(m.known(), m.bundle(1))
	if u.Terms().Policy.Accept[0].Name != "gate's own" {
		t.Fatalf("policy %+v", u.Terms().Policy)
	}
	m.put(fleet.KindConfig, "arena/gate-1", 2, fleet.Tombstone{})
	u, k = m.open(k, m.bundle(2))
	if u.Terms().Policy.Accept[0].Name != "day ticket" || versions(u)["config arena/gate-1"] != 2 {
		t.Errorf("policy %+v, in force %v", u.Terms().Policy, versions(u))
	}
	m.put(fleet.KindConfig, "arena", 2, fleet.Tombstone{}) // the last one
	m.refused(k, m.bundle(3), fleet.ErrWithheld)
	m.putPolicy("all", 1, policy("fleet's"), "accept")
	if u, _ = m.open(k, m.bundle(3)); u.Terms().Policy.Accept[0].Name != "fleet's" {
		t.Errorf("policy %+v", u.Terms().Policy)
	}
}

// A tombstone on its way does not end anything yet.
func TestTombstoneThatHasNotArrived(t *testing.T) {
	m := withGuest(t, false)
	_, k := m.open(m.known(), m.bundle(1))
	tomb := m.put(fleet.RevocationsOf("guest"), "all", 2, fleet.Tombstone{})
	u, k := m.open(k, docs(m.head(2, morning.Add(2), m.entries())))
	if len(u.Revocations()) != 2 || len(u.Terms().Incomplete) != 1 {
		t.Errorf("revocations %+v, incomplete %v", u.Revocations(), u.Terms().Incomplete)
	}
	if u, _ = m.open(k, docs(tomb)); len(u.Revocations()) != 1 {
		t.Errorf("revocations %+v", u.Revocations())
	}
}

func TestWhatCannotBeWithdrawn(t *testing.T) {
	for kind, scope := range map[fleet.Kind]fleet.Scope{fleet.KindRoot: "all", fleet.KindIssuers: "all", fleet.KindHead: "arena"} {
		if _, err := fleet.Sign(kind, scope, 1, morning, fleet.Tombstone{}); !errors.Is(err, fleet.ErrKind) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	m := newModel(t)
	_, k := m.open(m.known(), m.bundle(1))
	for _, body := range []any{map[string]any{"withdrawn": false}, map[string]any{"withdrawn": true, "accept": []any{}}, map[string]any{"withdrawn": "yes"}} {
		m.put(fleet.KindConfig, "arena", 2, body)
		m.refused(k, m.bundle(2), fleet.ErrUnsupported)
	}
}
