// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/credential/credentialtest"
)

// morning is when most tests take place.
var morning = time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)

func ticket(n int) credential.Claims {
	id := fmt.Appendf(nil, "ticket-%09d", n)
	return credential.Claims{
		ID: id, Kind: "ticket", Scope: []string{"arena/north"},
		Issued: morning.Add(-time.Hour), NotBefore: morning.Add(-time.Hour), Expires: morning.Add(12 * time.Hour),
	}
}

func vaccinated() credentialtest.DCC {
	return credentialtest.DCC{
		FamilyName: "MUSTERMANN", GivenName: "ERIKA", BirthDate: "1964-08-12",
		UCI:    "URN:UVCI:01:AT:10807843F94AEE0EE5093FBC254BD813#B",
		Issued: morning.AddDate(0, -1, 0), Expires: morning.AddDate(0, 11, 0),
		Vaccination: &credentialtest.Vaccination{Dose: 2, Doses: 2, Date: morning.AddDate(0, -2, 0)},
	}
}

func newIssuer(tb testing.TB, name string, a credential.Algorithm) credential.SigningKey {
	tb.Helper()
	var signer crypto.Signer
	var err error
	if a == credential.EdDSA {
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	} else {
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		tb.Fatal(err)
	}
	k, err := credential.NewSigningKey(name, signer)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func keyringOf(tb testing.TB, signers ...credential.SigningKey) keyring {
	tb.Helper()
	var r keyring
	for _, s := range signers {
		k, err := s.Key()
		if err != nil {
			tb.Fatal(err)
		}
		r = append(r, &k)
	}
	return r
}

func sign(tb testing.TB, c credential.Claims, k credential.SigningKey) string {
	tb.Helper()
	code, err := credential.Sign(c, k)
	if err != nil {
		tb.Fatal(err)
	}
	return code
}

func newDSC(tb testing.TB, country string, a credential.Algorithm, usage credential.DCCUsage) *credentialtest.Signer {
	tb.Helper()
	s, err := credentialtest.NewSigner(country, a, usage, morning.AddDate(-1, 0, 0), morning.AddDate(1, 0, 0))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func dscKey(tb testing.TB, s *credentialtest.Signer) *credential.Key {
	tb.Helper()
	k, err := s.Key()
	if err != nil {
		tb.Fatal(err)
	}
	return &k
}

func signDCC(tb testing.TB, c credentialtest.DCC, s *credentialtest.Signer) string {
	tb.Helper()
	code, err := credentialtest.SignHC1(c, s)
	if err != nil {
		tb.Fatal(err)
	}
	return code
}
