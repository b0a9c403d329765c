// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"gatehouse/device/client"
	"gatehouse/fleet"
	"gatehouse/fleet/centre"
	"gatehouse/fleet/collector"
	"gatehouse/fleet/folder"
	"gatehouse/sync/mqtttest"

	syncer "gatehouse/sync"
)

// office is the operator's machine in the network: a broker, and the centre that publishes and collects. It can lose its power
// and come back.
type office struct {
	fleet  *folder.Folder
	now    func() time.Time
	path   string // of the collected events
	log    *os.File
	broker *mqtttest.Embedded
	at     centre.Broker // how the operator's programs reach it

	store *collector.SQLite
	end   func() // ends the centre, and waits for that

	head   atomic.Uint64 // version of the newest that was published
	headed chan struct{} // holds one: a head was published
	orders chan []byte   // what was sent to the kiosk as an order
}

// newOffice makes the certificates of broker and operator, and takes an address on loopback.
func newOffice(s *stage) (*office, error) {
	o := &office{fleet: s.fleet, now: s.hands.now, path: filepath.Join(s.dir, "events.db"), headed: make(chan struct{}, 1), orders: make(chan []byte, 8)}
	secured, err := s.fleet.BrokerTLS(s.begin, "127.0.0.1")
	if err != nil {
		return nil, err
	}
	if o.at.TLS, err = s.fleet.OfficeTLS(s.begin); err != nil {
		return nil, err
	}
	secured.Time, o.at.TLS.Time = o.now, o.now // certificates are as old as the story says
	if o.broker, err = mqtttest.New(secured); err != nil {
		return nil, err
	}
	o.at.Addr = o.broker.Addr()
	o.log, err = os.OpenFile(filepath.Join(s.dir, "centre.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return o, err
}

// open gives the machine power, and waits until the fleet's head is out. What gatehouse-fleet serve does, it does.
func (o *office) open(ctx context.Context) error {
	select {
	case <-o.headed: // of before
	default:
	}
	if err := o.broker.Open(); err != nil {
		return err
	}
	if err := errors.Join(o.broker.Hear(syncer.DocumentTopic(fleet.KindHead, venue), o.noteHead),
		o.broker.Hear(syncer.DownTopic(gate1(), syncer.LeafCommand), o.noteOrder)); err != nil {
		return err
	}
	keys, err := o.fleet.SigningKeys(fleet.RoleCollector)
	if err != nil {
		return err
	}
	if o.store, err = collector.OpenSQLite(ctx, o.path); err != nil {
		return err
	}
	cfg := centre.Config{Broker: o.at, Blob: o.fleet.Blob, Now: o.now, Log: slog.New(slog.NewTextHandler(o.log, nil))}
	c := centre.New(cfg, folder.Heads{Folder: o.fleet}, collector.New(o.store, o.fleet.KeyOf, o.now, keys...))
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { defer close(done); c.Serve(serving) }()
	o.end = func() { cancel(); <-done }
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	select {
	case <-o.headed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waited for the fleet's head in vain: %w", context.Cause(ctx))
	}
}

// patience is how long anything about the network is waited for.
const patience = time.Minute

// kill takes the machine its power.
func (o *office) kill() error {
	if o.end == nil {
		return nil
	}
	o.broker.Kill()
	o.end()
	o.end = nil
	return o.store.Close()
}

func (o *office) close() error {
	if o == nil {
		return nil
	}
	return errors.Join(o.kill(), o.log.Close())
}

// noteHead remembers a head that goes to kiosks. What is no document no kiosk believes either.
func (o *office) noteHead(_ string, payload []byte) {
	d, err := fleet.ParseDocument(payload)
	if err != nil {
		return
	}
	o.head.Store(d.Version())
	select {
	case o.headed <- struct{}{}:
	default:
	}
}

func (o *office) noteOrder(_ string, payload []byte) {
	select {
	case o.orders <- append([]byte(nil), payload...):
	default: // the story orders little, and looks at each
	}
}

// apply publishes what was edited, as gatehouse-fleet apply does.
func (o *office) apply(ctx context.Context) error {
	return centre.Apply(ctx, centre.Config{Broker: o.at, Now: o.now}, folder.Applied{Folder: o.fleet})
}

// command orders the kiosk to do something at a lane, as gatehouse-fleet cmd does.
func (o *office) command(ctx context.Context, action fleet.Action, lane, why string) (syncer.Result, error) {
	keys, err := o.fleet.SigningKeys(fleet.RoleCommand)
	if err != nil {
		return syncer.Result{}, err
	}
	order := centre.Order{To: gate1(), Action: action, Lane: lane, Reason: why}
	return centre.Command(ctx, o.at, order, o.now(), keys...)
}

// again sends an order once more, as anybody at the broker can.
func (o *office) again(order []byte) error {
	return o.broker.Say(syncer.DownTopic(gate1(), syncer.LeafCommand), false, order)
}

// rows are the events that were collected.
func (o *office) rows(ctx context.Context) (rows []collector.Stored, err error) {
	p := gate1()
	err = o.store.Events(ctx, collector.Filter{Venue: p.Venue, Kiosk: p.Kiosk}, func(e collector.Stored) error {
		rows = append(rows, e)
		return nil
	})
	return rows, err
}

// inForce waits until the kiosk has the newest head in force and has recorded that. seen is its last event before.
func (s *stage) inForce(ctx context.Context, seen uint64) (*client.Status, error) {
	st, err := s.awaitFor(ctx, patience, "the fleet's newest head to be in force", func(st *client.Status) bool {
		return versionOf(st, fleet.KindHead) == s.office.head.Load() && st.Ledger.Events > seen
	})
	if err == nil {
		s.imports++
	}
	return st, err
}

// versionOf is the version in force of the venue's document of a kind.
func versionOf(st *client.Status, kind fleet.Kind) uint64 {
	for _, d := range st.Data.Documents {
		if d.Kind == string(kind) && d.Scope == venue {
			return d.Version
		}
	}
	return 0
}
