// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"net/url"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

const (
	keepAlive = 60 * time.Second
	pingMost  = 15 * time.Second
)

// Why a connection ended.
var (
	ErrSubscribe = errors.New("the broker refuses a subscription; look at its access list")
	ErrSilent    = errors.New("the broker does not answer any more")
	ErrDeaf      = errors.New("the broker passes nothing on, not even the kiosk's own status; look at its access list if that stays so")
	ErrLost      = errors.New("the connection was lost")
)

// Run keeps the kiosk joined to its fleet until ctx ends. It returns nothing but that: what fails is told to
// Config.State and tried again.
func (c *Client) Run(ctx context.Context) {
	rnd := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), hashOf(c.cfg.Place.String())))
	for attempt := 0; ; attempt++ {
		began := time.Now()
		fruitful, err := c.connect(ctx, c.cfg.Brokers[attempt%len(c.cfg.Brokers)])
		if ctx.Err() != nil {
			return
		}
		c.cfg.State(err)
		if time.Since(began) > c.rhythm.goodFor {
			attempt = 0
		}
		if !rest(ctx, c.rhythm.pause(attempt, rnd)) {
			return
		}
		if fruitful {
			attempt-- // it is the link that is bad; a broker that cannot bear its kiosks brings nothing
		}
	}
}

// pause is how long to wait before a further attempt: full jitter.
func (r rhythm) pause(attempt int, rnd *rand.Rand) time.Duration {
	bound := r.mostPause
	if attempt < 16 {
		bound = min(bound, r.firstPause<<attempt)
	}
	return time.Duration(rnd.Int64N(int64(bound)))
}

func hashOf(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}

// rest waits, and tells whether ctx goes on.
func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// connect makes one connection with a client of its own, and works on it until it ends. fruitful tells that it brought blocks
// or receipts.
func (c *Client) connect(ctx context.Context, broker string) (fruitful bool, err error) {
	defer recovered(&err)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := newSession(c)
	link := mqtt.NewClient(c.options(ctx, broker, s))
	defer link.Disconnect(0)
	s.link = link
	err = await(ctx, link.Connect(), c.rhythm.connect)
	if err == nil {
		err = s.run(ctx)
	}
	if bad := s.bad.Load(); bad != nil {
		err = *bad // what the library makes of it is that a connection was closed
	}
	if err != nil {
		return s.fruitful, fmt.Errorf("sync: %s: %w", broker, err)
	}
	return s.fruitful, nil
}

func (c *Client) options(ctx context.Context, broker string, s *session) *mqtt.ClientOptions {
	o := mqtt.NewClientOptions()
	o.Servers = []*url.URL{{Scheme: "tcp", Host: broker}} // what is dialled is ours to say, below
	o.SetClientID(c.cfg.Place.Venue + "/" + c.cfg.Place.Kiosk)
	o.SetProtocolVersion(4)
	o.SetCleanSession(true)
	o.SetAutoReconnect(false)
	o.SetConnectRetry(false)
	// Handlers only put a message down, so they can run in order: a goroutine for each would be memory for a flood.
	o.SetOrderMatters(true)
	o.SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { s.deliver(ctx, m) })
	o.SetConnectionLostHandler(func(_ mqtt.Client, err error) { s.lose(err) })
	o.SetConnectTimeout(c.rhythm.connect)
	o.SetKeepAlive(keepAlive)
	o.SetPingTimeout(pingMost)
	o.SetWriteTimeout(5 * time.Second)
	o.SetBinaryWill(up(c.cfg.Place, LeafStatus), encodeNote(s.status(false)), 1, true)
	d := Dialer{Timeout: c.rhythm.connect, Bad: func(err error) { s.bad.Store(&err) }}
	if c.cfg.TLS != nil {
		host, _, _ := net.SplitHostPort(broker) // what has no port cannot be dialled
		d.TLS = c.cfg.TLS(host)
	}
	o.SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return d.Dial(ctx, broker) })
	return o
}

// await waits for what the library promises, and not for ever.
func await(ctx context.Context, t mqtt.Token, most time.Duration) error {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-t.Done():
		return t.Error()
	case <-timer.C:
		return ErrSilent
	case <-ctx.Done():
		return ctx.Err()
	}
}
