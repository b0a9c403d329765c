// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

//go:build virtual

package virtual

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/cache"
	"gatehouse/entry"
	"gatehouse/fleet"
)

// The ways in which a power cut can make a kiosk wrong.
var (
	errForgot  = errors.New("the way was opened and the ledger does not know it")
	errTwice   = errors.New("a ticket was taken twice")
	errOlder   = errors.New("the kiosk believes older documents than it acknowledged")
	errDamaged = errors.New("what the kiosk kept is damaged")
)

// cuts is a kiosk whose plug is pulled again and again.
type cuts struct {
	fleet  venueFleet
	bench  *Bench
	chance *rand.Rand

	rose     map[entry.PassHash]int // how often the relay was seen to rise for a ticket
	tickets  []ticketOf             // that were shown, the newest last
	bundles  []uint64               // versions of the heads of the guest's bundles, in their order
	imported int                    // how many of them were sent
	head     uint64                 // highest version that was acknowledged
}

const bundleCount = 8

// flagSeed makes the instants of a run those of another: go test -tags virtual ./test/virtual -seed 7.
const flagSeed = "seed"

func newCuts(t *testing.T, daemon File, stream uint64) *cuts {
	t.Helper()
	seed := flag.Lookup(flagSeed).Value.(flag.Getter).Get().(uint64)
	t.Logf("-seed %d", seed)
	c := &cuts{fleet: newFleet(t, cutPulse), chance: rand.New(rand.NewPCG(seed, stream)), rose: map[entry.PassHash]int{}}
	files := cardOf(t, c.fleet)
	files["/bin/gatehoused"], files["/bin/gatehouse"] = daemon, tool
	for n := range bundleCount {
		b, err := c.fleet.Bundle(venue, time.Now())
		must(t, err)
		text, err := b.Encode()
		must(t, err)
		files[fmt.Sprintf("/bundles/%d", n)] = File{Data: text}
		c.bundles = append(c.bundles, headOf(b))
	}
	c.bench = newBench(t, Config{Lines: kioskLines, Files: files, Start: begin + "exec gatehoused"})
	return c
}

// cutPulse is short: the next ticket waits for its end.
const cutPulse = 200 * time.Millisecond

func headOf(b *fleet.Bundle) (version uint64) {
	for _, d := range b.Documents {
		if d.Kind() == fleet.KindHead {
			version = d.Version()
		}
	}
	return version
}

// show shows a ticket, and counts the relay's rise for it when the machine is off.
func (c *cuts) show(t *testing.T, m *Machine, p ticketOf) (seen func()) {
	t.Helper()
	at := send(t, m, p.code)
	return func() {
		for _, e := range m.Lines.Edges(at) {
			if e.Line == m.Lines.Number("relay0") && e.High {
				c.rose[p.hash]++
			}
		}
	}
}

// life boots the kiosk, shows the ticket of the last life, lets documents be imported, and pulls the plug at some
// instant around the showing of a new ticket.
func (c *cuts) life(t *testing.T, moment func(m *Machine, shown time.Time)) {
	t.Helper()
	m, end := startKiosk(t, c.bench)
	if n := len(c.tickets); n > 0 {
		last := c.tickets[n-1]
		seen := c.show(t, m, last)
		waitLog(t, m, "msg=scan", end)
		if c.rose[last.hash] > 0 {
			waitLog(t, m, "outcome=deny reason=already_used", end)
		}
		must(t, m.Lines.WaitLevel(within(t, patience), "relay0", false))
		seen()
	}
	done := c.importOne(t, m)
	p := c.fleet.ticket(t)
	c.tickets = append(c.tickets, p)
	at := time.Now()
	seen := c.show(t, m, p)
	moment(m, at)
	must(t, m.Kill())
	done()
	seen()
}

// importOne sends the next bundle in half of the lives; half of these are cut while the import is under way.
func (c *cuts) importOne(t *testing.T, m *Machine) (done func()) {
	t.Helper()
	if c.imported == len(c.bundles) || c.chance.IntN(2) == 0 {
		return func() {}
	}
	version := c.bundles[c.imported]
	command := fmt.Sprintf("gatehouse import /bundles/%d", c.imported)
	c.imported++
	ended := make(chan error, 1)
	go func() {
		_, err := m.Shell(within(t, patience), command)
		ended <- err
	}()
	acknowledge := func() {
		if err := <-ended; err == nil {
			c.head = version
		} else if !errors.Is(err, ErrOff) {
			t.Error(err)
		}
	}
	if c.chance.IntN(2) == 0 {
		return acknowledge
	}
	acknowledge()
	return func() {}
}

// random is some instant around the answer, which comes after 40 to 100 ms on a quiet machine.
func (c *cuts) random(t *testing.T) func(*Machine, time.Time) {
	return func(m *Machine, shown time.Time) {
		if c.chance.IntN(3) == 0 {
			edge(t, m, "relay0", true, shown)
		}
		<-time.After(time.Duration(c.chance.Int64N(int64(200 * time.Millisecond))))
	}
}

// check looks at what is on the disk of a kiosk that was cut off.
func (c *cuts) check(t *testing.T) error {
	t.Helper()
	dir := t.TempDir()
	must(t, c.bench.Files(t.Context(), "/state", dir))
	state := filepath.Join(dir, "state")
	return errors.Join(c.checkLedger(t.Context(), filepath.Join(state, "ledger.db")), c.checkTrust(state))
}

func (c *cuts) checkLedger(ctx context.Context, path string) error {
	l, err := cache.OpenLedger(path, cache.LedgerOptions{At: time.Now(), NoSync: true})
	if err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	defer l.Close()
	if _, err := l.CheckChain(ctx); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	events, err := l.Events(1, 1<<20)
	if err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	admitted, whose := map[entry.PassHash]int{}, map[uint64]entry.PassHash{}
	for _, ev := range events {
		switch {
		case ev.Kind == entry.EventDecision && ev.Outcome == entry.Admit:
			admitted[ev.Pass]++
			whose[ev.Seq] = ev.Pass
		case ev.Kind == entry.EventPassage && ev.Passage == entry.NotPassed:
			admitted[whose[ev.Of]]--
		}
	}
	var errs []error
	for _, p := range c.tickets {
		n, rose := admitted[p.hash], c.rose[p.hash]
		if n < rose {
			errs = append(errs, fmt.Errorf("%w: ticket %s: %d openings, %d events", errForgot, p.hash, rose, n))
		}
		if n > 1 || rose > 1 {
			errs = append(errs, fmt.Errorf("%w: ticket %s: %d openings, %d events", errTwice, p.hash, rose, n))
		}
	}
	return errors.Join(errs...)
}

func (c *cuts) checkTrust(state string) error {
	floor, err := cache.OpenFloor(filepath.Join(state, "floor"), cache.FloorOptions{Boot: func() (cache.Boot, error) { return cache.Boot{}, nil }})
	if err == nil {
		err = floor.Fault()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	pin, err := c.fleet.Pin()
	if err != nil {
		return err
	}
	trust, err := cache.OpenTrust(filepath.Join(state, "trust.db"), cache.TrustOptions{
		Pin: pin, Place: fleet.Place{Venue: venue, Kiosk: kiosk}, Floor: floor.Marks(pin),
	})
	if err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	defer trust.Close()
	if err := trust.SetAside(); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	for _, m := range trust.Believed().Marks {
		if m.Kind == fleet.KindHead && m.Version < c.head {
			return fmt.Errorf("%w: head %d, not %d", errOlder, m.Version, c.head)
		}
	}
	return nil
}

// TestKioskRemembersOverManyPowerCuts pulls the plug at 20 random instants around scans and imports, at two kiosks beside
// each other. All that opened the way and all that was acknowledged is on the disk each time, and nothing opens twice.
func TestKioskRemembersOverManyPowerCuts(t *testing.T) {
	for half := range uint64(2) {
		t.Run(fmt.Sprint(half), func(t *testing.T) {
			t.Parallel()
			c := newCuts(t, daemon, half)
			for n := range 10 {
				c.life(t, c.random(t))
				if err := c.check(t); err != nil {
					t.Fatalf("cut %d: %v", n+1, err)
				}
			}
			t.Logf("%d of %d tickets opened the way; head %d was acknowledged", len(c.rose), len(c.tickets), c.head)
			if len(c.rose) < 3 || c.imported == 0 {
				t.Error("too little happened between the cuts")
			}
		})
	}
}

// A kiosk that does not sync must fail the same check: else the bench would prove nothing.
func TestBenchNoticesAMissingSync(t *testing.T) {
	t.Parallel()
	careless, err := BuildGuest(t.Context(), "gatehouse/cmd/gatehoused", "nosync")
	must(t, err)
	c := newCuts(t, careless, 0)
	c.life(t, func(m *Machine, shown time.Time) { edge(t, m, "relay0", true, shown) })
	if err := c.check(t); !errors.Is(err, errForgot) {
		t.Errorf("a kiosk that does not sync was cut off as it opened, and the check says %v", err)
	} else {
		t.Log(err)
	}
}
