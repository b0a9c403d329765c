// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet_test

import (
	"testing"
	"time"

	"gatehouse/fleet"
)

func TestAnotherRoot(t *testing.T) {
	m := newModel(t)
	k := m.known()
	k.Pin = fleet.DigestOf([]byte("another"))
	m.refused(k, m.bundle(1), fleet.ErrRootMismatch)
	k.Pin = fleet.Digest{}
	m.refused(k, m.bundle(1), fleet.ErrRootMismatch)
	m.refused(m.known(), nil, fleet.ErrNoRoot)
	m.refused(m.known(), docs(m.docs["config arena"]), fleet.ErrNoRoot)

	thief := newModel(t)
	thief.keys["root"] = []fleet.SigningKey{key(t, "x"), key(t, "y")}
	other := thief.root(1, thief.keys["root"]...)
	_, known := m.open(m.known(), m.bundle(1))
	m.refused(known, docs(other), fleet.ErrRootMismatch)
	m.refused(m.known(), &fleet.Bundle{Documents: append(m.bundle(1).Documents, other)}, fleet.ErrRootMismatch)
}

func TestPinnedRootMustBeSigned(t *testing.T) {
	m := newModel(t)
	d := m.root(1, m.keys["root"][0])
	m.refused(m.known(), docs(d), fleet.ErrSignature)
}

func TestRootRotation(t *testing.T) {
	old := []fleet.SigningKey{key(t, "a"), key(t, "b"), key(t, "c")}
	fresh := []fleet.SigningKey{key(t, "d"), key(t, "e"), key(t, "f")}
	start := func(t *testing.T) (*model, fleet.Known) {
		m := newModel(t)
		_, k := m.open(m.known(), m.bundle(1))
		m.keys["root"] = fresh
		return m, k
	}
	both := append(old[:2:2], fresh[:2]...)
	t.Run("signed by both", func(t *testing.T) {
		m, k := start(t)
		m.root(2, both...)
		if u, _ := m.open(k, m.bundle(2)); versions(u)["root all"] != 2 {
			t.Errorf("in force %v", versions(u))
		}
	})
	t.Run("signed by one alone", func(t *testing.T) {
		for _, keys := range [][]fleet.SigningKey{old, fresh, append(old[:2:2], fresh[0]), append(fresh[:2:2], old[0])} {
			m, k := start(t)
			m.root(2, keys...)
			m.refused(k, m.bundle(2), fleet.ErrSignature)
		}
	})
	t.Run("twice in one bundle, pin unchanged", func(t *testing.T) {
		m, k := start(t)
		m.root(2, both...)
		m.root(3, fresh[1:]...)
		for _, known := range []fleet.Known{k, m.known()} {
			u, k := m.open(known, m.bundle(2))
			if versions(u)["root all"] != 3 || len(k.Documents) != 7 {
				t.Errorf("in force %v with %d documents", versions(u), len(k.Documents))
			}
		}
	})
	t.Run("a gap", func(t *testing.T) {
		m, k := start(t)
		m.root(3, both...)
		m.refused(k, docs(m.docs["root/3"]), fleet.ErrNoRoot)
	})
	t.Run("a fork", func(t *testing.T) {
		m, k := start(t)
		m.root(2, both...)
		_, k = m.open(k, m.bundle(2))
		m.keys["head"] = append(m.keys["head"], key(t, "g"))
		m.refused(k, docs(m.root(2, both...)), fleet.ErrConflict)
	})
	t.Run("rolled back", func(t *testing.T) {
		m, k := start(t)
		first := m.docs["root/1"]
		m.root(2, both...)
		_, k = m.open(k, m.bundle(2))
		k.Documents = nil
		delete(m.docs, "root/2")
		m.docs["root/newest"] = first
		m.refused(k, m.bundle(3), fleet.ErrOlder)
	})
	t.Run("the head names a root that is held back", func(t *testing.T) {
		m, k := start(t)
		m.root(2, both...)
		u, _ := m.open(k, docs(m.head(2, morning, m.entries())))
		if len(u.Terms().Incomplete) != 1 || versions(u)["head arena"] != 1 {
			t.Errorf("incomplete %v, in force %v", u.Terms().Incomplete, versions(u))
		}
	})
}

// A root that no longer allows what is in force comes together with what it allows, or not at all.
func TestRootThatDisowns(t *testing.T) {
	m := newModel(t)
	_, k := m.open(m.known(), m.bundle(1))
	m.keys["config"] = []fleet.SigningKey{key(t, "d"), key(t, "e"), key(t, "f")}
	m.root(2, m.keys["root"][:2]...)
	m.refused(k, m.bundle(2), fleet.ErrSignature)
	m.put(fleet.KindConfig, "arena", 2, m.layer("night ticket"))
	m.open(k, m.bundle(2))
}

// A thief with the head's key signs the highest sequence. A root with a new head key counts heads anew, and no other role.
func TestReplacedHeadKeyCountsAnew(t *testing.T) {
	m := newModel(t)
	m.put(fleet.KindConfig, "arena", 2, m.layer("night ticket"))
	_, k := m.open(m.known(), m.bundle(1))
	_, k = m.open(k, docs(m.head(1<<62, morning, m.entries())))
	m.refused(k, m.bundle(2), fleet.ErrOlder)

	thief := m.keys["head"]
	m.keys["head"] = []fleet.SigningKey{key(t, "new head")}
	m.root(2, m.keys["root"][:2]...)
	m.refused(k, docs(m.docs["root/2"]), fleet.ErrSignature) // nothing here that the new key signed
	u, after := m.open(k, m.bundle(2))
	if versions(u)["head arena"] != 2 {
		t.Errorf("in force %v", versions(u))
	}
	m.refused(after, docs(m.head(1<<62+1, morning, m.entries(), thief...)), fleet.ErrSignature)

	m.docs["config arena"] = newModel(t).docs["config arena"]
	m.refused(k, m.bundle(2), fleet.ErrOlder)
}

// A key that comes back brings back what it once signed, so nothing is counted anew for it.
func TestKeyThatComesBackCountsOn(t *testing.T) {
	m := newModel(t)
	first := m.keys["head"]
	_, k := m.open(m.known(), m.bundle(5))
	m.keys["head"] = []fleet.SigningKey{key(t, "second head")}
	m.root(2, m.keys["root"][:2]...)
	_, k = m.open(k, m.bundle(6))
	m.keys["head"] = first
	m.root(3, m.keys["root"][:2]...)
	m.refused(k, m.bundle(4), fleet.ErrOlder)
	m.open(k, m.bundle(7))
}

// A role whose keys stay the same in part, enough to sign, goes on counting.
func TestOneLostKeyCountsOn(t *testing.T) {
	m := newModel(t)
	_, k := m.open(m.known(), m.bundle(1))
	old := m.docs["config arena"]
	m.put(fleet.KindConfig, "arena", 2, m.layer("night ticket"))
	_, k = m.open(k, m.bundle(2))
	m.keys["config"] = []fleet.SigningKey{m.keys["config"][0], m.keys["config"][1], key(t, "in place of c")}
	m.root(2, m.keys["root"][:2]...)
	m.docs["config arena"] = old
	m.refused(k, m.bundle(3), fleet.ErrOlder)
}

func TestValidityOfKeysAndRoot(t *testing.T) {
	sign := func(t *testing.T, change func(*fleet.Root), head time.Time) (*model, *fleet.Bundle) {
		m := newModel(t)
		r := m.rootBody()
		change(r)
		d := m.sign(fleet.KindRoot, "all", 1, morning, r, m.keys["root"][:2]...)
		m.docs["root/1"], m.docs["root/newest"] = d, d
		b := &fleet.Bundle{Documents: []fleet.Document{m.head(1, head, m.entries())}}
		for n, d := range m.docs {
			if n != "root/newest" {
				b.Documents = append(b.Documents, d)
			}
		}
		return m, b
	}
	headKey := func(r *fleet.Root) *fleet.RootKey {
		for i := range r.Keys {
			if string(r.Keys[i].Public) == string(key(t, "head").Public()) {
				return &r.Keys[i]
			}
		}
		t.Fatal("no head key")
		return nil
	}
	until := func(at time.Time) func(*fleet.Root) {
		return func(r *fleet.Root) { headKey(r).NotAfter = uint64(at.Unix()) }
	}
	m, b := sign(t, until(morning.Add(time.Hour)), morning)
	m.open(m.known(), b)
	m, b = sign(t, until(morning.Add(time.Hour)), morning.Add(2*time.Hour))
	m.refused(m.known(), b, fleet.ErrSignature)
	m, b = sign(t, func(r *fleet.Root) { headKey(r).NotBefore = uint64(morning.Add(time.Hour).Unix()) }, morning)
	m.refused(m.known(), b, fleet.ErrSignature)
	m, b = sign(t, func(r *fleet.Root) { r.NotAfter = uint64(morning.Add(time.Hour).Unix()) }, morning.Add(2*time.Hour))
	m.refused(m.known(), b, fleet.ErrSignature)
}

func TestMalformedRoots(t *testing.T) {
	for name, change := range map[string]func(*fleet.Root){
		"a role is missing":      func(r *fleet.Root) { delete(r.Roles, "config") },
		"threshold 0":            func(r *fleet.Root) { r.Roles["head"] = fleet.Role{Keys: r.Roles["head"].Keys} },
		"threshold out of reach": func(r *fleet.Root) { r.Roles["head"] = fleet.Role{Keys: r.Roles["head"].Keys, Threshold: 2} },
		"a key twice":            func(r *fleet.Root) { r.Keys = append(r.Keys, r.Keys[0]) },
		"a key twice under a role": func(r *fleet.Root) {
			k := r.Roles["head"].Keys[0]
			r.Roles["head"] = fleet.Role{Keys: []fleet.KeyID{k, k}, Threshold: 2}
		},
		"a key that is not there":  func(r *fleet.Root) { r.Keys = r.Keys[1:] },
		"a key of another size":    func(r *fleet.Root) { r.Keys[0].Public = r.Keys[0].Public[1:] },
		"ends before it begins":    func(r *fleet.Root) { r.NotAfter = r.NotBefore - 1 },
		"ends after the year 9999": func(r *fleet.Root) { r.NotAfter = 1 << 60 },
	} {
		t.Run(name, func(t *testing.T) {
			m := newModel(t)
			r := m.rootBody()
			change(r)
			d := m.sign(fleet.KindRoot, "all", 1, morning, r, m.keys["root"]...)
			m.docs["root/1"] = d
			m.refused(m.known(), docs(d), fleet.ErrMalformed)
		})
	}
}
