// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package centre

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gatehouse/fleet"
	"gatehouse/fleet/collector"
	syncer "gatehouse/sync"
)

// Source is what a fleet has to say: its folder.
type Source interface {
	Venues() ([]string, error)
	// Bundle is what a venue's kiosks are to be told, under a new head. Its blobs are not asked for.
	Bundle(venue string, at time.Time) (*fleet.Bundle, error)
	// Last is the bundle that was signed last for a venue, by whomever.
	Last(venue string, at time.Time) (*fleet.Bundle, error)
}

// Config is how a centre works.
type Config struct {
	Broker Broker
	// Every is how often heads are signed anew: 10 minutes if absent.
	Every time.Duration
	// Blob is a blob that was published; nil where kiosks fetch none from here.
	Blob func(fleet.Digest) ([]byte, error)
	Now  func() time.Time
	Log  *slog.Logger
}

// DefaultEvery is how often heads are signed anew.
const DefaultEvery = 10 * time.Minute

// Centre serves a fleet.
type Centre struct {
	cfg       Config
	source    Source
	collector *collector.Collector // nil: no events are taken
	wants     *wants
	blobs     blobs
	published map[string]fleet.Digest // by topic, on this connection

	complaints complaints
}

// New serves what a source has to say and collects events once Serve is called.
func New(cfg Config, source Source, c *collector.Collector) *Centre {
	if cfg.Every == 0 {
		cfg.Every = DefaultEvery
	}
	return &Centre{cfg: cfg, source: source, collector: c, wants: newWants(), blobs: blobs{source: cfg.Blob}}
}

// Pauses between connections.
const (
	firstPause = time.Second
	lastPause  = 30 * time.Second
)

// Serve serves until ctx ends. A broker that goes is waited for, and told everything again when it is back: what was retained
// may be gone with it.
func (c *Centre) Serve(ctx context.Context) {
	for pause := firstPause; ctx.Err() == nil; {
		began := time.Now()
		err := c.session(ctx)
		if ctx.Err() != nil {
			return
		}
		c.cfg.Log.Warn("broker gone", "err", err)
		if time.Since(began) > lastPause {
			pause = firstPause
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, lastPause)
	}
}

func (c *Centre) session(ctx context.Context) error {
	l, err := dial(ctx, c.cfg.Broker, "office-serve", ears{
		filters: []string{syncer.UpFilter(syncer.LeafRecords), syncer.UpFilter(syncer.LeafWant)}, qos: 1,
		room: 1024, waits: true, // kiosks send again what is dropped, and later each time
	})
	if err != nil {
		return err
	}
	defer l.close()
	c.cfg.Log.Info("serving", "broker", c.cfg.Broker.Addr)
	ctx, cancel := context.WithCancel(ctx)
	var listening sync.WaitGroup
	listening.Go(func() { c.listen(ctx, l) })
	listening.Go(func() { c.hand(ctx, l) })
	defer listening.Wait()
	defer cancel()
	return c.renew(ctx, l)
}

// renew publishes what is due until the connection is lost.
func (c *Centre) renew(ctx context.Context, l *link) error {
	c.published = map[string]fleet.Digest{}
	if err := c.publish(ctx, l); err != nil {
		return err
	}
	tick := time.NewTicker(c.cfg.Every)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case err = <-l.lost:
		case <-tick.C:
			err = c.publish(ctx, l)
		}
		if err != nil {
			return err
		}
	}
}

// listen deals with what kiosks send until ctx ends. Lists that are long to sign keep nobody's receipt back.
func (c *Centre) listen(ctx context.Context, l *link) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-l.heard:
			c.take(ctx, l, m)
		}
	}
}

// publish signs what is due and publishes what is new. A venue that cannot be signed is tried again at the next turn; what is
// out stays out.
func (c *Centre) publish(ctx context.Context, l *link) error {
	unsigned, err := c.publishAll(ctx, l)
	if unsigned != nil {
		c.cfg.Log.Error("not published", "err", unsigned)
	}
	return err
}

// Apply publishes once what a source has to say, with a connection of its own.
func Apply(ctx context.Context, cfg Config, source Source) error {
	l, err := dial(ctx, cfg.Broker, "office-"+clientSuffix(), ears{})
	if err != nil {
		return err
	}
	defer l.close()
	c := New(cfg, source, nil)
	c.published = map[string]fleet.Digest{}
	unsigned, err := c.publishAll(ctx, l)
	return errors.Join(unsigned, err)
}

// publishAll publishes every venue, the head last: a kiosk that has it waits for all that it names. unsigned is what the
// source could not sign.
func (c *Centre) publishAll(ctx context.Context, l *link) (unsigned, err error) {
	venues, err := c.source.Venues()
	if err != nil {
		return err, nil
	}
	for _, v := range venues {
		u, err := c.publishVenue(ctx, l, v)
		unsigned = errors.Join(unsigned, u)
		if err != nil {
			return unsigned, err
		}
	}
	return unsigned, nil
}

// publishVenue publishes a venue, and again what was signed for it by somebody else meanwhile: the broker retains what comes last,
// which need not be what was signed last.
func (c *Centre) publishVenue(ctx context.Context, l *link, venue string) (unsigned, err error) {
	head := syncer.DocumentTopic(fleet.KindHead, fleet.Scope(venue))
	for newest := c.source.Bundle; ; newest = c.source.Last {
		b, err := newest(venue, c.cfg.Now())
		if err != nil {
			return fmt.Errorf("venue %s: %w", venue, err), nil
		}
		before := c.published[head]
		if err := c.publishBundle(ctx, l, b); err != nil || c.published[head] == before {
			return nil, err
		}
	}
}

func (c *Centre) publishBundle(ctx context.Context, l *link, b *fleet.Bundle) error {
	chain := &fleet.Bundle{}
	var heads []fleet.Document
	for _, d := range b.Documents {
		if d.Kind() == fleet.KindRoot {
			chain.Documents = append(chain.Documents, d)
		}
	}
	raw, err := chain.Encode()
	if err != nil {
		return err
	}
	if err := c.once(ctx, l, syncer.RootTopic(), fleet.DigestOf(raw), raw); err != nil {
		return err
	}
	for _, d := range b.Documents {
		switch d.Kind() {
		case fleet.KindRoot:
		case fleet.KindHead:
			heads = append(heads, d)
		default:
			err = errors.Join(err, c.once(ctx, l, syncer.DocumentTopic(d.Kind(), d.Scope()), d.Digest(), d.Bytes()))
		}
	}
	for _, d := range heads {
		err = errors.Join(err, c.once(ctx, l, syncer.DocumentTopic(d.Kind(), d.Scope()), d.Digest(), d.Bytes()))
	}
	return err
}

// once publishes what is not out on this connection.
func (c *Centre) once(ctx context.Context, l *link, topic string, digest fleet.Digest, payload []byte) error {
	if c.published[topic] == digest {
		return nil
	}
	if err := l.publish(ctx, topic, true, payload); err != nil {
		return err
	}
	c.published[topic] = digest
	return nil
}

// take deals with what a kiosk sent.
func (c *Centre) take(ctx context.Context, l *link, m message) {
	from, leaf, ok := syncer.ParseUp(m.topic)
	if !ok {
		return
	}
	var err error
	switch leaf {
	case syncer.LeafRecords:
		err = c.takeRecords(ctx, l, from, m.payload)
	case syncer.LeafWant:
		var w syncer.Want
		if w, err = syncer.ReadWant(m.payload); err == nil {
			c.wants.put(from, w)
		}
	}
	c.complain(from, leaf, err)
}

func (c *Centre) takeRecords(ctx context.Context, l *link, from fleet.Place, raw []byte) error {
	if c.collector == nil {
		return nil
	}
	receipt, err := c.collector.Take(ctx, from, raw)
	if err != nil {
		return err
	}
	l.send(syncer.DownTopic(from, syncer.LeafReceipt), receipt)
	return nil
}
