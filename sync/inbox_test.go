// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"context"
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatehouse/fleet"
)

// headOf is a head of the venue, which nobody has to believe.
func headOf(t *testing.T, version uint64) fleet.Document {
	t.Helper()
	signer, err := fleet.NewSigningKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	head, err := fleet.Sign(fleet.KindHead, "arena", version, time.Unix(1777622400, 0), map[string]string{}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return head
}

// The library delivers in a goroutine of its own, where a panic would end the process.
func TestAPanicOverAMessageIsRefused(t *testing.T) {
	var told error
	i := newInbox(fleet.Place{Venue: "arena", Kiosk: "gate-1"}, nil, func(_ string, err error) { told = err })
	i.put(DocumentTopic(fleet.KindHead, "arena"), headOf(t, 1).Bytes()) // there is no heap
	if !errors.Is(told, ErrPanic) {
		t.Errorf("told %v", told)
	}
}

// delivered is a message as the library delivers it.
type delivered struct {
	mqtt.Message
	topic   string
	payload []byte
}

func (d delivered) Topic() string   { return d.topic }
func (d delivered) Payload() []byte { return d.payload }
func (d delivered) Retained() bool  { return false }

// What the library delivers after a connection's end is not taken: the next connection may have brought newer documents, which
// four old ones would push out.
func TestWhatComesAfterAConnectionsEndIsLeft(t *testing.T) {
	c := &Client{cfg: Config{Place: fleet.Place{Venue: "arena", Kiosk: "gate-1"}}}
	ctx, end := context.WithCancel(t.Context())
	s := newSession(c)
	topic := DocumentTopic(fleet.KindHead, "arena")
	s.deliver(ctx, delivered{topic: topic, payload: headOf(t, 1).Bytes()})
	end()
	s.deliver(ctx, delivered{topic: topic, payload: headOf(t, 2).Bytes()})
	if kept := c.heap.all(); len(kept) != 1 || kept[0].Version() != 1 {
		t.Errorf("kept %d documents of which the first alone came in time", len(kept))
	}
}
