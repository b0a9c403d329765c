// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"errors"
	"fmt"
	"testing"

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
	bundle := f.bundle(edition{head: 1, list: 1, base: base, deltas: []fleet.Delta{delta}})
	apply(t, trust, bundle)
	floor := trust.Believed().Marks
	trust.Close()

	believed, aside := 0, 0
	eachDamage(t, path, 40, func(t *testing.T, path string) {
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
			for cti, want := range map[string]entry.Revocation{
				"lost": entry.Revoked, "later": entry.Revoked, "pardoned": entry.NotRevoked, "other": entry.NotRevoked,
			} {
				b, err := trust.Belief()
				if err == nil {
					var got entry.Revocation
					if got, err = b.Revoked(ticket(cti)); err == nil && got != want {
						t.Errorf("%s: %v", cti, got)
					}
				}
				if err != nil && !errors.Is(err, ErrDamaged) {
					t.Errorf("%s: %v", cti, err)
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
		trust.Close()
	})
	t.Logf("%d damaged stores were believed, %d set aside", believed, aside)
	if believed == 0 || aside == 0 {
		t.Error("the damages were all of one sort")
	}
}
