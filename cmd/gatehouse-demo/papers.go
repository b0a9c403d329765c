// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"time"

	"gatehouse/credential"
	"gatehouse/credential/credentialtest"
	"gatehouse/fleet/folder"
)

// paper is a code on a guest's phone. It is made when it is shown first, by the story's clock, and is the same from then on.
type paper struct {
	sign func(*stage) (folder.Issued, error)
	made folder.Issued
}

func (p *paper) issued(s *stage) (folder.Issued, error) {
	if p.made.Code != "" {
		return p.made, nil
	}
	var err error
	p.made, err = p.sign(s)
	return p.made, err
}

// pass is a Gatehouse pass that an issuer gives out with the claims that are made at the time.
func pass(issuer string, claims func(now time.Time) credential.Claims) *paper {
	return &paper{sign: func(s *stage) (folder.Issued, error) { return s.fleet.Issue(issuer, claims(s.hands.now())) }}
}

// ticket is today's, for this venue.
func ticket(issuer string) *paper { return ticketFor(issuer, venue, 12*time.Hour) }

// ticketFor is a ticket for a venue that is good for a time from now.
func ticketFor(issuer, venue string, good time.Duration) *paper {
	return pass(issuer, func(now time.Time) credential.Claims {
		return credential.Claims{Kind: "ticket", Issued: now.Add(-24 * time.Hour), Expires: now.Add(good), Scope: []string{venue}}
	})
}

// goodFor is how long a health or travel code says itself that it is good. What a venue takes is shorter.
const goodFor = 7 * 24 * time.Hour

// statusCode is the health or travel code of a person, got some time ago.
func statusCode(kind, issuer, level, person string, age time.Duration) *paper {
	return pass(issuer, func(now time.Time) credential.Claims {
		got := now.Add(-age)
		return credential.Claims{Kind: kind, Level: level, Issued: got, Expires: got.Add(goodFor), Holder: holder(person)}
	})
}

func health(issuer, person string) *paper {
	return statusCode("health", issuer, "green", person, time.Hour)
}

func travel(issuer, person string) *paper { return oldTravel(issuer, person, time.Hour) }

func oldTravel(issuer, person string, age time.Duration) *paper {
	return statusCode("travel", issuer, "green", person, age)
}

// holder is the pseudonym that all issuers know a person by.
func holder(person string) []byte {
	sum := sha256.Sum256([]byte(person))
	return sum[:16]
}

// words is a code that is no pass at all.
func words(text string) *paper { return &paper{made: folder.Issued{Code: text}} }

// half is what a torn printout shows of a pass.
func half(p *paper) *paper {
	return &paper{sign: func(s *stage) (folder.Issued, error) {
		whole, err := p.issued(s)
		return folder.Issued{Code: whole.Code[:len(whole.Code)/2]}, err
	}}
}

// certificate is an EU certificate, of a vaccination or of a positive test.
func certificate(positive bool) *paper {
	return &paper{sign: func(s *stage) (i folder.Issued, err error) {
		now := s.hands.now()
		dcc := credentialtest.DCC{FamilyName: "MUSTERFRAU", GivenName: "GABRIELE", BirthDate: "1998-02-26",
			UCI: "URN:UVCI:01:AT:DEMO0001#A", Issued: now.AddDate(0, 0, -2), Expires: now.AddDate(0, 6, 0),
			Vaccination: &credentialtest.Vaccination{Dose: 2, Doses: 2, Date: now.AddDate(0, -1, 0)}}
		if positive {
			dcc.UCI, dcc.Vaccination = "URN:UVCI:01:AT:DEMO0002#B", nil
			dcc.Test = &credentialtest.Test{Positive: true, Sampled: now.Add(-20 * time.Hour)}
		}
		i.Code, err = credentialtest.SignHC1(dcc, s.dsc)
		return i, err
	}}
}

// forged is a ticket in the arena's name that a forger signed with a key of his own, under the id of the arena's key.
func forged() *paper {
	return &paper{sign: func(s *stage) (folder.Issued, error) {
		text, err := os.ReadFile(filepath.Join(s.fleet.Dir(), "keys", "issuer-arena.pem"))
		if err != nil {
			return folder.Issued{}, err
		}
		block, _ := pem.Decode(text)
		if block == nil {
			return folder.Issued{}, errors.New("the arena's key is no PEM")
		}
		private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return folder.Issued{}, err
		}
		genuine, err := credential.NewSigningKey("arena", private.(crypto.Signer))
		if err != nil {
			return folder.Issued{}, err
		}
		return signAs("arena", genuine.ID, s.hands.now())
	}}
}

// strange is a ticket of an issuer that is in no trust list.
func strange() *paper {
	return &paper{sign: func(s *stage) (folder.Issued, error) { return signAs("nowhere", nil, s.hands.now()) }}
}

// signAs signs a ticket with a new key, under the name of an issuer and the id of a key; nil is the new key's own.
func signAs(issuer string, id []byte, now time.Time) (i folder.Issued, err error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return i, err
	}
	key, err := credential.NewSigningKey(issuer, private)
	if err != nil {
		return i, err
	}
	if id != nil {
		key.ID = id
	}
	unique := make([]byte, 16)
	_, _ = rand.Read(unique) // never fails
	i.Code, err = credential.Sign(credential.Claims{ID: unique, Kind: "ticket", Issued: now, Expires: now.Add(time.Hour), Scope: []string{venue}}, key)
	return i, err
}
