// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gatehouse/fleet"
	"gatehouse/fleet/folder"
)

// tap is the link between a kiosk and its broker, which counts what is on it. It ends TLS on both sides, with the
// broker's certificate and with the kiosk's, so that it sees packets; wire is what they are on the link, TLS included.
type tap struct {
	addr string
	wire atomic.Int64 // bytes in both directions

	t      testing.TB
	dial   func() (net.Conn, error)
	mu     sync.Mutex
	leaves map[string]int64 // bytes of PUBLISH packets by the last part of their topic
	counts map[string]int64 // how many of them
	cuts   []int64          // at how many bytes of blocks the link is cut, rising
	done   int              // of the cuts
	open   map[net.Conn]bool
	served sync.WaitGroup
}

func newTap(t testing.TB, f *folder.Folder, p fleet.Place, m mosquitto) *tap {
	t.Helper()
	if _, err := f.KioskKey(p); err != nil {
		t.Fatal(err)
	}
	own, err := tls.LoadX509KeyPair(filepath.Join(m.Dir, "broker.pem"), filepath.Join(m.Dir, "broker.key"))
	check(t, err)
	pair, err := tls.LoadX509KeyPair(filepath.Join(homeOf(f, p), "kiosk.pem"), filepath.Join(homeOf(f, p), "kiosk.key"))
	check(t, err)
	pool := x509.NewCertPool()
	text, err := os.ReadFile(f.AuthorityPath())
	check(t, err)
	pool.AppendCertsFromPEM(text)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	a := &tap{t: t, addr: l.Addr().String(), leaves: map[string]int64{}, counts: map[string]int64{}, open: map[net.Conn]bool{}}
	a.dial = func() (net.Conn, error) {
		return tls.Dial("tcp", m.Addr, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}})
	}
	server := &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert}
	a.served.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			a.served.Go(func() { a.serve(tls.Server(&counted{c, &a.wire}, server)) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		a.mu.Lock()
		for c := range a.open {
			_ = c.Close()
		}
		a.open = nil
		a.mu.Unlock()
		a.served.Wait()
	})
	return a
}

// counted counts the bytes on a connection.
type counted struct {
	net.Conn
	n *atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.n.Add(int64(n))
	return n, err
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.n.Add(int64(n))
	return n, err
}

func (a *tap) hold(c net.Conn) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open == nil {
		return false
	}
	a.open[c] = true
	return true
}

func (a *tap) serve(kiosk net.Conn) {
	defer kiosk.Close()
	broker, err := a.dial()
	if err != nil {
		return
	}
	defer broker.Close()
	if !a.hold(kiosk) || !a.hold(broker) {
		return
	}
	up := make(chan struct{})
	go func() { defer close(up); a.carry(kiosk, broker) }()
	a.carry(broker, kiosk)
	<-up
	a.mu.Lock()
	delete(a.open, kiosk)
	delete(a.open, broker)
	a.mu.Unlock()
}

// carry brings packets from one end to the other until one is gone.
func (a *tap) carry(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	for r := bufio.NewReader(from); ; {
		p, err := readPacket(r)
		if err != nil {
			return
		}
		most := a.count(p)
		if _, err := to.Write(p[:most]); err != nil || most < len(p) {
			return
		}
	}
}

// readPacket reads one packet as it is (MQTT 3.1.1, section 2.2).
func readPacket(r *bufio.Reader) ([]byte, error) {
	kind, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	n, err := binary.ReadUvarint(r) // the same digits, the least first
	if err != nil {
		return nil, err
	}
	p := binary.AppendUvarint([]byte{kind}, n)
	head := len(p)
	p = append(p, make([]byte, n)...)
	_, err = io.ReadFull(r, p[head:])
	return p, err
}

// count counts a packet, and tells how much of it goes on: all, or what there is before the next cut.
func (a *tap) count(p []byte) (most int) {
	const publish = 3
	if p[0]>>4 != publish {
		return len(p)
	}
	_, n := binary.Uvarint(p[1:])
	body := p[1+n:]
	topic := string(body[2 : 2+binary.BigEndian.Uint16(body)])
	leaf := topic[strings.LastIndexByte(topic, '/')+1:]
	a.mu.Lock()
	defer a.mu.Unlock()
	most = len(p)
	if leaf == "blk" && len(a.cuts) > 0 {
		if left := a.cuts[0] - a.leaves[leaf]; left < int64(most) {
			a.cuts, most = a.cuts[1:], int(left)
			a.done++
		}
	}
	a.leaves[leaf] += int64(most)
	a.counts[leaf]++
	return most
}

// of is how many bytes and packets went over the link on topics that end so.
func (a *tap) of(leaf string) (bytes, packets int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.leaves[leaf], a.counts[leaf]
}

// cutAt has the link cut so often within the next bytes of blocks, at places that are as good as any; done tells how often that
// was done.
func (a *tap) cutAt(places []int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range places {
		a.cuts = append(a.cuts, a.leaves["blk"]+p)
	}
	a.done = 0
}

func (a *tap) cutsDone() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.done
}
