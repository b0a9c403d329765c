// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package torture

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"gatehouse/device/client"
	"gatehouse/fleet"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
)

// The flags of this test: go test ./test/torture -kills 1000 -seed 7.
const (
	flagKills = "kills"
	flagSeed  = "seed"
)

func defineFlags() {
	flag.Int(flagKills, 40, "how often the kiosk is killed")
	flag.Uint64(flagSeed, uint64(time.Now().UnixNano()), "of the random instants")
}

func flagValue[T any](name string) T { return flag.Lookup(name).Value.(flag.Getter).Get().(T) }

func points() []point {
	return []point{beforeRelay, afterRelay, beforeSettle, afterSettle, beforeFloor}
}

// TestTorture kills the kiosk again and again. Every fifth time it dies at a placed point, else at a random instant.
func TestTorture(t *testing.T) {
	if testing.Short() {
		t.Skip("kills many processes")
	}
	kills, seed := flagValue[int](flagKills), flagValue[uint64](flagSeed)
	t.Logf("%d kills, -seed %d", kills, seed)
	s := newStage(t, seed)
	if err := s.first(t.Context()); err != nil {
		t.Fatal(err)
	}
	for n := range kills {
		at := anywhere
		if n%5 == 4 {
			at = points()[n/5%len(points())]
		}
		if err := s.round(t.Context(), at); err != nil {
			t.Fatalf("kill %d (%s): %v", n+1, at, err)
		}
		if n%100 == 99 {
			fmt.Fprintf(os.Stderr, "%d: %d openings, %d events that admit\n", n+1, s.account.opened, s.account.admitted)
		}
	}
	if err := s.last(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%v\n%d admissions recorded, %d openings, %d reservations found open", &s.tally, s.account.admitted, s.account.opened, s.mended)
	if kills >= 20 && (s.account.opened == 0 || s.tally.imports == 0) {
		t.Error("nothing happened between the kills")
	}
}

// first starts the kiosk once, gives it its documents, and kills it.
func (s *stage) first(ctx context.Context) error {
	k, err := s.start(anywhere)
	if err != nil {
		return err
	}
	if err := s.ready(ctx, k); err != nil {
		return errors.Join(err, k.kill())
	}
	if err := s.importOne(ctx); err != nil {
		return errors.Join(err, k.kill())
	}
	return s.after(ctx, k.kill())
}

// last sees that the kiosk that was killed so often still admits.
func (s *stage) last(ctx context.Context) error {
	k, err := s.start(anywhere)
	if err != nil {
		return err
	}
	err = s.ready(ctx, k)
	if err == nil {
		for _, l := range s.lanes {
			err = errors.Join(err, s.admits(ctx, l))
		}
	}
	return s.after(ctx, errors.Join(err, k.kill()))
}

func (s *stage) admits(ctx context.Context, l *lane) error {
	p, err := s.crowd.whoIsNew()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if e, err := s.show(ctx, l, p); err != nil || e.Output != gate.Relay {
		return fmt.Errorf("a new ticket at the end: %v, %w", e, err)
	}
	return nil
}

// round is one life of the kiosk.
func (s *stage) round(ctx context.Context, at point) error {
	k, err := s.start(at)
	if err != nil {
		return err
	}
	if at == anywhere && s.chance.IntN(10) == 0 { // it does not live to see the first guest
		wait(ctx, time.Duration(s.chance.Int64N(int64(max(s.tally.slowest, time.Millisecond)))), k.ended)
		return s.after(ctx, k.kill())
	}
	if err := s.ready(ctx, k); err != nil {
		return errors.Join(err, k.kill())
	}
	busy, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	scanned := make(chan struct{}, 1)
	failed := make([]error, len(s.lanes)+1)
	var work sync.WaitGroup
	for i, l := range s.lanes {
		work.Go(func() { failed[i] = s.serve(busy, l, scanned) })
	}
	if at == beforeFloor || s.chance.IntN(4) == 0 {
		work.Go(func() { failed[len(s.lanes)] = s.importOne(busy) })
	}
	if at == anywhere {
		s.moment(busy, scanned, k)
		err = k.kill()
	} else {
		err = s.awaitDeath(busy, k, at)
	}
	cancel()
	work.Wait()
	for _, f := range failed {
		if !errors.Is(f, context.Canceled) && !errors.Is(f, errGone) {
			err = errors.Join(err, f)
		}
	}
	return s.after(ctx, err)
}

// moment waits for a random instant: some time after the start of service, or right behind a scan, where the kiosk takes
// a use and opens.
func (s *stage) moment(ctx context.Context, scanned <-chan struct{}, k *kiosk) {
	if s.chance.IntN(2) == 0 {
		wait(ctx, time.Duration(s.chance.Int64N(int64(400*time.Millisecond))), k.ended)
		return
	}
	for range 1 + s.chance.IntN(3) {
		select {
		case <-scanned:
		case <-ctx.Done():
		}
	}
	wait(ctx, time.Duration(s.chance.Int64N(int64(8*time.Millisecond))), k.ended)
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

// awaitDeath waits until the kiosk died where it was told to.
func (s *stage) awaitDeath(ctx context.Context, k *kiosk, at point) error {
	select {
	case <-k.ended:
		s.tally.placed[at]++
		return k.wantKilled()
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("the kiosk did not die %s: %w", at, ctx.Err()), k.kill())
	}
}

// after looks at everything that a killed kiosk left.
func (s *stage) after(ctx context.Context, err error) error {
	s.account.kills++
	s.tally.kills++
	err = errors.Join(err, s.release(ctx), s.settle())
	return errors.Join(err, s.audit(ctx))
}

// errGone ends what somebody did at a kiosk that died.
var errGone = errors.New("the kiosk is gone")

// serve shows pass after pass at a lane until the kiosk is gone.
func (s *stage) serve(ctx context.Context, l *lane, scanned chan<- struct{}) error {
	for ctx.Err() == nil {
		p, err := s.crowd.next()
		if err != nil {
			return err
		}
		select {
		case scanned <- struct{}{}:
		default:
		}
		if _, err := s.show(ctx, l, p); err != nil {
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

// importOne revokes a pass and gives the kiosk the new documents. What it acknowledges it must believe from then on.
func (s *stage) importOne(ctx context.Context) error {
	p, b, err := s.crowd.remove()
	if err != nil {
		return err
	}
	text, err := b.Encode()
	if err != nil {
		return err
	}
	if _, err := s.client.Import(ctx, text); errors.Is(err, client.ErrRefused) {
		return err
	} else if err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	s.crowd.barred(p)
	s.account.bar(p)
	s.tally.imports++
	for _, d := range b.Documents {
		if d.Kind() == fleet.KindHead {
			s.head = d.Version()
		}
	}
	return nil
}
