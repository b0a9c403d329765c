// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"net"
	"sync"
	"time"
)

// Bounds of the local API, so that no caller takes the memory or the descriptors that the lanes need. Whoever comes
// beyond the connections waits.
const (
	maxConnections = 16 // of each socket
	requestMost    = 10 * time.Second
	idleMost       = 5 * time.Second
	answerMost     = 5 * time.Minute // a check of a long ledger takes its time
	lastAnswer     = time.Second     // what is under way when the kiosk stops
)

// limited accepts no connection while as many as it has slots are open, those of other listeners with the same slots
// among them.
type limited struct {
	net.Listener
	slots chan struct{}
}

func limit(l net.Listener, slots chan struct{}) *limited { return &limited{l, slots} }

func (l *limited) Accept() (net.Conn, error) {
	l.slots <- struct{}{} // closing the server closes its connections, which makes room for the listener's last word
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &slotted{c, sync.OnceFunc(func() { <-l.slots })}, nil
}

// slotted is a connection that has a slot until it is closed.
type slotted struct {
	net.Conn
	free func()
}

func (s *slotted) Close() error {
	defer s.free()
	return s.Conn.Close()
}
