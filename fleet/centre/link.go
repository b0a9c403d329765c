// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package centre

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	syncer "gatehouse/sync"
)

// Broker is where a fleet's messages go, and as whom the centre comes.
type Broker struct {
	Addr string      // host:port
	TLS  *tls.Config // nil: plain TCP, for tests on loopback
}

// message is one that came up.
type message struct {
	topic    string
	payload  []byte
	retained bool // it was said before anybody subscribed
}

// ears are what a link listens to.
type ears struct {
	filters []string
	// qos of the subscriptions. A broker queues few messages of QoS 1 for one client and drops the rest (Mosquitto: a thousand),
	// so what comes all at once, as what a whole fleet has retained, is asked for at QoS 0.
	qos byte
	// room is how many messages may wait here. More are dropped, or left to wait at the broker.
	room int
	// waits leaves them to wait: whoever hears must not publish and wait for the broker in one goroutine.
	waits bool
}

// link is one connection to the broker.
type link struct {
	client mqtt.Client
	heard  chan message
	lost   chan error
	closed chan struct{}
	bad    atomic.Pointer[error] // what the dialer has ended the connection for
}

// why is what a connection ended for, as the library told it or, before that, as it was found out.
func (l *link) why(err error) error {
	if bad := l.bad.Load(); bad != nil {
		return *bad
	}
	return err
}

const (
	connectMost = 30 * time.Second
	answerMost  = 30 * time.Second
)

// ErrBroker: the broker cannot be reached, or does not do what it is asked.
var ErrBroker = errors.New("centre: the broker")

// dial connects and subscribes to what comes up. id tells clients of the centre apart.
func dial(ctx context.Context, b Broker, id string, e ears) (*link, error) {
	l := &link{heard: make(chan message, e.room), lost: make(chan error, 1), closed: make(chan struct{})}
	o := mqtt.NewClientOptions()
	o.Servers = []*url.URL{{Scheme: "tcp", Host: b.Addr}} // what is dialled is ours to say
	o.SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
		return syncer.Dialer{TLS: b.TLS, Timeout: connectMost, QoS: e.qos, Bad: func(err error) { l.bad.Store(&err) }}.Dial(ctx, b.Addr)
	})
	o.SetClientID(id).SetProtocolVersion(4).SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false)
	o.SetConnectTimeout(connectMost).SetKeepAlive(30 * time.Second).SetPingTimeout(10 * time.Second).SetWriteTimeout(10 * time.Second)
	o.SetOrderMatters(true) // the handler only puts a message down; a broker sends few that were not (Mosquitto: 20)
	o.SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
		l.hear(message{m.Topic(), m.Payload(), m.Retained()}, e.waits)
	})
	o.SetConnectionLostHandler(func(_ mqtt.Client, err error) {
		select {
		case l.lost <- fmt.Errorf("%w: the connection was lost: %w", ErrBroker, l.why(err)):
		default:
		}
	})
	l.client = mqtt.NewClient(o)
	if err := await(ctx, l.client.Connect()); err != nil {
		return nil, fmt.Errorf("%w at %s: %w", ErrBroker, b.Addr, err)
	}
	for _, f := range e.filters { // one by one, as the dialer wants it
		if err := l.subscribe(ctx, f, e.qos); err != nil {
			l.close()
			return nil, fmt.Errorf("%w at %s %w", ErrBroker, b.Addr, err)
		}
	}
	return l, nil
}

func (l *link) subscribe(ctx context.Context, filter string, qos byte) error {
	token := l.client.Subscribe(filter, qos, nil)
	if err := await(ctx, token); err != nil {
		return fmt.Errorf("does not take the subscription %s: %w", filter, l.why(err))
	}
	if token.(*mqtt.SubscribeToken).Result()[filter] >= 0x80 {
		return fmt.Errorf("refuses the subscription %s; look at its access list", filter)
	}
	return nil
}

// hear puts a message down.
func (l *link) hear(m message, wait bool) {
	select {
	case l.heard <- m:
		return
	default:
	}
	if wait {
		select {
		case l.heard <- m:
		case <-l.closed:
		}
	}
}

// close is called once.
func (l *link) close() {
	close(l.closed)
	l.client.Disconnect(250)
}

// publish returns when the broker has it.
func (l *link) publish(ctx context.Context, topic string, retained bool, payload []byte) error {
	if err := await(ctx, l.client.Publish(topic, 1, retained, payload)); err != nil {
		return fmt.Errorf("%w: publish %s: %w", ErrBroker, topic, err)
	}
	return nil
}

// send does not wait: what is lost is asked for again.
func (l *link) send(topic string, payload []byte) { l.client.Publish(topic, 0, false, payload) }

func await(ctx context.Context, t mqtt.Token) error {
	timer := time.NewTimer(answerMost)
	defer timer.Stop()
	select {
	case <-t.Done():
		return t.Error()
	case <-timer.C:
		return errors.New("it does not answer")
	case <-ctx.Done():
		return ctx.Err()
	}
}
