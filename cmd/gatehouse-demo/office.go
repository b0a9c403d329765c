// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"gatehouse/fleet"
	"gatehouse/fleet/centre"
	"gatehouse/fleet/collector"
	"gatehouse/fleet/folder"
	syncer "gatehouse/sync"
	"gatehouse/sync/mqtttest"
)

// office is the fleet's own side of the network: a broker with TLS, who publishes there and who collects events.
type office struct {
	broker  *mqtttest.Embedded
	way     centre.Broker
	store   *collector.SQLite
	log     *os.File
	stop    context.CancelFunc
	stopped chan struct{}

	order    []byte // the last command, as somebody on the network records it
	commands int    // that the kiosk has carried out, each an event
	openings int    // of those; each has a passage, which is an event too
}

var gate1 = fleet.Place{Venue: venue, Kiosk: "gate-1"}

// applied is a folder of which everything that was edited is published, and renewed one of which only heads are.
type (
	applied struct{ *folder.Folder }
	renewed struct{ *folder.Folder }
)

func (a applied) Bundle(venue string, at time.Time) (*fleet.Bundle, error) {
	return a.Online(venue, at)
}

func (r renewed) Bundle(venue string, at time.Time) (*fleet.Bundle, error) {
	return r.Renewed(venue, at)
}

// openOffice starts broker and centre, with certificates of the fleet's folder.
func (s *stage) openOffice(ctx context.Context) error {
	o := &office{stopped: make(chan struct{})}
	s.office = o
	now := s.hands.now()
	served, pool, err := s.identity(s.fleet.CertifyBroker(now, "127.0.0.1"))
	if err != nil {
		return err
	}
	mine, _, err := s.identity(s.fleet.CertifyOffice(now))
	if err != nil {
		return err
	}
	if o.broker, err = mqtttest.New(&tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{served}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, Time: s.hands.now,
	}); err != nil {
		return err
	}
	o.way = centre.Broker{Addr: o.broker.Addr(), TLS: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, Certificates: []tls.Certificate{mine}, Time: s.hands.now}}
	if err := o.broker.Open(); err != nil {
		return err
	}
	if o.store, err = collector.OpenSQLite(ctx, filepath.Join(s.dir, "events.db")); err != nil {
		return err
	}
	if o.log, err = os.Create(filepath.Join(s.dir, "office.log")); err != nil {
		return err
	}
	keys, err := s.fleet.SigningKeys(fleet.RoleCollector)
	if err != nil {
		return err
	}
	if err := s.apply(ctx); err != nil {
		return err
	}
	c := centre.New(centre.Config{Broker: o.way, Now: s.hands.now, Log: slog.New(slog.NewTextHandler(o.log, nil))},
		renewed{s.fleet}, collector.New(o.store, s.fleet.KeyOf, s.hands.now, keys...))
	serving, stop := context.WithCancel(ctx)
	o.stop = stop
	go func() { defer close(o.stopped); c.Serve(serving) }()
	return nil
}

// identity reads a certificate of the fleet's folder, and the pool of its authority.
func (s *stage) identity(certificate, key string, err error) (tls.Certificate, *x509.CertPool, error) {
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return pair, nil, err
	}
	text, err := os.ReadFile(s.fleet.AuthorityPath())
	if err != nil {
		return pair, nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return pair, nil, fmt.Errorf("%s holds no certificate", s.fleet.AuthorityPath())
	}
	return pair, pool, nil
}

// apply does what gatehouse-fleet apply does.
func (s *stage) apply(ctx context.Context) error {
	return centre.Apply(ctx, centre.Config{Broker: s.office.way, Now: s.hands.now}, applied{s.fleet})
}

// command does what gatehouse-fleet cmd does, and somebody on the network listens.
func (s *stage) command(ctx context.Context, o centre.Order) (syncer.Result, error) {
	keys, err := s.fleet.SigningKeys(fleet.RoleCommand)
	if err != nil {
		return syncer.Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	o.To = gate1
	r, err := centre.Command(ctx, s.office.way, o, s.hands.now(), keys...)
	if err == nil && r.Done {
		s.office.commands++
	}
	return r, err
}

func (o *office) close() error {
	if o == nil {
		return nil
	}
	var errs []error
	if o.stop != nil {
		o.stop()
		<-o.stopped
	}
	if o.broker != nil {
		o.broker.Kill()
	}
	if o.store != nil {
		errs = append(errs, o.store.Close())
	}
	if o.log != nil {
		errs = append(errs, o.log.Close())
	}
	return errors.Join(errs...)
}

// syncBlock is what a technician adds to a kiosk's local config.
const syncBlock = `sync: {brokers: ["%s"], ca: broker-ca.pem, certificate: kiosk.pem, key: kiosk.key}
`

// join does what a technician does once: the kiosk's certificate beside its config, where its broker is, and a restart.
func (s *stage) join(ctx context.Context) error {
	if err := s.fleet.CertifyKiosk(gate1, s.hands.now()); err != nil {
		return err
	}
	home := filepath.Dir(s.config)
	for _, name := range []string{"kiosk.pem", "kiosk.key", "broker-ca.pem"} {
		text, err := os.ReadFile(filepath.Join(s.fleet.Dir(), "kiosks", gate1.Venue, gate1.Kiosk, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(home, name), text, 0o600); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(s.config)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.config, fmt.Appendf(text, syncBlock, s.office.broker.Addr()), 0o600); err != nil {
		return err
	}
	s.kiosk.end(syscall.SIGTERM)
	return s.startKiosk(ctx)
}

// commanded is how many openings and how many events the fleet's commands have made.
func (s *stage) commanded() (openings, events int) {
	if s.office == nil {
		return 0, 0
	}
	return s.office.openings, s.office.commands + s.office.openings
}
