// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder_test

import (
	"bytes"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
)

// A thief of a kiosk finds nothing that signs: neither its folder nor its bundle holds a private key of the fleet.
func TestNoPrivateKeyGoesToAKiosk(t *testing.T) {
	o := newOperator(t)
	b, err := o.Bundle("arena", morning)
	check(t, err)
	bundle, err := b.Encode()
	check(t, err)
	goes := map[string][]byte{"the bundle": bundle}
	for _, path := range files(t, o.path("kiosks", "arena", "gate-1")) {
		goes[filepath.Base(path)], err = os.ReadFile(path)
		check(t, err)
	}
	if goes["gatehouse.yaml"] == nil || goes["venue.key"] == nil {
		t.Fatal("the kiosk's folder is another; the test would see nothing")
	}
	keys := 0
	for _, path := range files(t, o.path("keys")) {
		text, err := os.ReadFile(path)
		check(t, err)
		block, _ := pem.Decode(text)
		if block == nil || block.Type != "PRIVATE KEY" {
			continue
		}
		keys++
		seed := block.Bytes[len(block.Bytes)-32:] // RFC 8410: the private key is the end of PKCS #8
		for what, content := range goes {
			for _, form := range [][]byte{seed, []byte(hex.EncodeToString(seed)), []byte("PRIVATE KEY")} {
				if bytes.Contains(content, form) {
					t.Errorf("%s holds %s", what, filepath.Base(path))
				}
			}
		}
	}
	if keys < 6 { // three offline ones, head, revocations, and the issuer's
		t.Fatalf("%d private keys were found", keys)
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	check(t, err)
	return all
}
