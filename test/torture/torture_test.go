// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package torture

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"gatehouse/device/client"
	"gatehouse/fleet"
	"gatehouse/gate"
)

// The flags of this test: go test ./test/torture -kills 1000 -seed 7.
const (
	flagKills = "kills"
	flagSeed  = "seed"
)

func defineFlags() {
	flag.Int(flagKills, 0, "how often somebody is killed in each test; 0: as often as there is time for in make test")
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
	kills, seed := cmp.Or(flagValue[int](flagKills), 40), flagValue[uint64](flagSeed)
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
	l := s.live(busy, k)
	if at == beforeFloor || s.chance.IntN(4) == 0 {
		l.do(s.importOne)
	}
	if at == anywhere {
		s.moment(busy, l)
		err = k.kill()
	} else {
		err = s.awaitDeath(busy, k, at)
	}
	return s.after(ctx, errors.Join(err, l.end()))
}

// awaitDeath waits until the kiosk died where it was told to.
func (s *stage) awaitDeath(ctx context.Context, k *child, at point) error {
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
