// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/cache"
	"gatehouse/device/client"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
	"gatehouse/scanner/scannertest"
)

// patience is for one step of a kiosk; CI machines are slow.
const patience = 60 * time.Second

// stage is what outlives the kiosk: the gates, the people, and what is known of both.
type stage struct {
	dir, config string
	crowd       *crowd
	chance      *rand.Rand // of the kills
	board       *gatetest.Board
	lanes       []*lane
	client      *client.Client
	log         *os.File
	account     *account

	joined bool       // to a fleet, over a network that may be away
	head   uint64     // highest version of a head that the kiosk acknowledged
	read   uint64     // events that were read
	kept   cache.Kept // the ledger as it was at the last look
	record record     // all events that were ever durable
	mended int        // reservations found open
	tally  tally
}

// tally is the summary.
type tally struct {
	kills, scans, imports, ready int
	placed                       map[point]int
	slowest                      time.Duration // from start to ready
}

// lane is a gate with its scanner.
type lane struct {
	name    string
	scanner *scannertest.Scanner
	sensor  bool      // of passages
	desk    *pass     // the lane opens by order alone; what stands for that in the account
	shown   []showing // in this round
}

// showing is a pass in front of the scanner.
type showing struct {
	pass *pass
	at   gatetest.Mark
}

// before is the pass that was shown last when the board had made this many edges.
func (l *lane) before(at gatetest.Mark) (p *pass) {
	if l.desk != nil {
		return l.desk
	}
	for _, s := range l.shown {
		if s.at <= at {
			p = s.pass
		}
	}
	return p
}

func markOf(edges int) gatetest.Mark { return gatetest.Mark(edges) }

// newStage builds a stage. desks are lanes that open by order alone.
func newStage(t *testing.T, seed uint64, desks ...string) *stage {
	t.Helper()
	dir, err := os.MkdirTemp("", "torture-") // the path of a unix socket is limited to 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{dir: dir, chance: rand.New(rand.NewPCG(seed, 2)), board: gatetest.New(gatetest.Config{}), account: newAccount()}
	s.tally.placed = map[point]int{}
	t.Cleanup(func() {
		for _, l := range s.lanes {
			_ = l.scanner.Unplug()
		}
		_, _ = s.board.Close(), s.log.Close()
		if t.Failed() {
			t.Logf("%s is kept; kiosk.log in it is the kiosk's", dir)
		} else if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := s.build(seed, desks); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stage) build(seed uint64, desks []string) (err error) {
	if s.log, err = os.Create(filepath.Join(s.dir, "kiosk.log")); err != nil {
		return err
	}
	if err := s.board.Listen(s.socket()); err != nil {
		return err
	}
	for i, name := range append([]string{"in-1", "in-2"}, desks...) {
		l := &lane{name: name, scanner: scannertest.New(filepath.Join(s.dir, name), "\r"), sensor: name == "in-2"}
		if i > 1 {
			l.desk = &pass{}
		}
		s.lanes = append(s.lanes, l)
		if err := l.scanner.Plug(); err != nil {
			return err
		}
	}
	if s.crowd, err = newCrowd(filepath.Join(s.dir, "fleet"), seed); err != nil {
		return err
	}
	s.config, err = s.crowd.provision(s.dir, s.lanes)
	s.client = client.Dial(filepath.Join(s.dir, "run"))
	return err
}

func (s *stage) socket() string { return filepath.Join(s.dir, "board.sock") }

func (s *stage) lane(name string) *lane {
	for _, l := range s.lanes {
		if l.name == name {
			return l
		}
	}
	return nil
}

// start starts the kiosk, and waits for nothing.
func (s *stage) start(at point) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return spawn(s.log, append(os.Environ(), envConfig+"="+s.config, envBoard+"="+s.socket(), envCrash+"="+string(at)), self)
}

var errNotReady = errors.New("the kiosk did not become ready")

// ready waits until both lanes are in service, and wants nothing to be wrong then and the relays at rest.
func (s *stage) ready(ctx context.Context, k *child) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	var st *client.Status
	for {
		var err error
		if st, err = s.client.Status(ctx); err == nil && served(st) {
			break
		}
		select {
		case <-poll.C:
		case <-k.ended:
			return fmt.Errorf("%w: %w", errNotReady, k.how)
		case <-ctx.Done():
			return fmt.Errorf("%w: %w: %+v", errNotReady, errors.Join(err, ctx.Err()), st)
		}
	}
	s.tally.ready++
	s.tally.slowest = max(s.tally.slowest, time.Since(k.began))
	for _, l := range s.lanes {
		if s.joined { // the fleet may have had a lane opened since
			if err := s.board.WaitLevel(ctx, l.name, gate.Relay, false); err != nil {
				return fmt.Errorf("%w: %w", errNotIdle, err)
			}
		} else if s.board.Level(l.name, gate.Relay) {
			return fmt.Errorf("%w: lane %s", errNotIdle, l.name)
		}
	}
	if s.head > 0 && !s.joined && (len(st.Conditions) > 0 || !st.Ready) {
		return fmt.Errorf("%w: ready: %v, and %+v", errNotReady, st.Ready, st.Conditions)
	}
	return nil
}

func served(st *client.Status) bool {
	for _, l := range st.Lanes {
		if l.Gate != "in service" || l.Scanner != "connected" {
			return false
		}
	}
	return len(st.Lanes) > 0
}

// release makes the stage ready for the next kiosk: nothing of the dead one is on its way any more.
func (s *stage) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	errs := []error{s.board.WaitAlone(ctx)}
	for _, l := range s.lanes {
		s.board.SetPassing(l.name, false) // whoever was in it is through
		errs = append(errs, l.scanner.Release())
	}
	return errors.Join(errs...)
}

func (t *tally) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d kills, %d of a ready kiosk; %d scans, %d bundles acknowledged; the slowest start took %v", t.kills, t.ready, t.scans, t.imports, t.slowest.Round(time.Millisecond))
	for _, at := range points() {
		fmt.Fprintf(&b, "\n  %d died %s", t.placed[at], at)
	}
	return b.String()
}
