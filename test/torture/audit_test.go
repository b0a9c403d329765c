// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gatehouse/cache"
	"gatehouse/device"
	"gatehouse/fleet"
	"gatehouse/gate"
)

// The ways in which a killed kiosk's state is not right.
var (
	errOpen    = errors.New("what the kiosk kept does not open")
	errAged    = errors.New("the kiosk believes less than it did")
	errNobody  = errors.New("the relay rose and no pass was shown")
	errLitter  = errors.New("the kiosk leaves files behind")
	errNotIdle = errors.New("the relay was not driven inert")
)

// kept are the files of a kiosk, and drafts what a kill may leave of each.
var (
	kept   = []string{"floor.a", "floor.b", "ledger.db", "trust.db"}
	drafts = []string{"floor.a.draft", "floor.b.draft", "ledger.db.new", "trust.db.new"}
)

// audit looks at what the killed kiosk kept, in a copy: to open a ledger is to mend it.
func (s *stage) audit(ctx context.Context) error {
	copied := filepath.Join(s.dir, "audit")
	names, err := copyFolder(filepath.Join(s.dir, "state"), copied)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !slices.Contains(kept, name) && !slices.Contains(drafts, name) {
			return fmt.Errorf("%w: %s", errLitter, name)
		}
	}
	return errors.Join(s.auditLedger(ctx, filepath.Join(copied, "ledger.db")), s.auditTrust(copied))
}

// copyFolder copies the files of a folder and gives their names.
func copyFolder(from, to string) (names []string, err error) {
	if err := errors.Join(os.RemoveAll(to), os.MkdirAll(to, 0o700)); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // killed before it made one
	}
	for _, e := range entries {
		names = append(names, e.Name())
		if !slices.Contains(kept, e.Name()) {
			continue
		}
		if err := copyFile(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return nil, err
		}
	}
	return names, err
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// auditLedger reads the events that are new and follows the chain through those that were there before.
func (s *stage) auditLedger(ctx context.Context, path string) error {
	l, err := cache.OpenLedger(path, cache.LedgerOptions{At: time.Now(), NoSync: true})
	if err != nil {
		return fmt.Errorf("%w: %w", errOpen, err)
	}
	defer l.Close()
	chain, err := l.CheckChain(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errOpen, err)
	}
	if s.kept.ID != "" {
		if err := l.Holds(s.kept); err != nil {
			return fmt.Errorf("%w: %w", errOpen, err)
		}
	}
	mended := uint64(l.Recovered()) // events of this copy alone
	events, err := l.Events(s.read+1, int(chain.Last-mended-s.read))
	if err != nil {
		return fmt.Errorf("%w: %w", errOpen, err)
	}
	for _, ev := range events {
		s.account.read(ev)
	}
	if err := s.record.read(l, chain.Last-mended); err != nil {
		return err
	}
	s.read = chain.Last - mended
	if mended == 0 {
		s.kept = cache.Kept{ID: l.ID(), Last: chain.Last, Link: chain.Link}
	}
	s.mended += int(mended)
	if mended > uint64(len(s.lanes)) {
		return fmt.Errorf("%w: %d reservations are open after one life", errOpen, mended)
	}
	return s.account.check(len(s.lanes))
}

// auditTrust wants the trust store whole, not behind what the kiosk acknowledged, and not behind its own floor.
func (s *stage) auditTrust(dir string) error {
	floor, err := cache.OpenFloor(filepath.Join(dir, "floor"), cache.FloorOptions{Boot: device.SystemClock().Boot})
	if err == nil {
		err = floor.Fault()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errOpen, err)
	}
	pin, err := s.crowd.fleet.Pin()
	if err != nil {
		return err
	}
	t, err := cache.OpenTrust(filepath.Join(dir, "trust.db"), cache.TrustOptions{
		Pin: pin, Place: fleet.Place{Venue: venue, Kiosk: "gate-1"}, Floor: floor.Marks(pin),
	})
	if err != nil {
		return fmt.Errorf("%w: %w", errOpen, err)
	}
	defer t.Close()
	if aside := t.SetAside(); aside != nil {
		return fmt.Errorf("%w: %w", errOpen, aside)
	}
	head := uint64(0)
	for _, m := range t.Believed().Marks {
		if m.Kind == fleet.KindHead {
			head = m.Version
		}
	}
	if head < s.head {
		return fmt.Errorf("%w: the head's version is %d, and %d was acknowledged", errAged, head, s.head)
	}
	return nil
}

// settle attributes every rise of the round to the pass that was shown last at its lane, and forgets the edges.
func (s *stage) settle() error {
	edges := s.board.Edges()
	first := s.board.Mark() - markOf(len(edges))
	var errs []error
	for i, e := range edges {
		if e.Output != gate.Relay || !e.Active {
			continue
		}
		if p := s.lane(e.Lane).before(first + markOf(i)); p != nil {
			s.account.rose(p, e.Lane)
		} else {
			errs = append(errs, fmt.Errorf("%w: %s", errNobody, e))
		}
	}
	s.board.Forget()
	for _, l := range s.lanes {
		s.tally.scans += len(l.shown)
		l.shown = nil
	}
	return errors.Join(errs...)
}
