// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet_test

import (
	"testing"
	"time"

	"gatehouse/entry"
	"gatehouse/fleet"
)

// signHead signs a head with these bands, counted from its signed time.
func (m *model) signHead(sequence uint64, at time.Time, fresh, hard time.Duration) fleet.Document {
	m.tb.Helper()
	return m.sign(fleet.KindHead, "arena", sequence, at, &fleet.Head{
		FreshUntil: uint64(at.Add(fresh).Unix()), HardAfter: uint64(at.Add(hard).Unix()), Documents: m.entries(),
	}, m.keys["head"]...)
}

func (m *model) putPolicy(scope fleet.Scope, version uint64, p *entry.Policy, keys ...string) {
	m.tb.Helper()
	l, err := fleet.LayerOf(p, keys...)
	if err != nil {
		m.tb.Fatal(err)
	}
	m.put(fleet.KindConfig, scope, version, l)
}

func wantBands(t *testing.T, got entry.Bands, signed time.Time, fresh, hard time.Duration) {
	t.Helper()
	want := entry.Bands{Signed: signed, FreshUntil: signed.Add(fresh), HardAfter: signed.Add(hard)}
	if got != want {
		t.Errorf("bands %v, want %v", got, want)
	}
}

// A thief with the head's key signs a head that is fresh for a century and holds all others back: the config, which
// takes two offline keys, bounds what that is worth.
func TestStolenHeadKeyCannotFreezeTheVenue(t *testing.T) {
	const day = 24 * time.Hour
	m := newModel(t)
	_, k := m.open(m.known(), m.bundle(1))
	at := morning.Add(10 * time.Minute)
	u, _ := m.open(k, docs(m.signHead(2, at, 36500*day, 36500*day)))
	wantBands(t, u.Terms().Bands(""), at, entry.DefaultMaxFresh, entry.DefaultMaxHard)

	for _, c := range []struct {
		name        string
		fresh, hard time.Duration // in the config
		want        [2]time.Duration
	}{
		{"more, for a kiosk that is only brought bundles", 30 * day, 60 * day, [2]time.Duration{30 * day, 60 * day}},
		{"less", time.Hour, 2 * time.Hour, [2]time.Duration{time.Hour, 2 * time.Hour}},
		{"a short hard band alone", 0, time.Hour, [2]time.Duration{time.Hour, time.Hour}},
		{"a long fresh band alone", 10 * day, 0, [2]time.Duration{10 * day, 10 * day}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newModel(t)
			p := policy("day ticket")
			p.MaxFresh, p.MaxHard = entry.Duration(c.fresh), entry.Duration(c.hard)
			m.putPolicy("arena", 2, p, "accept", "max_fresh", "max_hard")
			_, k := m.open(m.known(), m.bundle(1))
			u, _ := m.open(k, docs(m.signHead(2, at, 36500*day, 36500*day)))
			wantBands(t, u.Terms().Bands(""), at, c.want[0], c.want[1])
			u, _ = m.open(k, docs(m.signHead(2, at, time.Minute, 2*time.Minute)))
			wantBands(t, u.Terms().Bands(""), at, time.Minute, 2*time.Minute) // a cap is no promise
		})
	}
}

// A cap in a layer whose newer version has not arrived is that of the version in force.
func TestCapOfTheConfigInForce(t *testing.T) {
	m := newModel(t)
	_, k := m.open(m.known(), m.bundle(1))
	p := policy("day ticket")
	p.MaxHard = entry.Duration(365 * 24 * time.Hour)
	m.putPolicy("arena", 2, p, "accept", "max_hard")
	u, _ := m.open(k, docs(m.signHead(2, morning.Add(time.Hour), time.Hour, 365*24*time.Hour)))
	wantBands(t, u.Terms().Bands(""), morning.Add(time.Minute), time.Hour, 24*time.Hour)
}

// One issuer's new revocations have not arrived: what does not need them stays fresh, and only that issuer's passes
// are judged on older data.
func TestFreshnessPerDocument(t *testing.T) {
	m := newModel(t)
	m.put(fleet.RevocationsOf("guest"), "all", 1, fleet.RevocationList{})
	_, k := m.open(m.known(), m.bundle(1))
	first := morning.Add(time.Minute)

	list := m.put(fleet.RevocationsOf("arena"), "all", 2, fleet.RevocationList{Deltas: []fleet.Delta{{Add: make([]byte, 8)}}})
	second := morning.Add(30 * time.Minute)
	u, k := m.open(k, docs(m.head(2, second, m.entries())))
	for range 2 {
		if versions(u)["revocations/arena all"] != 1 || len(u.Terms().Incomplete) != 1 {
			t.Fatalf("in force %v, incomplete %v", versions(u), u.Terms().Incomplete)
		}
		wantBands(t, u.Terms().Bands(""), second, time.Hour, 24*time.Hour)
		wantBands(t, u.Terms().Bands("guest"), second, time.Hour, 24*time.Hour)
		wantBands(t, u.Terms().Bands("arena"), first, time.Hour, 24*time.Hour)
		u, _ = m.open(k, nil) // the same from the store
	}

	// A third head names a config that is missing as well: the second still speaks for the old one.
	config := m.put(fleet.KindConfig, "arena", 2, m.layer("night ticket"))
	third := morning.Add(40 * time.Minute)
	u, k = m.open(k, docs(m.head(3, third, m.entries())))
	wantBands(t, u.Terms().Bands(""), second, time.Hour, 24*time.Hour)
	wantBands(t, u.Terms().Bands("arena"), first, time.Hour, 24*time.Hour)
	if b, ok := u.Terms().Lists["guest"]; ok {
		t.Errorf("a list that is newer than the config binds: %v", b)
	}

	// Every further head renews what it can, and what is kept does not grow.
	kept := len(k.Documents)
	for n := uint64(4); n < 20; n++ {
		third = third.Add(time.Minute)
		u, k = m.open(k, docs(m.head(n, third, m.entries())))
		if len(k.Documents) > kept+1 {
			t.Fatalf("%d documents are kept, %d were", len(k.Documents), kept)
		}
	}
	wantBands(t, u.Terms().Bands(""), second, time.Hour, 24*time.Hour)

	u, _ = m.open(k, docs(list, config))
	if u.Terms().Incomplete != nil || u.Terms().Lists != nil || versions(u)["config arena"] != 2 {
		t.Errorf("in force %v, incomplete %v, lists %v", versions(u), u.Terms().Incomplete, u.Terms().Lists)
	}
	wantBands(t, u.Terms().Bands("arena"), third, time.Hour, 24*time.Hour)
}

// A root, a trust list or a config that has not arrived holds everything back, an issuer's list that issuer alone.
func TestWhatEveryDecisionNeeds(t *testing.T) {
	second := morning.Add(30 * time.Minute)
	for name, change := range map[string]func(*model){
		"root":    func(m *model) { m.root(2, m.keys["root"][:2]...) },
		"issuers": func(m *model) { m.put(fleet.KindIssuers, "all", 2, m.issuers()) },
		"config":  func(m *model) { m.put(fleet.KindConfig, "arena", 2, m.layer("night ticket")) },
		"kiosk":   func(m *model) { m.put(fleet.KindConfig, "arena/gate-1", 1, fleet.Layer{}) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newModel(t)
			_, k := m.open(m.known(), m.bundle(1))
			change(m)
			u, _ := m.open(k, docs(m.head(2, second, m.entries())))
			wantBands(t, u.Terms().Bands(""), morning.Add(time.Minute), time.Hour, 24*time.Hour)
		})
	}
}

// A root that comes before the head that names it is vouched for by the head that named its predecessor.
func TestNewRootAloneKeepsTheBands(t *testing.T) {
	m := newModel(t)
	_, k := m.open(m.known(), m.bundle(1))
	u, _ := m.open(k, docs(m.root(2, m.keys["root"][:2]...)))
	if versions(u)["root all"] != 2 {
		t.Fatalf("in force %v", versions(u))
	}
	wantBands(t, u.Terms().Bands(""), morning.Add(time.Minute), time.Hour, 24*time.Hour)
}
