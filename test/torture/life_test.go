// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package torture

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/gate"
	"gatehouse/gate/gatetest"
)

// life is what is done at a kiosk for as long as it lives.
type life struct {
	kiosk   *child
	scanned chan struct{} // holds one; somebody shows a pass

	ctx    context.Context
	cancel context.CancelFunc
	last   atomic.Bool // nobody comes any more
	work   sync.WaitGroup
	mu     sync.Mutex
	failed []error
}

// live lets people come to all lanes.
func (s *stage) live(ctx context.Context, k *child) *life {
	l := &life{kiosk: k, scanned: make(chan struct{}, 1)}
	l.ctx, l.cancel = context.WithCancel(ctx)
	for _, lane := range s.lanes {
		if lane.desk == nil {
			l.do(func(ctx context.Context) error { return s.serve(ctx, lane, l) })
		}
	}
	return l
}

// do does something beside, until it ends or the life does.
func (l *life) do(act func(context.Context) error) {
	l.work.Go(func() {
		if err := act(l.ctx); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, errGone) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.failed = append(l.failed, err)
		}
	})
}

// end ends what is done, and tells what failed but for the end.
func (l *life) end() error {
	l.cancel()
	l.work.Wait()
	return errors.Join(l.failed...)
}

// empty lets nobody come any more, and waits until all who came were answered: a code that a lane still had in hand would open for
// whoever stands there next.
func (l *life) empty() error {
	l.last.Store(true)
	l.work.Wait()
	return errors.Join(l.failed...)
}

// moment waits for a random instant: some time after the start of service, or right behind a scan, where the kiosk takes
// a use and opens.
func (s *stage) moment(ctx context.Context, l *life) {
	if s.chance.IntN(2) == 0 {
		wait(ctx, time.Duration(s.chance.Int64N(int64(400*time.Millisecond))), l.kiosk.ended)
		return
	}
	for range 1 + s.chance.IntN(3) {
		select {
		case <-l.scanned:
		case <-l.kiosk.ended:
		case <-ctx.Done():
		}
	}
	wait(ctx, time.Duration(s.chance.Int64N(int64(8*time.Millisecond))), l.kiosk.ended)
}

// wait waits for a while, or until the kiosk ended.
func wait(ctx context.Context, d time.Duration, ended <-chan struct{}) {
	over := time.NewTimer(d)
	defer over.Stop()
	select {
	case <-over.C:
	case <-ended:
	case <-ctx.Done():
	}
}

// errGone ends what somebody did at a kiosk that died.
var errGone = errors.New("the kiosk is gone")

// answerMost is how long somebody waits for an answer. A lane that an overloaded machine has stumble answers one scan with no
// lamp; that it serves again is seen by those who come next.
const answerMost = 20 * time.Second

// serve shows pass after pass at a lane until the kiosk is gone, or nobody comes any more.
func (s *stage) serve(ctx context.Context, l *lane, of *life) error {
	for ctx.Err() == nil && !of.last.Load() {
		p, err := s.crowd.next()
		if err != nil {
			return err
		}
		select {
		case of.scanned <- struct{}{}:
		default:
		}
		one, cancel := context.WithTimeout(ctx, answerMost)
		_, err = s.show(one, l, p)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err() // both may have ended by now
		case err != nil && !errors.Is(err, context.DeadlineExceeded):
			return err
		}
	}
	return nil
}

// show scans a pass and waits for the answer, and until the gate is at rest again.
func (s *stage) show(ctx context.Context, l *lane, p *pass) (gatetest.Edge, error) {
	at := s.board.Mark()
	l.shown = append(l.shown, showing{p, at})
	if err := l.scanner.Scan(p.code); err != nil {
		return gatetest.Edge{}, err
	}
	e, err := s.board.Wait(ctx, at, func(e gatetest.Edge) bool {
		return e.Lane == l.name && e.Active && (e.Output == gate.Relay || e.Output == gate.Red)
	})
	if err == nil && l.sensor && e.Output == gate.Relay && !s.crowd.staysAway() {
		err = s.board.Walk(ctx, l.name)
	}
	for _, o := range []gate.Output{gate.Relay, gate.Red} {
		if err == nil {
			err = s.board.WaitLevel(ctx, l.name, o, false)
		}
	}
	if err == nil {
		err = ctx.Err()
	}
	return e, err
}
