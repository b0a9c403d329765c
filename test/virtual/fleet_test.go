// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

//go:build virtual

package virtual

import (
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"gatehouse/credential"
)

// venueFleet is an operator's folder, made with gatehouse-fleet as an operator
// would, with one venue, one kiosk and one issuer.
type venueFleet struct {
	program string
	folder  string
}

const (
	venue  = "north"
	kiosk  = "kiosk1"
	issuer = "box-office"
)

func newFleet(t *testing.T) *venueFleet {
	t.Helper()
	dir := t.TempDir()
	f := &venueFleet{program: filepath.Join(dir, "gatehouse-fleet"), folder: filepath.Join(dir, "fleet")}
	must(t, run(t.Context(), "go", "build", "-o", f.program, "gatehouse/cmd/gatehouse-fleet"))
	f.run(t, "init", "--venue", venue)
	f.run(t, "issuer", "add", issuer)
	return f
}

// run runs gatehouse-fleet on the folder.
func (f *venueFleet) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := output(t.Context(), "", nil, f.program, append([]string{"--folder", f.folder}, args...)...)
	must(t, err)
	return out
}

// issue makes a ticket for one admission.
func (f *venueFleet) issue(t *testing.T) string {
	t.Helper()
	code := strings.TrimSpace(f.run(t, "issue", issuer, "--kind", "ticket", "--scope", venue))
	if !strings.HasPrefix(code, "GH1:") {
		t.Fatal("gatehouse-fleet issue wrote no pass")
	}
	return code
}

// kioskFiles are the kiosk's local config, wired to the bench, its secret and
// its bundle, as they are put on a card.
func (f *venueFleet) kioskFiles(t *testing.T, wiring map[string]any) map[string]File {
	t.Helper()
	card := t.TempDir()
	f.run(t, "kiosk", "add", kiosk, "--venue", venue, "--out", card)
	f.run(t, "bundle", kiosk, "--venue", venue, "--out", filepath.Join(card, "fleet.bundle"))

	text, err := os.ReadFile(filepath.Join(card, "gatehouse.yaml"))
	must(t, err)
	config := map[string]any{}
	must(t, yaml.Unmarshal(text, &config))
	for key, value := range wiring {
		config[key] = value
	}
	config["venue_key"], config["bundle"] = "venue.key", "fleet.bundle"
	text, err = yaml.Marshal(config)
	must(t, err)

	files := map[string]File{"/etc/gatehouse/gatehouse.yaml": {Data: text}}
	for name, mode := range map[string]uint32{"venue.key": 0o600, "fleet.bundle": 0o644} {
		data, err := os.ReadFile(filepath.Join(card, name))
		must(t, err)
		files["/etc/gatehouse/"+name] = File{Data: data, Mode: mode}
	}
	return files
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
	forged, err := credential.Sign(credential.Claims{
		ID: []byte("forged-pass"), Kind: "ticket", Scope: []string{venue}, Expires: time.Now().Add(time.Hour),
	}, key)
	must(t, err)
	return forged
}
