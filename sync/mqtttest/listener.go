// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package mqtttest

import (
	"crypto/tls"
	"log/slog"
	"net"
	"sync"

	"github.com/mochi-mqtt/server/v2/listeners"
)

// listener is mochi's way in. Its own can hang for good when it is closed while a client leaves (mochi-mqtt/server, issue 488),
// and waits for who has connected and said nothing.
type listener struct {
	net.Listener
	served  chan struct{} // closed when nobody comes in any more
	open    []net.Conn    // all that ever were, while it is served
	clients sync.WaitGroup
}

func listen(addr string, config *tls.Config) (*listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	return &listener{Listener: l, served: make(chan struct{})}, nil
}

func (l *listener) Init(*slog.Logger) error { return nil }
func (l *listener) ID() string              { return "test" }
func (l *listener) Address() string         { return l.Addr().String() }
func (l *listener) Protocol() string        { return "tcp" }

func (l *listener) Serve(establish listeners.EstablishFn) {
	defer close(l.served)
	for {
		c, err := l.Accept()
		if err != nil {
			return // it was closed
		}
		l.open = append(l.open, c)
		l.clients.Go(func() { _ = establish(l.ID(), c) })
	}
}

// Close ends every connection, and returns when each is done with.
func (l *listener) Close(listeners.CloseFn) {
	_ = l.Listener.Close()
	<-l.served
	for _, c := range l.open {
		_ = c.Close()
	}
	l.clients.Wait()
}
