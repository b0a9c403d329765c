// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet_test

import (
	"errors"
	"testing"

	"gatehouse/fleet"
)

func TestSucceeds(t *testing.T) {
	old := []fleet.SigningKey{key(t, "a"), key(t, "b"), key(t, "c")}
	m := newModel(t)
	first := m.docs["root/1"]
	m.keys["root"] = []fleet.SigningKey{key(t, "d"), key(t, "e"), key(t, "f")}
	a := m.root(2, old[0])
	if err := fleet.Succeeds(first, a); !errors.Is(err, fleet.ErrSignature) {
		t.Errorf("one signature: %v", err)
	}
	// Copies that were signed apart.
	b := m.root(2, old[1], m.keys["root"][0])
	joined, err := a.Join(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := fleet.Succeeds(first, joined); !errors.Is(err, fleet.ErrSignature) {
		t.Errorf("too few of the new keys: %v", err)
	}
	joined, err = joined.Join(m.root(2, m.keys["root"][2]))
	if err != nil {
		t.Fatal(err)
	}
	if err := fleet.Succeeds(first, joined); err != nil {
		t.Error(err)
	}
	if again, err := joined.Join(joined); err != nil || len(again.Signers()) != 4 {
		t.Errorf("joined with itself: %d signatures, %v", len(again.Signers()), err)
	}
	if err := fleet.Succeeds(joined, joined); !errors.Is(err, fleet.ErrKind) {
		t.Errorf("itself: %v", err)
	}
	if err := fleet.Succeeds(first, m.docs["config arena"]); !errors.Is(err, fleet.ErrKind) {
		t.Errorf("a config: %v", err)
	}
	if _, err := joined.Join(first); !errors.Is(err, fleet.ErrConflict) {
		t.Errorf("joined with another: %v", err)
	}
	if err := fleet.Verify(m.docs["config arena"], first); !errors.Is(err, fleet.ErrKind) {
		t.Errorf("by what is no root: %v", err)
	}
}
