// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"gatehouse/fleet"
)

// The library delivers in a goroutine of its own, where a panic would end the process.
func TestAPanicOverAMessageIsRefused(t *testing.T) {
	signer, err := fleet.NewSigningKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	head, err := fleet.Sign(fleet.KindHead, "arena", 1, time.Unix(1777622400, 0), map[string]string{}, signer)
	if err != nil {
		t.Fatal(err)
	}
	var told error
	i := newInbox(fleet.Place{Venue: "arena", Kiosk: "gate-1"}, nil, func(_ string, err error) { told = err })
	i.put(DocumentTopic(fleet.KindHead, "arena"), head.Bytes()) // there is no heap
	if !errors.Is(told, ErrPanic) {
		t.Errorf("told %v", told)
	}
}
