// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"cmp"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"gatehouse/cache"
	"gatehouse/device/condition"
	"gatehouse/entry"
	"gatehouse/fleet"
	syncer "gatehouse/sync"
)

// SyncConfig is how the kiosk reaches its fleet. Without it the kiosk only ever gets bundles.
type SyncConfig struct {
	// Brokers are host:port, tried in turn.
	Brokers []string `yaml:"brokers"`
	// CA, Certificate and Key are PEM files: whom the kiosk takes for its broker, and as whom it comes. The key signs its
	// records as well. gatehouse-fleet kiosk add writes them.
	CA          string `yaml:"ca"`
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`

	pool *x509.CertPool
	pair tls.Certificate
	sign fleet.SigningKey
}

func (c *SyncConfig) on() bool { return len(c.Brokers) > 0 }

func (c *SyncConfig) check() (field string, err error) {
	if !c.on() {
		if c.CA != "" || c.Certificate != "" || c.Key != "" {
			return "brokers", errors.New("is missing; write for example: brokers: [broker.example:8883]")
		}
		return "", nil
	}
	for _, b := range c.Brokers {
		if host, port, err := net.SplitHostPort(b); err != nil || host == "" || port == "" {
			return "brokers", fmt.Errorf("%q is not host:port; write for example broker.example:8883", b)
		}
	}
	for _, p := range []struct{ field, value string }{{"ca", c.CA}, {"certificate", c.Certificate}, {"key", c.Key}} {
		if p.value == "" {
			return p.field, errors.New("is missing; gatehouse-fleet kiosk add writes it")
		}
	}
	return "", nil
}

// load reads the files that it names.
func (c *SyncConfig) load() (err error) {
	if !c.on() {
		return nil
	}
	info, err := os.Stat(c.Key)
	if err != nil {
		return fmt.Errorf("key: %w; gatehouse-fleet kiosk add writes it beside the config", err)
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		return fmt.Errorf("key: %s can be read by everybody (mode %04o); run: chmod 0600 %s", c.Key, mode, c.Key)
	}
	text, err := readBounded(c.CA, maxPEM)
	if err != nil {
		return fmt.Errorf("ca: %w", err)
	}
	if c.pool = x509.NewCertPool(); !c.pool.AppendCertsFromPEM(text) {
		return fmt.Errorf("ca: %s holds no certificate (PEM)", c.CA)
	}
	if c.pair, err = tls.LoadX509KeyPair(c.Certificate, c.Key); err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	signer, ok := c.pair.PrivateKey.(crypto.Signer)
	if !ok {
		return fmt.Errorf("key: %s cannot sign", c.Key)
	}
	if c.sign, err = fleet.NewSigningKey(signer); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	return nil
}

// certificate reads the kiosk's certificate for each connection, so that a new one serves without a restart. Where it cannot be
// read the one that was there at the start serves on.
func (c *SyncConfig) certificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	if pair, err := tls.LoadX509KeyPair(c.Certificate, c.Key); err == nil {
		return &pair, nil
	}
	return &c.pair, nil
}

// maxPEM bounds a file of certificates, in bytes.
const maxPEM = 1 << 20

// tlsFor is how a connection to a host is secured. While the kiosk's clock is not trusted, chain and name of the broker's
// certificate are checked and dates are not: a board that woke in 1970 must reach what tells it the time. Nothing is
// believed because of the connection in any case.
func (k *kiosk) tlsFor(host string) *tls.Config {
	cfg := &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: k.cfg.Sync.pool, ServerName: host,
		GetClientCertificate: k.cfg.Sync.certificate,
		Time:                 func() time.Time { return k.time.moment().At },
	}
	if k.time.moment().Clock == entry.ClockSynced {
		return cfg
	}
	cfg.InsecureSkipVerify = true // and verified below, but for the dates
	cfg.VerifyConnection = func(s tls.ConnectionState) error { return verifyUndated(s, k.cfg.Sync.pool, host) }
	return cfg
}

func verifyUndated(s tls.ConnectionState, pool *x509.CertPool, host string) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("device: the broker has no certificate")
	}
	leaf := s.PeerCertificates[0]
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: pool, Intermediates: between, CurrentTime: leaf.NotBefore})
	return err
}

// reload is how long the kiosk waits for files of its sync block that are missing or spoiled.
const reload = 5 * time.Second

// join keeps the kiosk joined to its fleet until ctx ends, where the config says how. What is wrong with that is told, and
// waits: a certificate that is missing keeps nobody in and nobody out.
func (k *kiosk) join(ctx context.Context) {
	if !k.cfg.Sync.on() {
		return
	}
	for {
		err := k.cfg.Sync.load()
		if err == nil {
			break
		}
		k.health.set(condition.Broker, fmt.Errorf("device: sync.%w", err))
		if pause(ctx, cmp.Or(k.cfg.reopen, reload)); ctx.Err() != nil {
			return
		}
	}
	boot, err := k.hw.Clock.Boot()
	if err != nil {
		k.health.set(condition.Broker, err)
		return
	}
	staging := cache.NewStaging(filepath.Join(k.cfg.State, "blobs"))
	syncer.New(syncer.Config{
		Place: fleet.Place{Venue: k.cfg.Venue, Kiosk: k.cfg.Kiosk}, Boot: boot.ID, Program: Version(), Key: k.cfg.Sync.sign,
		Brokers: k.cfg.Sync.Brokers, TLS: k.tlsFor,
		State: func(err error) {
			k.joined.Store(err == nil)
			k.meter.connected(err)
			k.health.set(condition.Broker, err)
		},
		Alarm: func(err error) { k.health.set(condition.Receipt, err) },
		Log:   k.log,
	}, documents{k, staging}, k.ledger, staging, office{k}).Run(ctx)
}

// documents is the door of what a network brings: the same as for bundles.
type documents struct {
	*kiosk
	staging *cache.Staging
}

// Root implements syncer.Documents.
func (d documents) Root() *fleet.Root { return d.trust.Root() }

// Offer implements syncer.Documents.
func (d documents) Offer(ctx context.Context, heap []fleet.Document, blobs [][]byte) (fleet.Missing, error) {
	missing, changed, err := d.trust.Offer(ctx, heap, blobs, d.time.at())
	if err != nil {
		return missing, err
	}
	if len(changed) > 0 {
		d.inForce(ctx, changed)
	}
	if err := d.staging.Keep(missing.Blobs); err != nil {
		d.log.Warn("blobs that nothing waits for were not removed", "error", err)
	}
	return missing, nil
}

// inForce does what follows from new documents.
func (k *kiosk) inForce(ctx context.Context, changed []string) {
	k.log.Info("documents applied", "changed", changed)
	for _, l := range k.lanes {
		l.scanner.Forget()
	}
	k.raiseFloor()
	now := k.time.moment()
	ev := &entry.Event{At: now.At, Clock: now.Clock, Kind: entry.EventTrust, Note: fmt.Sprint(changed)}
	k.recorded(k.ledger.Record(ctx, ev))
	k.observe()
}
