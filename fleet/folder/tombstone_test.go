// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder_test

import (
	"errors"
	"os"
	"slices"
	"testing"

	"gatehouse/fleet"
	"gatehouse/fleet/folder"
)

// What was published stays named: a kiosk takes a document that is missing for a withheld one. What is no more has a
// tombstone, and its versions count on when it comes back.
func TestNothingPublishedIsLeftOut(t *testing.T) {
	o := newOperator(t)
	check(t, o.AddIssuer("guest", folder.IssuerOptions{}))
	o.write("private: [staff]\n", "kiosks", "arena", "gate-1", "policy.yaml")
	if u := o.deliver(); !slices.Equal(u.Terms().Policy.Private, []string{"staff"}) {
		t.Fatalf("policy %+v", u.Terms().Policy)
	}
	check(t, os.Remove(o.path("kiosks", "arena", "gate-1", "policy.yaml")))
	text, err := os.ReadFile(o.path("issuers", "guest.yaml"))
	check(t, err)
	guest := string(text)
	check(t, os.Remove(o.path("issuers", "guest.yaml")))
	u := o.deliver()
	if u.Terms().Policy.Private != nil || version(u, "config", "arena/gate-1") != 2 {
		t.Errorf("policy %+v, versions %v", u.Terms().Policy, u.Terms().Versions)
	}
	if !slices.Equal(u.Issuers(), []string{"arena"}) || len(u.Revocations()) != 1 || version(u, fleet.RevocationsOf("guest"), "all") != 2 {
		t.Errorf("issuers %v with %d lists, versions %v", u.Issuers(), len(u.Revocations()), u.Terms().Versions)
	}
	if u = o.deliver(); version(u, fleet.RevocationsOf("guest"), "all") != 2 || version(u, "config", "arena/gate-1") != 2 {
		t.Errorf("tombstones that did not change: versions %v", u.Terms().Versions)
	}

	o.write(guest, "issuers", "guest.yaml")
	o.write("private: [staff]\n", "kiosks", "arena", "gate-1", "policy.yaml")
	if _, err := o.Bundle("arena", morning); !errors.Is(err, folder.ErrConfig) {
		t.Errorf("ids that may have been revoked are not asked for: %v", err)
	}
	o.write("", "revoked", "guest.txt")
	u = o.deliver()
	if len(u.Revocations()) != 2 || version(u, fleet.RevocationsOf("guest"), "all") != 3 || version(u, "config", "arena/gate-1") != 3 || u.Terms().Policy.Private == nil {
		t.Errorf("back again: versions %v, policy %+v", u.Terms().Versions, u.Terms().Policy)
	}
}
