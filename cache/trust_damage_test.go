// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"errors"
	"fmt"
	"testing"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/fleet"
)

// Whatever happens to one page of the trust store, a revoked pass is never taken for one that is not: it is revoked, or
// nothing can be said. A store that is set aside leaves a clean one, into which the same bundle goes.
func TestDamagedTrustStoreNeverUnrevokes(t *testing.T) {
	f := newTestFleet(t)
	path := trustPath(t)
	trust := f.open(path)
	base := ids("lost", "pardoned")
	for i := range 3000 {
		base = append(base, fleet.RevocationID(fmt.Sprint(i)))
	}
	delta := fleet.Delta{Add: fleet.JoinRevocations(ids("later")), Remove: fleet.JoinRevocations(ids("pardoned"))}
	bundle := f.bundle(edition{head: 1, list: 1, base: base, deltas: []fleet.Delta{delta},
		status: []statusEdition{{uri: statusURI, size: pageBits + 8, bits: statusBits()}}})
	apply(t, trust, bundle)
	floor := trust.Believed().Marks
	trust.Close()

	believed, aside := 0, 0
	eachDamage(t, path, 20, func(t *testing.T, path string) {
		o := f.options()
		o.Floor = floor
		trust, err := OpenTrust(path, o)
		if err != nil {
			t.Errorf("open: %v", err)
			return
		}
		defer func() { trust.Close() }()
		if _, err := trust.Belief(); err == nil {
			believed++
			for p, want := range map[*credential.Pass]entry.Revocation{
				ticket("lost"): entry.Revoked, ticket("later"): entry.Revoked, ticket("pardoned"): entry.NotRevoked, ticket("other"): entry.NotRevoked,
				indexed("other", statusURI, 1): entry.Revoked, indexed("other", statusURI, pageBits): entry.Revoked,
				indexed("other", statusURI, 2): entry.NotRevoked, indexed("other", statusURI, pageBits+1): entry.NotRevoked,
			} {
				b, err := trust.Belief()
				if err == nil {
					var got entry.Revocation
					if got, err = b.Revoked(p); err == nil && got != want {
						t.Errorf("%s, %v: %v", p.ID, p.Status, got)
					}
				}
				if err != nil && !errors.Is(err, ErrDamaged) {
					t.Errorf("%s, %v: %v", p.ID, p.Status, err)
				}
			}
		} else if !errors.Is(trust.SetAside(), ErrDamaged) || !errors.Is(err, ErrNoBelief) {
			t.Errorf("believed nothing (%v), set aside: %v", err, trust.SetAside())
		} else {
			aside++
		}
		if err := trust.Close(); err != nil {
			t.Error(err)
		}
		if trust, err = OpenTrust(path, o); err != nil {
			t.Fatal(err)
		}
		if _, err := trust.Apply(t.Context(), bundle, morning); err != nil {
			t.Errorf("the same bundle again: %v", err)
		}
		expect(t, believe(t, trust), entry.Revoked, "lost", "later")
		ask(t, believe(t, trust), indexed("other", statusURI, pageBits), entry.Revoked)
		trust.Close()
	})
	t.Logf("%d damaged stores were believed, %d set aside", believed, aside)
	if believed == 0 || aside == 0 {
		t.Error("the damages were all of one sort")
	}
}
