// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"gatehouse/entry"
	"gatehouse/fleet"
)

func TestListsGrowShrinkAndChangeTheirBase(t *testing.T) {
	f := newTestFleet(t)
	path := trustPath(t)
	trust := f.open(path)
	add := func(ctis ...string) fleet.Delta { return fleet.Delta{Add: fleet.JoinRevocations(ids(ctis...))} }
	drop := func(ctis ...string) fleet.Delta { return fleet.Delta{Remove: fleet.JoinRevocations(ids(ctis...))} }
	var former entry.Belief
	for i, step := range []struct {
		base    [][fleet.RevocationSize]byte
		deltas  []fleet.Delta
		revoked []string
	}{
		{nil, nil, nil},
		{nil, []fleet.Delta{add("a")}, []string{"a"}},
		{ids("b"), []fleet.Delta{add("a")}, []string{"a", "b"}},
		{ids("b"), []fleet.Delta{add("a"), drop("b"), add("c")}, []string{"a", "c"}},
		{ids("b"), []fleet.Delta{add("c")}, []string{"b", "c"}},
		{ids("a", "b", "c"), nil, []string{"a", "b", "c"}},
		{nil, nil, nil},
	} {
		n := uint64(i) + 1
		apply(t, trust, f.bundle(edition{head: n, list: n, base: step.base, deltas: step.deltas}))
		if former != nil {
			// A decision that began before goes by the newer list.
			check(t, former, step.revoked)
		}
		check(t, believe(t, trust), step.revoked)
		trust.Close()
		if reopened := f.open(path); reopened.SetAside() != nil {
			t.Fatalf("step %d: %v", n, reopened.SetAside())
		} else {
			trust, former = reopened, believe(t, reopened)
		}
		check(t, former, step.revoked)
	}
	// That of the last step but one stays for decisions under way.
	if n := storedBlobs(t, trust); n != 1 {
		t.Errorf("%d bases are stored", n)
	}
	apply(t, trust, f.bundle(edition{head: 8, list: 8}))
	if n := storedBlobs(t, trust); n != 0 {
		t.Errorf("%d bases are stored", n)
	}
}

func check(t *testing.T, b entry.Belief, revoked []string) {
	t.Helper()
	for _, cti := range []string{"a", "b", "c", "d"} {
		want := entry.NotRevoked
		if slices.Contains(revoked, cti) {
			want = entry.Revoked
		}
		expect(t, b, want, cti)
	}
}

func storedBlobs(t *testing.T, trust *Trust) (n int) {
	t.Helper()
	err := trust.file.view(func(tx *bbolt.Tx) error {
		eachBlob(tx, func(blobKind, []byte) { n++ })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
