// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"gatehouse/fleet"
)

func TestOpenWholeBundle(t *testing.T) {
	m := newModel(t)
	u, k := m.open(m.known(), m.bundle(1))
	if !u.Usable() || u.Terms().Venue != "arena" || u.Terms().Kiosk != "gate-1" || u.Terms().Policy.Accept[0].Name != "day ticket" {
		t.Errorf("terms %+v", u.Terms())
	}
	if len(u.Keys()) != 1 || u.Keys()[0].Issuer != "arena" || !slices.Equal(u.Issuers(), []string{"arena"}) {
		t.Errorf("keys %v of issuers %v", u.Keys(), u.Issuers())
	}
	if r := u.Revocations(); len(r) != 1 || r[0].Issuer != "arena" || r[0].Version != 1 || r[0].Base != nil {
		t.Errorf("revocations %+v", r)
	}
	want := map[string]uint64{"root all": 1, "head arena": 1, "issuers all": 1, "config arena": 1, "revocations/arena all": 1}
	if got := versions(u); !reflect.DeepEqual(got, want) {
		t.Errorf("versions %v, want %v", got, want)
	}
	if len(u.Changed()) != 5 || len(u.Documents()) != 5 || len(u.Marks()) != 5 {
		t.Errorf("%d changed, %d documents, %d marks; want 5 each", len(u.Changed()), len(u.Documents()), len(u.Marks()))
	}

	again, _ := m.open(k, m.bundle(1))
	if len(again.Changed()) != 0 {
		t.Errorf("the same bundle again changed %v", again.Changed())
	}
	stored, _ := m.open(k, nil)
	if !reflect.DeepEqual(stored.Terms(), u.Terms()) || len(stored.Changed()) != 0 {
		t.Errorf("from the store: %+v, changed %v", stored.Terms(), stored.Changed())
	}
}

func TestZeroUpdateSaysNothing(t *testing.T) {
	var u fleet.Update
	if u.Usable() || u.Documents() != nil || u.Marks() != nil || u.Keys() != nil || u.Terms() != nil || u.Revocations() != nil {
		t.Error("the zero Update says something")
	}
}

func TestHeadAloneRefreshes(t *testing.T) {
	m := newModel(t)
	_, k := m.open(m.known(), m.bundle(1))
	at := morning.Add(10 * time.Minute)
	u, k := m.open(k, docs(m.head(2, at, m.entries())))
	if !u.Terms().Signed.Equal(at) || !u.Terms().FreshUntil.Equal(at.Add(time.Hour)) {
		t.Errorf("bands %v %v", u.Terms().Signed, u.Terms().FreshUntil)
	}
	if want := []string{"head of arena, version 2"}; !slices.Equal(u.Changed(), want) {
		t.Errorf("changed %v, want %v", u.Changed(), want)
	}
	if n := len(k.Documents); n != 5 {
		t.Errorf("%d documents kept, want 5: the former head is of no use", n)
	}
}

// The bands that the newest complete head gives come out as they are, so that nobody who holds back newer heads can make
// old data look fresh.
func TestFreeze(t *testing.T) {
	m := newModel(t)
	u, k := m.open(m.known(), m.bundle(1))
	first := u.Terms()
	for range 3 {
		if u, k = m.open(k, m.bundle(1)); !u.Terms().FreshUntil.Equal(first.FreshUntil) || !u.Terms().HardAfter.Equal(first.HardAfter) {
			t.Fatal("the same head again moved the bands")
		}
	}
	if want := morning.Add(time.Minute + time.Hour); !first.FreshUntil.Equal(want) || !first.HardAfter.Equal(want.Add(23*time.Hour)) {
		t.Errorf("fresh until %v, hard after %v", first.FreshUntil, first.HardAfter)
	}

	// A fresh head whose documents do not come makes nothing fresh.
	old := m.docs["config arena"]
	next := m.put(fleet.KindConfig, "arena", 2, m.layer("night ticket"))
	head := m.head(2, morning.Add(30*time.Minute), m.entries())
	u, k = m.open(k, docs(head))
	if !u.Terms().FreshUntil.Equal(first.FreshUntil) || !u.Terms().Signed.Equal(first.Signed) {
		t.Error("a head without its documents moved the bands")
	}
	if want := []string{"config of arena, version 2"}; !slices.Equal(u.Terms().Incomplete, want) {
		t.Errorf("incomplete %v, want %v", u.Terms().Incomplete, want)
	}
	if versions(u)["config arena"] != 1 || versions(u)["head arena"] != 1 {
		t.Errorf("in force %v", versions(u))
	}
	if u, _ = m.open(k, nil); len(u.Terms().Incomplete) != 1 || len(u.Changed()) != 0 {
		t.Errorf("from the store: incomplete %v, changed %v", u.Terms().Incomplete, u.Changed())
	}
	m.refused(k, docs(m.head(1, morning, []fleet.Entry{fleet.EntryOf(old)})), fleet.ErrOlder)

	if u, _ = m.open(k, docs(next)); versions(u)["config arena"] != 2 || u.Terms().Incomplete != nil || !u.Terms().Signed.Equal(head.Issued()) {
		t.Errorf("the document came, and %v is in force, incomplete %v", versions(u), u.Terms().Incomplete)
	}
}

func TestRollback(t *testing.T) {
	m := newModel(t)
	old := m.bundle(1)
	oldConfig := m.docs["config arena"]
	m.put(fleet.KindConfig, "arena", 2, m.layer("night ticket"))
	_, k := m.open(m.known(), m.bundle(5))

	t.Run("older head", func(t *testing.T) { m.refused(k, old, fleet.ErrOlder) })
	t.Run("older head, documents lost", func(t *testing.T) {
		lost := k
		lost.Documents = nil
		m.refused(lost, old, fleet.ErrOlder)
	})
	t.Run("older document alone", func(t *testing.T) { m.refused(k, docs(oldConfig), fleet.ErrOlder) })
	t.Run("older document under a newer head", func(t *testing.T) {
		m := *m
		m.docs = map[string]fleet.Document{}
		for n, d := range newModel(t).docs {
			m.docs[n] = d
		}
		m.refused(k, m.bundle(6), fleet.ErrOlder)
	})
	t.Run("same head sequence, other content", func(t *testing.T) {
		m.refused(k, docs(m.head(5, morning.Add(time.Hour), m.entries())), fleet.ErrConflict)
	})
	t.Run("same document version, other content", func(t *testing.T) {
		other := m.sign(fleet.KindConfig, "arena", 2, morning, m.layer("free for all"), m.keys["config"][:2]...)
		m.refused(k, docs(other), fleet.ErrConflict)
		es := slices.DeleteFunc(m.entries(), func(e fleet.Entry) bool { return e.Kind == fleet.KindConfig })
		m.refused(k, docs(other, m.head(6, morning.Add(time.Hour), append(es, fleet.EntryOf(other)))), fleet.ErrConflict)
	})
	t.Run("two heads in one bundle", func(t *testing.T) {
		m.refused(m.known(), &fleet.Bundle{Documents: append(m.bundle(6).Documents, m.head(7, morning, m.entries()))}, fleet.ErrOlder)
	})
}

func TestMixAndMatch(t *testing.T) {
	m := newModel(t)
	first := m.bundle(1)
	_, k := m.open(m.known(), first)
	next := m.put(fleet.KindConfig, "arena", 2, m.layer("night ticket"))
	t.Run("not named by the head", func(t *testing.T) { m.refused(k, docs(next), fleet.ErrNotNamed) })
	t.Run("another version beside the named one", func(t *testing.T) {
		m.refused(m.known(), &fleet.Bundle{Documents: append(slices.Clone(first.Documents), next)}, fleet.ErrNotNamed)
	})
	t.Run("the head lies about the version", func(t *testing.T) {
		es := m.entries()
		for i := range es {
			if es[i].Kind == fleet.KindConfig {
				es[i].Version = 9
			}
		}
		m.refused(k, docs(next, m.head(2, morning, es)), fleet.ErrNotNamed)
	})
	t.Run("another kiosk's layer that no head names", func(t *testing.T) {
		m.refused(k, docs(m.sign(fleet.KindConfig, "arena/gate-2", 1, morning, fleet.Layer{}, m.keys["config"][:2]...)), fleet.ErrNotNamed)
	})
	t.Run("a kiosk that knows nothing gets a part", func(t *testing.T) {
		m.refused(m.known(), docs(m.docs["root/1"], m.head(2, morning, m.entries())), fleet.ErrIncomplete)
		m.refused(m.known(), docs(m.docs["root/1"]), fleet.ErrIncomplete)
	})
}

// The holder of the head's key alone can neither take a document out of force nor raise what binds for another's.
func TestFastForwardIsBounded(t *testing.T) {
	m := newModel(t)
	_, k := m.open(m.known(), m.bundle(1))
	es := m.entries()
	for i := range es {
		if es[i].Kind == fleet.KindConfig {
			es[i].Version, es[i].Digest = 1<<62, fleet.DigestOf([]byte("nothing"))
		}
	}
	u, k := m.open(k, docs(m.head(2, morning, es)))
	for _, mark := range u.Marks() {
		if mark.Kind != fleet.KindHead && mark.Version != 1 {
			t.Errorf("the head raised %+v", mark)
		}
	}
	m.put(fleet.KindConfig, "arena", 2, m.layer("night ticket"))
	if u, _ := m.open(k, m.bundle(3)); versions(u)["config arena"] != 2 {
		t.Errorf("in force %v", versions(u))
	}
}

func TestHeadCannotWithhold(t *testing.T) {
	m := newModel(t)
	_, k := m.open(m.known(), m.bundle(1))
	without := slices.DeleteFunc(m.entries(), func(e fleet.Entry) bool { return e.Kind.Issuer() == "arena" })
	m.refused(k, docs(m.head(2, morning, without)), fleet.ErrWithheld)

	b := m.bundle(2) // a kiosk that knows nothing yet
	b.Documents = slices.DeleteFunc(b.Documents, func(d fleet.Document) bool {
		return d.Kind().Issuer() != "" || d.Kind() == fleet.KindHead
	})
	b.Documents = append(b.Documents, m.head(2, morning, without))
	m.refused(m.known(), b, fleet.ErrWithheld)

	for _, kind := range []fleet.Kind{fleet.KindIssuers, fleet.KindConfig} {
		b := m.bundle(2)
		b.Documents = slices.DeleteFunc(b.Documents, func(d fleet.Document) bool { return d.Kind() == kind || d.Kind() == fleet.KindHead })
		es := slices.DeleteFunc(m.entries(), func(e fleet.Entry) bool { return e.Kind == kind })
		b.Documents = append(b.Documents, m.head(2, morning, es))
		m.refused(m.known(), b, fleet.ErrWithheld)
	}
}

// A kiosk's own layer may be what keeps people out: it cannot be dropped by a head, only emptied by its own keys.
func TestHeadCannotDropALayer(t *testing.T) {
	m := newModel(t)
	m.put(fleet.KindConfig, "arena/gate-1", 1, fleet.Layer{"accept": []byte{0x80}})
	u, k := m.open(m.known(), m.bundle(1))
	if len(u.Terms().Policy.Accept) != 0 {
		t.Fatalf("policy %+v", u.Terms().Policy)
	}
	without := slices.DeleteFunc(m.entries(), func(e fleet.Entry) bool { return e.Scope == "arena/gate-1" })
	m.refused(k, docs(m.head(2, morning, without)), fleet.ErrWithheld)
	m.put(fleet.KindConfig, "arena/gate-1", 2, fleet.Layer{})
	if u, _ = m.open(k, m.bundle(2)); len(u.Terms().Policy.Accept) != 1 {
		t.Errorf("policy %+v", u.Terms().Policy)
	}
}

func TestOrderAndRepetitionDoNotMatter(t *testing.T) {
	m := newModel(t)
	m.root(2, m.keys["root"][:2]...)
	m.put(fleet.KindConfig, "arena/gate-2", 1, fleet.Layer{})
	b := m.bundle(1)
	want, _ := m.open(m.known(), b)
	stripped := m.sign(fleet.KindConfig, "arena", 1, morning, m.layer("day ticket")) // the same payload without signatures
	b.Documents = append(append(b.Documents, b.Documents...), stripped)
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		r.Shuffle(len(b.Documents), func(i, j int) { b.Documents[i], b.Documents[j] = b.Documents[j], b.Documents[i] })
		got, _ := m.open(m.known(), b)
		if !reflect.DeepEqual(got.Terms(), want.Terms()) || len(got.Documents()) != len(want.Documents()) {
			t.Fatalf("got %+v, want %+v", got.Terms(), want.Terms())
		}
		if _, err := fleet.Open(after(m.known(), got), nil, morning); err != nil {
			t.Fatalf("what was kept does not open: %v", err)
		}
	}
}

func TestSignedInTheFuture(t *testing.T) {
	m := newModel(t)
	_, k := m.open(m.known(), m.bundle(1))
	far := docs(m.head(2, morning.Add(48*time.Hour), m.entries()))
	m.refused(k, far, fleet.ErrTime)
	u, err := fleet.Open(k, far, time.Time{})
	if err != nil {
		t.Fatalf("a kiosk without a clock cannot import: %v", err)
	}
	if _, err := fleet.Open(after(k, u), nil, morning); err != nil {
		t.Errorf("what was stored is lost to a clock that went back: %v", err)
	}
}
