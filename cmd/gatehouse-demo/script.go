// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"

	"gatehouse/credential"
	"gatehouse/credential/credentialtest"
	"gatehouse/device/client"
	"gatehouse/fleet"
)

// cast holds the codes that are shown.
type cast struct {
	day, city, second, third, fresh      string // good tickets
	expired, elsewhere, forged, stranger string
	withdrawn, withdrawnID               string
	vaccinated, positive                 string
}

// script is the morning.
func script(s *stage) ([]act, error) {
	c, err := newCast(s)
	if err != nil {
		return nil, err
	}
	older, err := s.bundle()
	if err != nil {
		return nil, err
	}
	return []act{
		show("a day ticket of the arena", "ok", c.day),
		show("a ticket that the city issued", "ok", c.city),
		show("an EU certificate of vaccination", "ok", c.vaccinated),
		show("a valid EU certificate of a positive test", "not_accepted", c.positive),
		show("yesterday's ticket", "expired", c.expired),
		show("a ticket signed by a forger with the arena's key id", "bad_signature", c.forged),
		show("a ticket of an issuer that nobody knows", "unknown_issuer", c.stranger),
		show("a ticket for the pool across the street", "wrong_venue", c.elsewhere),
		show("the first day ticket again", "already_used", c.day),
		show("the menu of the café", "unrecognised", "https://example.org/menu"),
		show("half a ticket", "malformed", c.second[:len(c.second)/2]),
		{what: "a ticket held in front of the scanner, read five times", want: "ok",
			do: func(ctx context.Context, s *stage) (answer, error) { return s.show(ctx, c.second, 5) }},
		{what: "the operator revokes a ticket; the bundle is imported", do: func(ctx context.Context, s *stage) (answer, error) {
			return s.revoke(ctx, c.withdrawnID)
		}},
		show("the revoked ticket", "revoked", c.withdrawn),
		{what: "an older head is imported", says: "older than what is in force", do: func(ctx context.Context, s *stage) (answer, error) {
			return s.importBundle(ctx, older)
		}},
		{what: "a forged head is imported", says: "not signed by enough of the keys", do: func(ctx context.Context, s *stage) (answer, error) {
			return s.forgeHead(ctx)
		}},
		show("the revoked ticket again", "revoked", c.withdrawn),
		{what: "the scanner is unplugged and plugged in again", do: replug},
		show("a ticket after that", "ok", c.third),
		{what: "the kiosk is killed (kill -9) and started again", do: kill},
		show("the first day ticket, after the restart", "already_used", c.day),
		show("the revoked ticket, after the restart", "revoked", c.withdrawn),
		show("a fresh ticket, after the restart", "ok", c.fresh),
	}, nil
}

func newCast(s *stage) (*cast, error) {
	now := time.Now()
	var errs []error
	ticket := func(issuer string, change func(*credential.Claims)) (code, id string) {
		claims := credential.Claims{Kind: "ticket", Issued: now.Add(-time.Hour), Expires: now.Add(12 * time.Hour), Scope: []string{venue}}
		if change != nil {
			change(&claims)
		}
		issued, err := s.fleet.Issue(issuer, claims)
		errs = append(errs, err)
		return issued.Code, issued.ID
	}
	var c cast
	c.day, _ = ticket("arena", nil)
	c.city, _ = ticket("city", nil)
	c.second, _ = ticket("arena", nil)
	c.third, _ = ticket("arena", nil)
	c.fresh, _ = ticket("arena", nil)
	c.expired, _ = ticket("arena", func(c *credential.Claims) { c.Expires = now.Add(-time.Minute) })
	c.elsewhere, _ = ticket("arena", func(c *credential.Claims) { c.Scope = []string{"pool"} })
	c.withdrawn, c.withdrawnID = ticket("arena", nil)

	var err error
	c.forged, err = s.forge(now)
	errs = append(errs, err)
	c.stranger, err = strange(now)
	errs = append(errs, err)
	dcc := credentialtest.DCC{FamilyName: "MUSTERFRAU", GivenName: "GABRIELE", BirthDate: "1998-02-26", Issued: now.AddDate(0, 0, -2), Expires: now.AddDate(0, 6, 0)}
	dcc.UCI, dcc.Vaccination = "URN:UVCI:01:AT:DEMO0001#A", &credentialtest.Vaccination{Dose: 2, Doses: 2, Date: now.AddDate(0, -1, 0)}
	c.vaccinated, err = credentialtest.SignHC1(dcc, s.dsc)
	errs = append(errs, err)
	dcc.UCI, dcc.Vaccination, dcc.Test = "URN:UVCI:01:AT:DEMO0002#B", nil, &credentialtest.Test{Positive: true, Sampled: now.Add(-20 * time.Hour)}
	c.positive, err = credentialtest.SignHC1(dcc, s.dsc)
	errs = append(errs, err)
	return &c, errors.Join(errs...)
}

// forge signs a ticket in the arena's name with a key of the forger's own, under the id of the arena's key.
func (s *stage) forge(now time.Time) (string, error) {
	text, err := os.ReadFile(filepath.Join(s.fleet.Dir(), "keys", "issuer-arena.pem"))
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return "", errors.New("the arena's key is no PEM")
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return "", err
	}
	genuine, err := credential.NewSigningKey("arena", private.(crypto.Signer))
	if err != nil {
		return "", err
	}
	forger, err := newKey("arena")
	if err != nil {
		return "", err
	}
	forger.ID = genuine.ID
	return sign(forger, now)
}

// strange signs a ticket as an issuer that is in no trust list.
func strange(now time.Time) (string, error) {
	key, err := newKey("nowhere")
	if err != nil {
		return "", err
	}
	return sign(key, now)
}

func newKey(issuer string) (credential.SigningKey, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return credential.SigningKey{}, err
	}
	return credential.NewSigningKey(issuer, private)
}

func sign(key credential.SigningKey, now time.Time) (string, error) {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	return credential.Sign(credential.Claims{ID: id, Kind: "ticket", Issued: now, Expires: now.Add(time.Hour), Scope: []string{venue}}, key)
}

// revoke withdraws a pass the way an operator does, and carries the new bundle to the kiosk.
func (s *stage) revoke(ctx context.Context, id string) (answer, error) {
	if _, err := s.fleet.Revoke("arena", id); err != nil {
		return answer{}, err
	}
	bundle, err := s.bundle()
	if err != nil {
		return answer{}, err
	}
	return s.importBundle(ctx, bundle)
}

// importBundle hands a bundle to the kiosk; a refusal is an answer.
func (s *stage) importBundle(ctx context.Context, bundle []byte) (answer, error) {
	i, err := s.client.Import(ctx, bundle)
	if errors.Is(err, client.ErrRefused) {
		_, why, _ := strings.Cut(err.Error(), client.ErrRefused.Error()+": ")
		return answer{text: why, refused: true}, nil
	}
	if err != nil {
		return answer{}, err
	}
	s.imports++
	return answer{text: fmt.Sprintf("%d documents new", len(i.Changed))}, nil
}

// forgeHead offers a head that is newer than all, signed by somebody else's key, with the documents of the fleet.
func (s *stage) forgeHead(ctx context.Context) (answer, error) {
	b, err := s.fleet.Bundle(venue, time.Now())
	if err != nil {
		return answer{}, err
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return answer{}, err
	}
	key, err := fleet.NewSigningKey(private)
	if err != nil {
		return answer{}, err
	}
	at := slices.IndexFunc(b.Documents, func(d fleet.Document) bool { return d.Kind() == fleet.KindHead })
	if at < 0 {
		return answer{}, errors.New("the bundle has no head")
	}
	head := b.Documents[at]
	if b.Documents[at], err = fleet.Sign(head.Kind(), head.Scope(), head.Version()+1000, time.Now(), cbor.RawMessage(head.Body()), key); err != nil {
		return answer{}, err
	}
	text, err := b.Encode()
	if err != nil {
		return answer{}, err
	}
	return s.importBundle(ctx, text)
}
