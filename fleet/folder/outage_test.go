// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"gatehouse/fleet/folder"
)

func TestOutageReachesTheKiosk(t *testing.T) {
	o := newOperator(t)
	if down := o.deliver().Terms().Down; len(down) != 0 {
		t.Fatalf("down at first: %v", down)
	}
	since := morning.Add(-40 * time.Minute)
	check(t, o.SetDown("arena", since.Add(-time.Hour), morning))
	check(t, o.SetDown("arena", since, morning)) // corrected
	if down := o.deliver().Terms().Down; len(down) != 1 || !down["arena"].Equal(since) {
		t.Errorf("down %v, want arena since %v", down, since)
	}
	check(t, o.SetUp("arena"))
	if down := o.deliver().Terms().Down; len(down) != 0 {
		t.Errorf("down after up: %v", down)
	}
	if err := o.SetUp("arena"); !errors.Is(err, folder.ErrOutage) {
		t.Errorf("up twice: %v", err)
	}
	if err := o.SetDown("arena", morning.Add(time.Second), morning); !errors.Is(err, folder.ErrOutage) {
		t.Errorf("down in the future: %v", err)
	}
	if err := o.SetDown("telecom", morning, morning); !errors.Is(err, folder.ErrUnknown) {
		t.Errorf("an issuer that is none: %v", err)
	}
}

// An issuer that left the fleet is down no more, and keeps no bundle from being made.
func TestOutageOfAFormerIssuer(t *testing.T) {
	o := newOperator(t)
	check(t, o.AddIssuer("telecom", folder.IssuerOptions{}))
	check(t, o.SetDown("telecom", morning, morning))
	check(t, os.Remove(o.path("issuers", "telecom.yaml")))
	if down := o.deliver().Terms().Down; len(down) != 0 {
		t.Errorf("down %v", down)
	}
	check(t, o.SetUp("telecom"))
}
