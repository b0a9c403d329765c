// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gatehouse/device/client"
	"gatehouse/fleet"
	"gatehouse/fleet/centre"
	"gatehouse/fleet/folder"
	running "gatehouse/test/mosquitto"
)

const (
	manyRevoked = 1_000_000
	linkCuts    = 30
	maxTwice    = 0.03 // of the bytes of blocks
)

// BenchmarkBaseThroughCuts has a kiosk fetch a base of a million ids over Mosquitto with TLS, first in peace and then another
// one while its link is cut thirty times, wherever in a packet. sent-twice-% is what the blocks took more on the link than in
// peace, and ratio that to its limit.
func BenchmarkBaseThroughCuts(b *testing.B) {
	f := city(b)
	check(b, f.AddIssuer("arena", folder.IssuerOptions{}))
	m := start(b, f)
	link := newTap(b, f, one, m)
	apply(b, f, m.Addr)
	lists := newLists(b, f, 2)
	running.ServeFrom(b, f, m.Addr, lists, lists.Blob)
	k := runKiosk(b, f, one, link.addr)
	k.until("documents in force", func(s *client.Status) bool { return s.Data.Freshness == "fresh" })
	cuts := rand.New(rand.NewPCG(30, 1))
	for b.Loop() {
		blocks := func() int64 {
			before, _ := link.of("blk")
			version := lists.publish(b, m.Addr)
			k.awaitFor(10*time.Minute, "the base in force", func(s *client.Status) bool { return headOf(s) >= version && len(s.Data.Incomplete) == 0 })
			after, _ := link.of("blk")
			return after - before
		}
		whole := blocks()
		places := make([]int64, linkCuts)
		for i := range places {
			places[i] = cuts.Int64N(whole)
		}
		slices.Sort(places)
		link.cutAt(places)
		began := time.Now()
		broken := blocks()
		if n := link.cutsDone(); n != linkCuts {
			b.Fatalf("%d cuts, want %d", n, linkCuts)
		}
		twice := float64(broken-whole) / float64(whole)
		b.ReportMetric(float64(whole)/1e6, "MB")
		b.ReportMetric(time.Since(began).Seconds(), "s-with-cuts")
		b.ReportMetric(twice*100, "sent-twice-%")
		b.ReportMetric(twice/maxTwice, "ratio")
	}
}

// lists is a fleet whose issuer has one list of a million ids after the other, signed beforehand.
type lists struct {
	*folder.Folder
	bases   [][]byte
	bundle  *fleet.Bundle // what is published
	revoke  []fleet.SigningKey
	head    []fleet.SigningKey
	version uint64
}

// newLists begins with what the folder publishes. So many bases take turns.
func newLists(tb testing.TB, f *folder.Folder, bases int) *lists {
	tb.Helper()
	l := &lists{Folder: f, version: 1000}
	var err error
	l.bundle, err = f.Online(one.Venue, time.Now())
	check(tb, err)
	l.revoke, err = f.SigningKeys("revocations")
	check(tb, err)
	l.head, err = f.SigningKeys("head")
	check(tb, err)
	for seed := range bases {
		r := rand.New(rand.NewPCG(uint64(seed), 0))
		ids := make([][fleet.RevocationSize]byte, manyRevoked)
		for i := range ids {
			binary.BigEndian.PutUint64(ids[i][:], r.Uint64())
		}
		l.bases = append(l.bases, fleet.JoinRevocations(ids))
	}
	return l
}

// Venues implements centre.Source.
func (l *lists) Venues() ([]string, error) { return []string{one.Venue}, nil }

// Bundle implements centre.Source.
func (l *lists) Bundle(string, time.Time) (*fleet.Bundle, error) { return l.bundle, nil }

// Last implements centre.Source.
func (l *lists) Last(string, time.Time) (*fleet.Bundle, error) { return l.bundle, nil }

// Blob is one of theirs.
func (l *lists) Blob(d fleet.Digest) ([]byte, error) {
	at := slices.IndexFunc(l.bases, func(b []byte) bool { return fleet.DigestOf(b) == d })
	return l.bases[at], nil
}

// next signs the next list under a new head.
func (l *lists) next(tb testing.TB) *fleet.Bundle {
	tb.Helper()
	l.version++
	now := time.Now()
	base := l.bases[l.version%uint64(len(l.bases))]
	list, err := fleet.Sign(fleet.RevocationsOf("arena"), fleet.ScopeAll, l.version, now, fleet.RevocationList{Base: fleet.BaseOf(base, uint64(len(base)/fleet.RevocationSize))}, l.revoke...)
	check(tb, err)
	next := &fleet.Bundle{}
	head := &fleet.Head{FreshUntil: uint64(now.Add(time.Hour).Unix()), HardAfter: uint64(now.AddDate(0, 0, 7).Unix())}
	for _, d := range l.bundle.Documents {
		if d.Kind() != fleet.KindHead && d.Kind() != list.Kind() {
			next.Documents = append(next.Documents, d)
			if d.Kind() != fleet.KindRoot {
				head.Documents = append(head.Documents, fleet.EntryOf(d))
			}
		}
	}
	for _, d := range slices.Backward(l.bundle.Documents) {
		if d.Kind() == fleet.KindRoot {
			head.Documents = append(head.Documents, fleet.EntryOf(d))
			break
		}
	}
	head.Documents = append(head.Documents, fleet.EntryOf(list))
	signed, err := fleet.Sign(fleet.KindHead, fleet.Scope(one.Venue), l.version, now, head, l.head...)
	check(tb, err)
	next.Documents = append(next.Documents, list, signed)
	return next
}

// publish publishes the next list and returns the version of its head.
func (l *lists) publish(tb testing.TB, addr string) uint64 {
	tb.Helper()
	next := *l
	next.bundle = l.next(tb)
	check(tb, centre.Apply(tb.Context(), centre.Config{Broker: officeAt(tb, l.Folder, addr), Now: time.Now}, &next))
	return l.version
}
