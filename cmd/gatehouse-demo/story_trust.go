// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"gatehouse/entry"
	"gatehouse/fleet"
)

func persuasion(withdrawn *paper) act {
	return act{
		at: "08:00", title: "What nobody can talk the kiosk into",
		tells: "A ticket is withdrawn. From then on neither the ticket, nor older documents, nor forged ones bring it back.",
		scenes: []scene{
			does("the operator revokes a ticket; its bundle is here", "documents new", revoke(withdrawn)),
			show("the revoked ticket", entry.ReasonRevoked, withdrawn),
			{what: "the bundle before that is imported", says: "older than what is in force", refused: true, do: older},
			{what: "a forged head is imported", says: "not signed by enough of the keys", refused: true, do: forgeHead},
			show("the revoked ticket again", entry.ReasonRevoked, withdrawn),
		},
	}
}

// revoke withdraws a pass the way an operator does, and carries the new bundle to the kiosk.
func revoke(p *paper) func(context.Context, *stage) (string, error) {
	return func(ctx context.Context, s *stage) (string, error) {
		issued, err := p.issued(s)
		if err != nil {
			return "", err
		}
		if _, err := s.fleet.Revoke("arena", issued.ID); err != nil {
			return "", err
		}
		return renew(ctx, s)
	}
}

// renew signs a new bundle and imports it.
func renew(ctx context.Context, s *stage) (string, error) {
	bundle, err := s.signBundle()
	if err != nil {
		return "", err
	}
	text, err := s.importBundle(ctx, bundle)
	if err == nil {
		s.bundle, s.former = bundle, s.bundle
	}
	return text, err
}

// importBundle hands a bundle to the kiosk.
func (s *stage) importBundle(ctx context.Context, bundle []byte) (string, error) {
	i, err := s.client.Import(ctx, bundle)
	if err != nil {
		return "", err
	}
	s.imports++
	return fmt.Sprintf("%d documents new", len(i.Changed)), nil
}

// older offers the bundle before the present one.
func older(ctx context.Context, s *stage) (string, error) { return s.importBundle(ctx, s.former) }

// forgeHead offers a head that is newer than all, signed by somebody else's key, with the documents of the fleet.
func forgeHead(ctx context.Context, s *stage) (string, error) {
	now := s.hands.now()
	b, err := s.fleet.Bundle(venue, now)
	if err != nil {
		return "", err
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	key, err := fleet.NewSigningKey(private)
	if err != nil {
		return "", err
	}
	at := slices.IndexFunc(b.Documents, func(d fleet.Document) bool { return d.Kind() == fleet.KindHead })
	if at < 0 {
		return "", errors.New("the bundle has no head")
	}
	head := b.Documents[at]
	if b.Documents[at], err = fleet.Sign(head.Kind(), head.Scope(), head.Version()+1000, now, cbor.RawMessage(head.Body()), key); err != nil {
		return "", err
	}
	text, err := b.Encode()
	if err != nil {
		return "", err
	}
	return s.importBundle(ctx, text)
}
