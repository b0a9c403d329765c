// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/fleet"
)

// TestTrustAgainstAMap brings a store bundles of a venue's history, whole, in part, old and forged, in any order, closes
// and opens it, loses it and puts it back to an earlier state, while its floor lives on. What is believed is always what
// one head signed as a whole, a map tells which, and it never goes back.
func TestTrustAgainstAMap(t *testing.T) {
	t.Parallel() // it waits for the disk
	rapid.Check(t, func(rt *rapid.T) {
		m := &trustModel{tb: t, fleet: newTestFleet(t), other: newTestFleet(t), path: trustPath(t)}
		m.history(rt)
		m.start(rt)
		defer func() { m.trust.Close() }()
		rt.Repeat(map[string]func(*rapid.T){
			"import": m.bring,
			"forge":  m.forge,
			"newest": m.newest,
			"reopen": func(rt *rapid.T) { m.stop(rt); m.start(rt) },
			"lose":   m.lose,
			"keep":   m.keep,
			"put back": func(rt *rapid.T) {
				if m.copied == nil {
					rt.Skip("nothing was copied")
				}
				m.replace(rt, m.copied, m.copiedHead)
			},
			"": m.check,
		})
	})
}

type trustModel struct {
	tb           testing.TB
	fleet, other *testFleet
	path         string
	trust        *Trust
	editions     []edition         // by sequence of the head, from 1
	revoked      []map[string]bool // by sequence of the head
	bundles      []*fleet.Bundle

	inForce  uint64 // head that the store goes by, 0 for none
	seen     uint64 // newest head that was taken
	floor    Believed
	floorCap uint64 // newest head that the floor knows

	copied     []byte
	copiedHead uint64
}

var modelTickets = []string{"a", "b", "c", "d", "e"}

// history draws the editions that the venue signed, one after the other.
func (m *trustModel) history(rt *rapid.T) {
	list := uint64(0)
	heads := rapid.Uint64Range(2, 6).Draw(rt, "heads")
	for head := uint64(1); head <= heads; head++ {
		e, revoked := edition{head: head, list: list}, map[string]bool{}
		if list == 0 || rapid.Bool().Draw(rt, "new list") {
			list++
			e = edition{head: head, list: list, status: []statusEdition{m.status(rt, revoked)}}
			for _, cti := range modelTickets {
				switch rapid.IntRange(0, 3).Draw(rt, cti) {
				case 0:
					e.base = append(e.base, ids(cti)...)
					revoked[cti] = true
				case 1:
					e.deltas = append(e.deltas, fleet.Delta{Add: fleet.JoinRevocations(ids(cti))})
					revoked[cti] = true
				case 2:
					e.base = append(e.base, ids(cti)...)
					e.deltas = append(e.deltas, fleet.Delta{Remove: fleet.JoinRevocations(ids(cti))})
				}
			}
		} else { // the same list under a new head
			before := m.editions[head-2]
			e.base, e.deltas, e.status, revoked = before.base, before.deltas, before.status, m.revoked[head-2]
		}
		m.editions, m.revoked = append(m.editions, e), append(m.revoked, revoked)
		m.bundles = append(m.bundles, m.fleet.bundle(e))
	}
}

// status draws a status list in which the tickets have their places, and notes those that it revokes under statusName.
func (m *trustModel) status(rt *rapid.T, revoked map[string]bool) statusEdition {
	s := statusEdition{uri: statusURI, size: uint64(len(modelTickets))}
	if rapid.Bool().Draw(rt, "bits") {
		s.bits = []byte{0}
	}
	for i, cti := range modelTickets {
		set, flip := s.bits != nil && rapid.Bool().Draw(rt, "bit "+cti), rapid.Bool().Draw(rt, "flip "+cti)
		if set {
			s.bits[0] |= 1 << i
		}
		if flip {
			s.flips = append(s.flips, uint32(i))
		}
		if set != flip {
			revoked[statusName(cti)] = true
		}
	}
	return s
}

func statusName(cti string) string { return "index of " + cti }

func (m *trustModel) start(rt *rapid.T) {
	o := m.fleet.options()
	o.Floor = m.floor.Marks
	trust, err := OpenTrust(m.path, o)
	if err != nil {
		rt.Fatal(err)
	}
	m.trust = trust
}

func (m *trustModel) stop(rt *rapid.T) {
	if err := m.trust.Close(); err != nil {
		rt.Fatal(err)
	}
}

// raise is what the device does after a bundle and each minute, unless the power is cut first.
func (m *trustModel) raise() {
	if b := m.trust.Believed(); b.Marks != nil {
		m.floor, m.floorCap = b, m.seen
	}
}

// bring imports a bundle of the history, or a part of it.
func (m *trustModel) bring(rt *rapid.T) {
	n := rapid.IntRange(0, len(m.bundles)-1).Draw(rt, "edition")
	whole := m.bundles[n]
	part := &fleet.Bundle{}
	for _, d := range whole.Documents {
		if rapid.IntRange(0, 3).Draw(rt, "document") > 0 {
			part.Documents = append(part.Documents, d)
		}
	}
	if rapid.IntRange(0, 3).Draw(rt, "blobs") > 0 {
		part.Blobs = whole.Blobs
	}
	_, err := m.trust.Apply(m.tb.Context(), part, morning)
	isHead := func(d fleet.Document) bool { return d.Kind() == fleet.KindHead }
	if sequence := uint64(n) + 1; err == nil && slices.ContainsFunc(part.Documents, isHead) {
		if sequence < max(m.seen, m.floorCap) {
			rt.Fatalf("head %d was taken after %d", sequence, max(m.seen, m.floorCap))
		}
		m.seen = sequence
	}
	m.follow(rt, err)
}

// newest imports the whole of an edition that is not older than any that was taken: nothing may stand in its way.
func (m *trustModel) newest(rt *rapid.T) {
	n := uint64(rapid.IntRange(int(max(m.seen, m.floorCap, 1)), len(m.bundles)).Draw(rt, "edition"))
	if _, err := m.trust.Apply(m.tb.Context(), m.bundles[n-1], morning); err != nil {
		rt.Fatalf("edition %d was refused: %v", n, err)
	}
	m.seen = n
	m.follow(rt, nil)
	if m.inForce != n {
		rt.Fatalf("edition %d was imported and %d is in force", n, m.inForce)
	}
}

// follow notes what is in force after an import and that it is no step back.
func (m *trustModel) follow(rt *rapid.T, err error) {
	now := m.head(rt)
	if err != nil && now != m.inForce || now < m.inForce {
		rt.Fatalf("head %d was in force and %d is now; %v", m.inForce, now, err)
	}
	m.inForce = now
	if rapid.Bool().Draw(rt, "floor written") {
		m.raise()
	}
}

// Where testFleet.bundle puts the documents whose payload no other fleet makes: they name keys.
const (
	issuersPlace = 1
	headPlace    = 4
)

// forge brings documents of another fleet, alone and among true ones.
func (m *trustModel) forge(rt *rapid.T) {
	n := rapid.IntRange(0, len(m.bundles)-1).Draw(rt, "edition")
	b := m.other.bundle(m.editions[n])
	if rapid.Bool().Draw(rt, "among true ones") {
		b.Documents = append(slices.Clone(m.bundles[n].Documents), b.Documents[rapid.SampledFrom([]int{issuersPlace, headPlace}).Draw(rt, "forged")])
	}
	if _, err := m.trust.Apply(m.tb.Context(), b, morning); err == nil {
		rt.Fatal("a forged bundle was taken")
	}
}

func (m *trustModel) keep(rt *rapid.T) {
	m.stop(rt)
	text, err := os.ReadFile(m.path)
	if err != nil {
		rt.Fatal(err)
	}
	m.copied, m.copiedHead = text, m.inForce
	m.start(rt)
}

func (m *trustModel) lose(rt *rapid.T) { m.replace(rt, nil, 0) }

// replace puts other content in the place of the closed file. The floor lives on.
func (m *trustModel) replace(rt *rapid.T, text []byte, head uint64) {
	m.stop(rt)
	if err := os.Remove(m.path); err != nil {
		rt.Fatal(err)
	}
	if text != nil {
		if err := os.WriteFile(m.path, text, 0o600); err != nil {
			rt.Fatal(err)
		}
	}
	m.start(rt)
	if m.inForce = m.head(rt); m.inForce != 0 && (m.inForce != head || m.trust.newestHead() < m.floorHead()) {
		rt.Fatalf("head %d is in force; the file has %d, the floor %d", m.inForce, head, m.floorHead())
	}
	m.seen = m.floorCap
	if m.inForce != 0 {
		m.seen = max(m.seen, m.trust.newestHead())
	}
}

// floorHead is the mark of the floor's head.
func (m *trustModel) floorHead() uint64 { return headMark(m.floor.Marks) }

func (t *Trust) newestHead() uint64 { return headMark(t.Believed().Marks) }

func headMark(marks []fleet.Mark) (version uint64) {
	for _, mark := range marks {
		if mark.Kind == fleet.KindHead {
			version = mark.Version
		}
	}
	return version
}

// head is the head in force, 0 for none.
func (m *trustModel) head(rt *rapid.T) uint64 {
	b, err := m.trust.Belief()
	if err != nil {
		return 0
	}
	for _, v := range b.Terms().Versions {
		if v.Kind == string(fleet.KindHead) {
			return v.Version
		}
	}
	rt.Fatal("a belief without a head")
	return 0
}

func (m *trustModel) check(rt *rapid.T) {
	if now := m.head(rt); now != m.inForce {
		rt.Fatalf("head %d is in force, want %d", now, m.inForce)
	}
	if m.inForce == 0 {
		return
	}
	b, err := m.trust.Belief()
	if err != nil {
		rt.Fatal(err)
	}
	got, want := fmt.Sprint(revokedIn(rt, b)), fmt.Sprint(m.revoked[m.inForce-1])
	if got != want {
		rt.Fatalf("under head %d revoked are %s, want %s", m.inForce, got, want)
	}
}

func revokedIn(rt *rapid.T, b entry.Belief) map[string]bool {
	revoked := map[string]bool{}
	for i, cti := range modelTickets {
		for name, p := range map[string]*credential.Pass{cti: ticket(cti), statusName(cti): indexed("no cti of these", statusURI, uint64(i))} {
			r, err := b.Revoked(p)
			if err != nil || r == entry.RevocationUnknown {
				rt.Fatal(name, r, err)
			}
			if r == entry.Revoked {
				revoked[name] = true
			}
		}
	}
	return revoked
}
