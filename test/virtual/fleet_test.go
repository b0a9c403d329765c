// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

//go:build virtual

package virtual

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/fleet"
	"gatehouse/fleet/folder"
)

// venueFleet is an operator's folder with one venue, one kiosk and one issuer.
type venueFleet struct{ *folder.Folder }

const (
	venue  = "north"
	kiosk  = "kiosk-1"
	issuer = "box-office"
)

// newFleet makes a fleet whose signed policy gives the lane's pulse.
func newFleet(t *testing.T, pulse time.Duration) venueFleet {
	t.Helper()
	f, err := folder.Init(filepath.Join(t.TempDir(), "fleet"), time.Now(), venue)
	must(t, err)
	must(t, f.AddIssuer(issuer, folder.IssuerOptions{Kinds: []string{"ticket"}, Scopes: []string{venue}}))
	policy := fmt.Sprintf("accept:\n  - name: day ticket\n    all: [{kind: ticket, issuers: [%s], uses: 1}]\n"+
		"lanes:\n  %s: {pulse: %v}\n", issuer, lane, pulse)
	must(t, os.WriteFile(filepath.Join(f.Dir(), "venues", venue+".yaml"), []byte(policy), 0o600))
	return venueFleet{f}
}

// ticket are the claims of a ticket for one admission.
func ticket() credential.Claims {
	return credential.Claims{Kind: "ticket", Scope: []string{venue}, Expires: time.Now().Add(24 * time.Hour)}
}

func (f venueFleet) issue(t *testing.T) string {
	t.Helper()
	issued, err := f.Issue(issuer, ticket())
	must(t, err)
	return issued.Code
}

// expired issues a ticket of yesterday.
func (f venueFleet) expired(t *testing.T) string {
	t.Helper()
	claims := ticket()
	claims.Expires = time.Now().Add(-24 * time.Hour)
	issued, err := f.Issue(issuer, claims)
	must(t, err)
	return issued.Code
}

// ticketOf is a ticket and what the kiosk's ledger knows it by.
type ticketOf struct {
	code string
	hash entry.PassHash
}

// ticket issues one. The kiosk must have been made.
func (f venueFleet) ticket(t *testing.T) ticketOf {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(f.Dir(), "venues", venue+".key"))
	must(t, err)
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	must(t, err)
	issued, err := f.Issue(issuer, ticket())
	must(t, err)
	id, err := hex.DecodeString(issued.ID)
	must(t, err)
	return ticketOf{issued.Code, entry.HashPass(key, &credential.Pass{Format: credential.GH1, Issuer: issuer, ID: id})}
}

// card is what a technician puts into /etc/gatehouse: the local config as the
// fleet makes it, wired to the bench, the venue's secret and the bundle.
func (f venueFleet) card(t *testing.T) map[string]File {
	t.Helper()
	dir, err := f.AddKiosk(fleet.Place{Venue: venue, Kiosk: kiosk})
	must(t, err)
	config, err := os.ReadFile(filepath.Join(dir, "gatehouse.yaml"))
	must(t, err)
	secret, err := os.ReadFile(filepath.Join(dir, "venue.key"))
	must(t, err)
	bundle, err := f.Bundle(venue, time.Now())
	must(t, err)
	documents, err := bundle.Encode()
	must(t, err)
	return map[string]File{
		"/etc/gatehouse/gatehouse.yaml":       {Data: wire(t, config)},
		"/etc/gatehouse/venue.key":            {Data: secret, Mode: 0o600},
		"/etc/gatehouse/" + venue + ".bundle": {Data: documents},
	}
}

// wire replaces the lanes of a local config by the bench's.
func wire(t *testing.T, config []byte) []byte {
	t.Helper()
	head, _, found := strings.Cut(string(config), "\nlanes:\n")
	if !found {
		t.Fatalf("the fleet's local config has no lanes:\n%s", config)
	}
	return []byte(head + "\n" + wiring)
}

// nobody is the trust of somebody who knows no issuer.
type nobody struct{}

func (nobody) Keys(credential.Format, string, []byte) ([]*credential.Key, error) { return nil, nil }

// forge makes a pass that names the true issuer and the true key of a given
// one, and is signed with another.
func forge(t *testing.T, code string) string {
	t.Helper()
	var refusal *credential.Refusal
	if _, err := credential.Verify(code, nobody{}, time.Now()); !errors.As(err, &refusal) {
		t.Fatalf("a pass that nobody trusts gave %v", err)
	}
	_, private, err := ed25519.GenerateKey(nil)
	must(t, err)
	key, err := credential.NewSigningKey(refusal.Issuer, private)
	must(t, err)
	key.ID = refusal.KeyID
	claims := ticket()
	claims.ID = []byte("forged-pass")
	forged, err := credential.Sign(claims, key)
	must(t, err)
	return forged
}
