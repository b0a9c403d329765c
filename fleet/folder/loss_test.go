// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/fleet"
	"gatehouse/fleet/folder"
)

// A file of revoked ids that was lost must not lift them, neither at the next bundle nor at the next revocation.
func TestLostRevocationsAreNotLifted(t *testing.T) {
	o := newOperator(t)
	const id, other = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"
	_, err := o.Revoke("arena", id)
	check(t, err)
	o.deliver()
	check(t, os.Remove(o.path("revoked", "arena.txt")))
	if _, err := o.Bundle("arena", morning); !errors.Is(err, folder.ErrConfig) || !strings.Contains(err.Error(), "restore it") {
		t.Errorf("a bundle: %v", err)
	}
	if _, err := o.Revoke("arena", other); !errors.Is(err, folder.ErrConfig) {
		t.Errorf("a revocation: %v", err)
	}
	o.write("", "revoked", "arena.txt") // said, not lost
	if r := o.deliver().Revocations()[0]; len(r.Overlay.Add) != 0 || r.Version != 2 {
		t.Errorf("revocations %+v", r)
	}
}

// A kiosk whose folder was moved to it, or that is to be given up, keeps the layer that it has and takes every later bundle.
func TestKioskFolderGoneKeepsItsLayer(t *testing.T) {
	o := newOperator(t)
	o.write("private: [staff]\n", "kiosks", "arena", "gate-1", "policy.yaml")
	o.deliver()
	check(t, os.RemoveAll(o.path("kiosks", "arena", "gate-1")))
	for range 2 {
		u := o.deliver()
		if !slices.Equal(u.Terms().Policy.Private, []string{"staff"}) || version(u, fleet.KindConfig, "arena/gate-1") != 1 {
			t.Errorf("policy %+v, versions %v", u.Terms().Policy, u.Terms().Versions)
		}
	}
}

// What no kiosk would take is told to the operator.
func TestBundleAfterTheRootsEnd(t *testing.T) {
	o := newOperator(t)
	for _, at := range []time.Time{morning.AddDate(11, 0, 0), morning.AddDate(0, 0, -2)} {
		if b, err := o.Bundle("arena", at); err == nil || !strings.Contains(err.Error(), "set the clock") || b != nil {
			t.Errorf("%v: %v", at, err)
		}
	}
	if u := o.deliver(); version(u, fleet.KindIssuers, "all") != 1 {
		t.Errorf("a refused bundle was stored: %v", u.Terms().Versions)
	}
}

// What was signed by a clock that was far ahead would be refused at every kiosk until then.
func TestSignedAheadIsSignedAnew(t *testing.T) {
	o := newOperator(t)
	_, err := o.Bundle("arena", morning.AddDate(3, 0, 0))
	check(t, err)
	if u := o.deliver(); version(u, fleet.KindIssuers, "all") != 2 || !u.Terms().Signed.Equal(morning) {
		t.Errorf("versions %v", u.Terms().Versions)
	}
}

// A time of 0 would mean no bound at all.
func TestValidityBefore1970(t *testing.T) {
	o := newOperator(t)
	text, err := os.ReadFile(o.path("issuers", "arena.yaml"))
	check(t, err)
	for _, date := range []string{"1970-01-01", "1969-12-31", "0001-01-01"} {
		o.write(string(text)+"  not_after: "+date+"\n", "issuers", "arena.yaml")
		if _, err := o.Bundle("arena", morning); !errors.Is(err, folder.ErrConfig) {
			t.Errorf("%s: %v", date, err)
		}
	}
}

// A crash between the two files of a venue or a kiosk leaves the secret: it is begun again, and the secret stays.
func TestHalfAVenueAndHalfAKioskAreFinished(t *testing.T) {
	o := newOperator(t)
	kiosk := fleet.Place{Venue: "stadium", Kiosk: "gate-1"}
	check(t, o.AddVenue("stadium"))
	dir, err := o.AddKiosk(kiosk)
	check(t, err)
	secret, err := os.ReadFile(o.path("venues", "stadium.key"))
	check(t, err)
	check(t, os.Remove(o.path("venues", "stadium.yaml")))
	check(t, os.Remove(filepath.Join(dir, "gatehouse.yaml")))
	check(t, os.WriteFile(filepath.Join(dir, "venue.key"), []byte("half"), 0o600))

	check(t, o.AddVenue("stadium"))
	_, err = o.AddKiosk(kiosk)
	check(t, err)
	for _, path := range []string{o.path("venues", "stadium.key"), filepath.Join(dir, "venue.key")} {
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, secret) {
			t.Errorf("%s is another secret (%v)", path, err)
		}
	}
	for _, path := range []string{o.path("venues", "stadium.yaml"), filepath.Join(dir, "gatehouse.yaml")} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

// Where the secret cannot be written there is no venue and no kiosk.
func TestNoVenueAndNoKioskWithoutItsSecret(t *testing.T) {
	o := newOperator(t)
	check(t, os.MkdirAll(o.path("kiosks", "arena", "gate-2", "venue.key", "in-the-way"), 0o755))
	if _, err := o.AddKiosk(fleet.Place{Venue: "arena", Kiosk: "gate-2"}); err == nil {
		t.Error("a kiosk was made")
	}
	if _, err := os.Stat(o.path("kiosks", "arena", "gate-2", "gatehouse.yaml")); err == nil {
		t.Error("a kiosk without its secret")
	}
}
