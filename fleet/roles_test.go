// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet_test

import (
	"errors"
	"math"
	"testing"

	"gatehouse/fleet"
)

// A root names the keys of commands and of collectors, and these keys sign no document whatever.
func TestCommandAndCollectorSignNoDocument(t *testing.T) {
	for _, role := range []string{fleet.RoleCommand, fleet.RoleCollector} {
		m := newModel(t)
		k := key(t, role)
		body := m.rootBody()
		body.Keys = append(body.Keys, fleet.RootKey{Public: k.Public()})
		body.Roles[role] = fleet.Role{Keys: []fleet.KeyID{k.ID()}, Threshold: 1}
		root := m.sign(fleet.KindRoot, "all", 1, morning, body, m.keys["root"][:2]...)
		m.docs["root/1"], m.docs["root/newest"] = root, root
		u, known := m.open(m.known(), m.bundle(1))
		if r, ok := u.Root().Roles[role]; !ok || len(r.Keys) != 1 {
			t.Fatalf("%s: roles %v", role, u.Root().Roles)
		}
		m.refused(known, docs(m.head(2, morning, m.entries(), k)), fleet.ErrSignature)
		m.refused(known, docs(m.sign(fleet.KindRoot, "all", 2, morning, body, k, m.keys["root"][0])), fleet.ErrSignature)
		for n, change := range map[string]func() fleet.Document{
			"issuers all": func() fleet.Document { return m.sign(fleet.KindIssuers, "all", 2, morning, m.issuers(), k, k) },
			"config arena": func() fleet.Document {
				return m.sign(fleet.KindConfig, "arena", 2, morning, m.layer("x"), k, m.keys["config"][0])
			},
			"revocations/arena all": func() fleet.Document {
				return m.sign(fleet.RevocationsOf("arena"), "all", 2, morning, fleet.RevocationList{}, k)
			},
		} {
			former := m.docs[n]
			m.docs[n] = change()
			m.refused(known, m.bundle(2), fleet.ErrSignature)
			m.docs[n] = former
		}
		if _, err := fleet.Sign(fleet.Kind(role), "all", 1, morning, fleet.Layer{}, k); !errors.Is(err, fleet.ErrKind) {
			t.Errorf("a document of kind %s: %v", role, err)
		}
	}
}

// The highest sequence that there is does not lock a kiosk for ever: a root with another head key begins at 1 again.
func TestFastForwardIsUndoneByANewHeadKey(t *testing.T) {
	m := newModel(t)
	_, k := m.open(m.known(), m.bundle(1))
	if _, err := fleet.Sign(fleet.KindHead, "arena", 1<<63, morning, &fleet.Head{}, m.keys["head"]...); !errors.Is(err, fleet.ErrMalformed) {
		t.Errorf("version 2^63: %v", err)
	}
	_, k = m.open(k, docs(m.head(math.MaxInt64, morning, m.entries())))
	m.refused(k, m.bundle(2), fleet.ErrOlder)

	thief := m.keys["head"]
	m.keys["head"] = []fleet.SigningKey{key(t, "second head")}
	m.root(2, m.keys["root"][:2]...)
	u, k := m.open(k, m.bundle(1))
	if versions(u)["head arena"] != 1 || versions(u)["root all"] != 2 {
		t.Errorf("in force %v", versions(u))
	}
	m.refused(k, docs(m.head(math.MaxInt64, morning, m.entries(), thief...)), fleet.ErrSignature)
	m.open(k, m.bundle(2))
}
