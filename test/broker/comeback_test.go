// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/fleet"
	"gatehouse/fleet/centre"
	"gatehouse/fleet/collector"
	"gatehouse/fleet/folder"
	syncer "gatehouse/sync"
)

// memory is a kiosk's record in memory, with events that wait for the collector.
type memory struct {
	place  fleet.Place
	ledger fleet.LedgerID
	events [][]byte
	links  []fleet.Link // at each event, from before the first on

	mu       sync.Mutex
	batches  int // that were sent
	received uint64
}

// keyOf is the key of a kiosk of these tests.
func keyOf(p fleet.Place) fleet.SigningKey {
	seed := sha256.Sum256([]byte(p.String()))
	key, _ := fleet.NewSigningKey(ed25519.NewKeyFromSeed(seed[:])) // fails for other kinds of keys only
	return key
}

func publicKeyOf(p fleet.Place) ed25519.PublicKey { return keyOf(p).Public() }

// remember is a kiosk that has recorded as many admissions.
func remember(t testing.TB, n, events int) *memory {
	t.Helper()
	m := &memory{
		place:  fleet.Place{Venue: one.Venue, Kiosk: fmt.Sprintf("lane-%d", n)},
		ledger: fleet.LedgerID{byte(n), byte(n >> 8), 1}, links: make([]fleet.Link, 1),
	}
	for i := range events {
		raw, err := fleet.EncodeEvent(&entry.Event{
			At: time.Now(), Clock: entry.ClockSynced, Kind: entry.EventDecision, Lane: "in-1", Outcome: entry.Admit, Reason: "ok",
			Format: string(credential.GH1), Issuer: "arena", PassKind: "ticket", Rule: "day ticket",
		})
		check(t, err)
		m.events = append(m.events, raw)
		m.links = append(m.links, m.links[i].Next(m.ledger, uint64(i+1), raw))
	}
	return m
}

func (m *memory) batch(after uint64) *fleet.Records {
	upTo := min(uint64(len(m.events)), after+fleet.MaxRecords)
	return &fleet.Records{Ledger: m.ledger, First: after + 1, Oldest: 1, Before: m.links[after], Events: m.events[after:upTo]}
}

func (m *memory) Records(after uint64) (*fleet.Records, error) {
	if after >= uint64(len(m.events)) {
		return nil, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.batches++
	return m.batch(after), nil
}

func (m *memory) Receipt() fleet.Receipt {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fleet.Receipt{Ledger: m.ledger, Seq: m.received, Link: m.links[m.received]}
}

func (m *memory) Acknowledge(r fleet.Receipt) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.Seq >= uint64(len(m.links)) || r.Link != m.links[r.Seq] {
		return fleet.ErrAhead
	}
	m.received = max(m.received, r.Seq)
	return nil
}

func (m *memory) Report() (syncer.Reported, syncer.Beat) {
	return syncer.Reported{Code: "ok"}, syncer.Beat{At: time.Now(), Band: "fresh", Received: m.Receipt().Seq, Last: uint64(len(m.events))}
}

func (m *memory) Obey(context.Context, *fleet.Command) syncer.Result { return syncer.Result{} }

// shelf is the documents of a kiosk that only has a root, and fetches nothing.
type shelf struct{ root *fleet.Root }

func (s shelf) Root() *fleet.Root { return s.root }

func (s shelf) Offer(context.Context, []fleet.Document, [][]byte) (m fleet.Missing, err error) {
	return m, nil
}

func (s shelf) Lacks(fleet.MissingBlob, int) ([]uint32, error) { return nil, nil }
func (s shelf) Put(fleet.MissingBlob, uint32, []byte) error    { return nil }
func (s shelf) Take(fleet.MissingBlob) ([]byte, error)         { return nil, nil }

// region is a fleet of many kiosks in memory at one broker, which the office's certificate lets all speak.
type region struct {
	f       *folder.Folder
	broker  mosquitto
	kiosks  []*memory
	running sync.WaitGroup
}

func regionOf(t testing.TB, kiosks, events int) *region {
	t.Helper()
	f := city(t)
	r := &region{f: f, broker: start(t, f)}
	r.broker.letOfficeWrite()
	for n := range kiosks {
		r.kiosks = append(r.kiosks, remember(t, n, events))
	}
	return r
}

// collect runs the region's centre over a store until ctx ends.
func (r *region) collect(ctx context.Context, t testing.TB, s collector.Store) {
	t.Helper()
	keys, err := r.f.SigningKeys(fleet.RoleCollector)
	check(t, err)
	c := centre.New(centre.Config{Broker: officeAt(t, r.f, r.broker.Addr), Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}, nothing{},
		collector.New(s, publicKeyOf, time.Now, keys...))
	r.running.Go(func() { c.Serve(ctx) })
}

// join connects every kiosk until ctx ends.
func (r *region) join(ctx context.Context, t testing.TB) {
	t.Helper()
	b, err := r.f.Online(one.Venue, time.Now())
	check(t, err)
	root, err := fleet.ReadRoot(b.Documents[0])
	check(t, err)
	office, err := r.f.OfficeTLS(time.Now())
	check(t, err)
	for _, k := range r.kiosks {
		c := syncer.New(syncer.Config{
			Place: k.place, Boot: "boot", Program: "test", Key: keyOf(k.place), Brokers: []string{r.broker.Addr},
			TLS:   func(host string) *tls.Config { c := office.Clone(); c.ServerName = host; return c },
			State: func(error) {}, Alarm: func(error) {}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		}, shelf{root}, k, shelf{}, k)
		r.running.Go(func() { c.Run(ctx) })
	}
}

// held is a store that takes nothing before it is let.
type held struct {
	collector.Store
	asked chan<- struct{}
	let   <-chan struct{}
}

func (h held) Batch(ctx context.Context, do func(collector.Tx) error) error {
	select {
	case h.asked <- struct{}{}:
	default:
	}
	<-h.let
	return h.Store.Batch(ctx, do)
}

// A whole region sends at one moment, while the collector's disk stands still: what there is no room for waits at the broker.
// What the centre dropped its kiosks would send again later and later, while it idles.
func TestARegionThatComesBackAtOnceIsHeardWhole(t *testing.T) {
	const kiosks = 3000
	r := regionOf(t, kiosks, 1)
	store, err := collector.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "events.db"))
	check(t, err)
	t.Cleanup(func() { store.Close() })
	asked, let := make(chan struct{}, 1), make(chan struct{})
	release := sync.OnceFunc(func() { close(let) })
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { release(); cancel(); r.running.Wait() })
	r.collect(ctx, t, held{store, asked, let})

	receipts := make(chan string, kiosks)
	office := r.broker.office(r.f)
	token := office.Subscribe(syncer.DownTopic(fleet.Place{Venue: "+", Kiosk: "+"}, syncer.LeafReceipt), 0, func(_ mqtt.Client, m mqtt.Message) { receipts <- m.Topic() })
	token.Wait()
	check(t, token.Error())
	send := func(k *memory) mqtt.Token {
		raw, err := fleet.SignRecords(k.place, time.Now(), *k.batch(0), keyOf(k.place))
		check(t, err)
		return office.Publish(syncer.UpTopic(k.place, syncer.LeafRecords), 1, false, raw)
	}
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for listens := false; !listens; {
		send(r.kiosks[0])
		select {
		case <-asked:
			listens = true
		case <-again.C:
		}
	}
	var sent []mqtt.Token
	for _, k := range r.kiosks[1:] {
		sent = append(sent, send(k))
	}
	for _, s := range sent {
		s.Wait()
		check(t, s.Error())
	}
	release()

	answered := map[string]bool{}
	late := time.After(2 * time.Minute)
	for len(answered) < kiosks {
		select {
		case topic := <-receipts:
			answered[topic] = true
		case <-late:
			t.Fatalf("%d of %d kiosks have a receipt in two minutes, and nobody sends again", len(answered), kiosks)
		}
	}
}
