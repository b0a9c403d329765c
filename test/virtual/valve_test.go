// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

//go:build virtual

package virtual

import (
	"context"
	"net"
	"sync"
	"testing"
)

// valve stands between kiosks and their broker, on loopback, and lets through as much to the kiosks as it is told. What it
// holds back is not lost: it comes when the valve is opened.
type valve struct {
	port int
	ctx  context.Context

	mu     sync.Mutex
	open   bool // all of it
	passes int  // bytes, where it is not open
	turned chan struct{}
}

// newValve begins to listen. Connections wait until it is joined to a broker.
func newValve(t *testing.T) (v *valve, join func(broker string)) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	v = &valve{port: l.Addr().(*net.TCPAddr).Port, ctx: ctx, open: true, turned: make(chan struct{})}
	var all sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		l.Close()
		all.Wait()
	})
	return v, func(broker string) {
		all.Go(func() {
			for {
				kiosk, err := l.Accept()
				if err != nil {
					return
				}
				all.Go(func() { v.carry(kiosk, broker) })
			}
		})
	}
}

// carry serves one connection.
func (v *valve) carry(kiosk net.Conn, broker string) {
	defer kiosk.Close()
	far, err := net.Dial("tcp", broker)
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(v.ctx)
	defer cancel()
	context.AfterFunc(ctx, func() {
		kiosk.Close()
		far.Close()
	})
	var both sync.WaitGroup
	for _, way := range []struct {
		from, to net.Conn
		most     func(context.Context, int) int
	}{
		{kiosk, far, func(_ context.Context, n int) int { return n }},
		{far, kiosk, v.take},
	} {
		both.Go(func() {
			defer cancel()
			buf := make([]byte, 16<<10)
			for {
				n, err := way.from.Read(buf)
				for rest := buf[:n]; len(rest) > 0; {
					some := way.most(ctx, len(rest))
					if _, err := way.to.Write(rest[:some]); some == 0 || err != nil {
						return
					}
					rest = rest[some:]
				}
				if err != nil {
					return
				}
			}
		})
	}
	both.Wait()
}

// take waits until some of the bytes may pass, and tells how many; 0 where ctx ends first.
func (v *valve) take(ctx context.Context, n int) int {
	for {
		v.mu.Lock()
		some, turned := n, v.turned
		if !v.open {
			some = min(n, v.passes)
			v.passes -= some
		}
		v.mu.Unlock()
		if some > 0 {
			return some
		}
		select {
		case <-turned:
		case <-ctx.Done():
			return 0
		}
	}
}

// let lets so many bytes more through to the kiosks, and then none.
func (v *valve) let(bytes int) { v.turn(false, bytes) }

// free lets all of it through.
func (v *valve) free() { v.turn(true, 0) }

func (v *valve) turn(open bool, bytes int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.open, v.passes = open, bytes
	close(v.turned)
	v.turned = make(chan struct{})
}
