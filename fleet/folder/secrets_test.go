// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"gatehouse/fleet"
)

// A thief of a kiosk finds nothing that signs: neither its folder nor its bundle holds a private key of the fleet.
func TestNoPrivateKeyGoesToAKiosk(t *testing.T) {
	o := newOperator(t)
	check(t, o.CertifyKiosk(fleet.Place{Venue: "arena", Kiosk: "gate-1"}, morning))
	_, _, err := o.CertifyBroker(morning, "broker.example")
	check(t, err)
	_, _, err = o.CertifyOffice(morning)
	check(t, err)
	b, err := o.Bundle("arena", morning)
	check(t, err)
	bundle, err := b.Encode()
	check(t, err)
	goes := map[string][]byte{"the bundle": bundle}
	for _, path := range files(t, o.path("kiosks", "arena", "gate-1")) {
		goes[filepath.Base(path)], err = os.ReadFile(path)
		check(t, err)
	}
	if goes["gatehouse.yaml"] == nil || goes["venue.key"] == nil || goes["kiosk.key"] == nil {
		t.Fatal("the kiosk's folder is another; the test would see nothing")
	}
	keys := 0
	for _, path := range append(files(t, o.path("keys")), files(t, o.path("broker"))...) {
		text, err := os.ReadFile(path)
		check(t, err)
		block, _ := pem.Decode(text)
		if block == nil || block.Type != "PRIVATE KEY" {
			continue
		}
		keys++
		seed := block.Bytes[len(block.Bytes)-32:] // RFC 8410: the private key is the end of PKCS #8
		for what, content := range goes {
			for _, form := range [][]byte{seed, []byte(base64.StdEncoding.EncodeToString(block.Bytes)), []byte(hex.EncodeToString(seed)), []byte("PRIVATE KEY")} {
				if bytes.Contains(content, form) && (what != "kiosk.key" || string(form) != "PRIVATE KEY") { // it has one of its own
					t.Errorf("%s holds %s", what, filepath.Base(path))
				}
			}
		}
	}
	if keys < 11 { // three offline ones, head, revocations, command, collector, the issuer's; authority, broker and office
		t.Fatalf("%d private keys were found", keys)
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	check(t, err)
	return all
}
