// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/fleet"
	syncer "gatehouse/sync"
	"gatehouse/sync/mqtttest"
)

var (
	morning = time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	place   = fleet.Place{Venue: "arena", Kiosk: "gate-1"}
)

func key(tb testing.TB, label string) fleet.SigningKey {
	tb.Helper()
	seed := sha256.Sum256([]byte(label))
	k, err := fleet.NewSigningKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// rootOf is a root under which one key each signs what is said to kiosks.
func rootOf(tb testing.TB) *fleet.Root {
	r := &fleet.Root{NotBefore: uint64(morning.AddDate(-1, 0, 0).Unix()), NotAfter: uint64(morning.AddDate(9, 0, 0).Unix()), Roles: map[string]fleet.Role{}}
	for _, role := range []string{"root", "head", "issuers", "config", "revocations", fleet.RoleCommand, fleet.RoleCollector} {
		k := key(tb, role)
		r.Keys = append(r.Keys, fleet.RootKey{Public: k.Public()})
		r.Roles[role] = fleet.Role{Keys: []fleet.KeyID{k.ID()}, Threshold: 1}
	}
	return r
}

// blockOf is a block of a blob.
type blockOf struct {
	blob  fleet.Digest
	index uint32
}

// kiosk is the four rooms that a client joins, in memory.
type kiosk struct {
	tb   testing.TB
	root *fleet.Root

	mu       sync.Mutex
	changed  *sync.Cond
	offered  []fleet.Document
	offers   int
	blobs    [][]byte
	tried    []time.Time // when blobs were offered
	vain     bool        // whatever is offered is missing afterwards
	missing  fleet.Missing
	ledger   fleet.LedgerID
	events   [][]byte
	receipt  fleet.Receipt
	blocks   map[blockOf][]byte
	obeyed   []fleet.Command
	states   []error
	alarm    error
	alarms   []error // all that were told
	reported syncer.Reported
	at       time.Time // as the kiosk's clock says

	offerFails, receiptFails atomic.Bool // the next is a panic

	built   <-chan struct{} // an offer takes until it is closed; nil: no time
	hurried bool            // its client waits for moments in place of minutes
}

func newKiosk(tb testing.TB) *kiosk {
	k := &kiosk{tb: tb, root: rootOf(tb), ledger: fleet.LedgerID{1}, blocks: map[blockOf][]byte{}, reported: syncer.Reported{Code: "ok"}, at: morning}
	k.changed = sync.NewCond(&k.mu)
	return k
}

// set changes the kiosk and wakes who waits for it.
func (k *kiosk) set(do func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	do()
	k.changed.Broadcast()
}

// until waits for something about the kiosk.
func (k *kiosk) until(what string, is func() bool) {
	k.tb.Helper()
	late := false
	timer := time.AfterFunc(60*time.Second, func() { k.set(func() { late = true }) })
	defer timer.Stop()
	k.mu.Lock()
	defer k.mu.Unlock()
	for !is() {
		if late {
			k.tb.Fatalf("in a minute: not %s; states %v", what, k.states)
		}
		k.changed.Wait()
	}
}

func (k *kiosk) Offer(_ context.Context, heap []fleet.Document, blobs [][]byte) (m fleet.Missing, err error) {
	k.set(func() {
		k.offered = heap
		k.offers++
		if k.blobs = append(k.blobs, blobs...); len(blobs) > 0 {
			k.tried = append(k.tried, time.Now())
			if !k.vain {
				k.missing = fleet.Missing{}
			}
		}
		m = k.missing
	})
	if k.built != nil {
		<-k.built
	}
	if k.offerFails.CompareAndSwap(true, false) {
		panic("a document that nobody thought of")
	}
	return m, nil
}

func (k *kiosk) Root() *fleet.Root { return k.root }

func (k *kiosk) Records(after uint64) (*fleet.Records, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if after >= uint64(len(k.events)) {
		return nil, nil
	}
	upTo := min(uint64(len(k.events)), after+fleet.MaxRecords)
	return &fleet.Records{Ledger: k.ledger, First: after + 1, Oldest: 1, Before: k.linkAt(after), Events: k.events[after:upTo]}, nil
}

func (k *kiosk) linkAt(seq uint64) (l fleet.Link) {
	for i, ev := range k.events[:seq] {
		l = l.Next(k.ledger, uint64(i+1), ev)
	}
	return l
}

func (k *kiosk) Receipt() fleet.Receipt {
	k.mu.Lock()
	defer k.mu.Unlock()
	return fleet.Receipt{Ledger: k.ledger, Seq: k.receipt.Seq, Link: k.receipt.Link}
}

var errOther = errors.New("the collector has other events")

func (k *kiosk) Acknowledge(r fleet.Receipt) (err error) {
	if k.receiptFails.CompareAndSwap(true, false) {
		panic("a receipt that nobody thought of")
	}
	k.set(func() {
		switch {
		case r.Seq > uint64(len(k.events)):
			err = fleet.ErrAhead
		case r.Link != k.linkAt(r.Seq):
			err = errOther
		case r.Seq > k.receipt.Seq:
			k.receipt = r
		}
	})
	return err
}

func (k *kiosk) Lacks(b fleet.MissingBlob, most int) (lacks []uint32, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range uint32(len(b.Base.Blocks)) {
		if k.blocks[blockOf{b.Base.Digest, i}] == nil && len(lacks) < most {
			lacks = append(lacks, i)
		}
	}
	return lacks, nil
}

func (k *kiosk) Put(b fleet.MissingBlob, index uint32, block []byte) error {
	k.set(func() { k.blocks[blockOf{b.Base.Digest, index}] = block })
	return nil
}

func (k *kiosk) Take(b fleet.MissingBlob) (blob []byte, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range uint32(len(b.Base.Blocks)) {
		blob = append(blob, k.blocks[blockOf{b.Base.Digest, i}]...)
	}
	return blob, nil
}

func (k *kiosk) Obey(_ context.Context, c *fleet.Command) syncer.Result {
	k.set(func() { k.obeyed = append(k.obeyed, *c) })
	return syncer.Result{ID: c.ID.String(), Done: true, Code: "ok"}
}

func (k *kiosk) Report() (syncer.Reported, syncer.Beat) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.reported, syncer.Beat{At: k.at, Band: "fresh", Received: k.receipt.Seq, Last: uint64(len(k.events))}
}

// join runs a client of this kiosk until the test ends, or the function that it returns is called.
func (k *kiosk) join(brokers ...string) (leave func()) {
	k.tb.Helper()
	ctx, cancel := context.WithCancel(k.tb.Context())
	c := syncer.New(syncer.Config{
		Place: place, Boot: "boot-1", Program: "test", Key: key(k.tb, "kiosk"), Brokers: brokers,
		State: func(err error) { k.set(func() { k.states = append(k.states, err) }) },
		Alarm: func(err error) { k.set(func() { k.alarm, k.alarms = err, append(k.alarms, err) }) },
		Log:   slog.New(slog.NewTextHandler(io.Discard, nil)),
	}, k, k, k, k)
	if k.hurried {
		c.Hurry()
	}
	done := make(chan struct{})
	go func() { defer close(done); c.Run(ctx) }()
	leave = sync.OnceFunc(func() { cancel(); <-done })
	k.tb.Cleanup(leave)
	return leave
}

// failed waits until a connection has failed in this way.
func (k *kiosk) failed(with error) {
	k.tb.Helper()
	k.until(with.Error(), func() bool {
		return slices.ContainsFunc(k.states, func(err error) bool { return errors.Is(err, with) })
	})
}

func (k *kiosk) joined() bool { return len(k.states) > 0 && k.states[len(k.states)-1] == nil }

// ear hears everything at a broker.
type ear struct {
	tb testing.TB

	mu       sync.Mutex
	changed  *sync.Cond
	messages []heard
}

type heard struct {
	topic   string
	payload []byte
}

func listen(tb testing.TB, b *mqtttest.Broker) *ear {
	e := &ear{tb: tb}
	e.changed = sync.NewCond(&e.mu)
	b.Subscribe("#", func(topic string, payload []byte) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.messages = append(e.messages, heard{topic, append([]byte(nil), payload...)})
		e.changed.Broadcast()
	})
	return e
}

// next waits for a message on a topic of the kiosk, and takes it and all before it out.
func (e *ear) next(leaf string) []byte {
	e.tb.Helper()
	late := false
	timer := time.AfterFunc(60*time.Second, func() { e.mu.Lock(); late = true; e.changed.Broadcast(); e.mu.Unlock() })
	defer timer.Stop()
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		for i, m := range e.messages {
			if strings.HasPrefix(m.topic, "gatehouse/v1/arena/gate-1/"+leaf) {
				e.messages = e.messages[i+1:]
				return m.payload
			}
		}
		if late {
			e.tb.Fatalf("in a minute nothing on %s; %d other messages", leaf, len(e.messages))
		}
		e.changed.Wait()
	}
}

func (e *ear) status() (s syncer.Status) {
	e.tb.Helper()
	if err := json.Unmarshal(e.next("up/status"), &s); err != nil {
		e.tb.Fatal(err)
	}
	return s
}

func document(tb testing.TB, kind fleet.Kind, scope fleet.Scope, version uint64) fleet.Document {
	tb.Helper()
	d, err := fleet.Sign(kind, scope, version, morning, map[string]string{"n": fmt.Sprint(version)}, key(tb, kind.Role()))
	if err != nil {
		tb.Fatal(err)
	}
	return d
}
