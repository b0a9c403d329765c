// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// Dialer opens connections to a broker that nobody trusts.
type Dialer struct {
	TLS     *tls.Config   // nil is plain TCP, for the demo and tests on loopback; without a ServerName the host is it
	Timeout time.Duration // for the connection, and for the handshake
	QoS     byte          // the highest that was subscribed with
	Bad     func(error)   // hears of the ErrFrame that ends a connection; nil: only who reads does
}

// Dial connects to host:port. The connection ends with ctx, and with ErrFrame at a packet that its client has not asked for or
// that is longer than MaxFrame.
func (d Dialer) Dial(ctx context.Context, broker string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: d.Timeout, KeepAlive: keepAlive}).DialContext(ctx, "tcp", broker)
	if err != nil {
		return nil, err
	}
	if d.TLS != nil {
		cfg := d.TLS
		if cfg.ServerName == "" {
			cfg = cfg.Clone()
			cfg.ServerName, _, _ = net.SplitHostPort(broker) // it was dialled
		}
		secured := tls.Client(conn, cfg)
		shake, cancel := context.WithTimeout(ctx, d.Timeout)
		defer cancel()
		if err := secured.HandshakeContext(shake); err != nil {
			_ = conn.Close()
			return nil, err
		}
		conn = secured
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	return &guarded{Conn: conn, bad: d.Bad, frames: frames{qos: d.QoS}}, nil
}
