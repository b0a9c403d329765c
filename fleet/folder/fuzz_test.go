// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"gatehouse/credential"
)

// FuzzPublicKey holds that what is taken for the public half of a fleet key is one that can be trusted in a root.
func FuzzPublicKey(f *testing.F) {
	for _, public := range []ed25519.PublicKey{
		ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey),
		append([]byte{1}, make([]byte, 31)...), // of small order
	} {
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
		f.Add(pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: der}))
		f.Add(pem.EncodeToMemory(&pem.Block{Type: pemPrivate, Bytes: der}))
	}
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		public, err := readPublic(text)
		if err != nil {
			return
		}
		k := credential.Key{Issuer: "fleet", ID: []byte{1}, Algorithm: credential.EdDSA, Public: public}
		if err := k.Validate(); err != nil {
			t.Fatal(err)
		}
	})
}
