// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"context"
	"crypto/tls"
	"log/slog"
	"time"

	"gatehouse/fleet"
)

// Documents is where documents go and where what is believed comes from.
type Documents interface {
	// Offer puts in force what can be, of documents and blobs of any origin, and tells what the newest head waits for.
	Offer(ctx context.Context, heap []fleet.Document, blobs [][]byte) (fleet.Missing, error)
	// Root is the newest root in force, nil before the first.
	Root() *fleet.Root
}

// Outbox is the record of events.
type Outbox interface {
	// Records are the durable events that follow a number, as many as a batch has; nil where there are none.
	Records(after uint64) (*fleet.Records, error)
	Receipt() fleet.Receipt
	// Acknowledge takes a verified receipt. fleet.ErrAhead and whatever else it refuses with are alarms.
	Acknowledge(fleet.Receipt) error
}

// Blobs keeps the blocks of blobs that are on their way, through restarts.
type Blobs interface {
	// Lacks are the numbers of the blocks that are not here yet, at most so many.
	Lacks(b fleet.MissingBlob, most int) ([]uint32, error)
	// Put keeps a block that was verified.
	Put(b fleet.MissingBlob, index uint32, block []byte) error
	// Take returns the whole blob.
	Take(b fleet.MissingBlob) ([]byte, error)
}

// Kiosk is what the kiosk does and says.
type Kiosk interface {
	// Obey carries out a command that is signed, fresh and new. It is recorded before it acts.
	Obey(ctx context.Context, c *fleet.Command) Result
	// Report is what is in force and how the kiosk is.
	Report() (Reported, Beat)
}

// Config is a kiosk's place in its fleet and how it gets there.
type Config struct {
	Place   fleet.Place
	Boot    string           // the kernel's boot id
	Program string           // the program's version
	Key     fleet.SigningKey // the kiosk's own, for its records
	Brokers []string         // host:port, tried in turn
	// TLS is asked for each connection; nil is plain TCP, for the demo and tests on loopback.
	TLS func(host string) *tls.Config
	// State hears how the connection is: nil once it stands and the kiosk's own status came back over it.
	State func(error)
	// Alarm hears of receipts that contradict the ledger; nil when they agree again.
	Alarm func(error)
	Log   *slog.Logger
}

// Client keeps a kiosk joined to its fleet.
type Client struct {
	cfg    Config
	docs   Documents
	outbox Outbox
	blobs  Blobs
	kiosk  Kiosk
	rhythm rhythm

	heap     heap // documents that arrived, through connections
	patience patience
	vain     map[fleet.Digest]time.Time // until when blobs that were offered in vain are not offered again
	partial  partial

	complaints complaints
}

// New joins a kiosk to its fleet once Run is called.
func New(cfg Config, docs Documents, outbox Outbox, blobs Blobs, kiosk Kiosk) *Client {
	return &Client{cfg: cfg, docs: docs, outbox: outbox, blobs: blobs, kiosk: kiosk, rhythm: calm(), patience: patience{}, vain: map[fleet.Digest]time.Time{}}
}
