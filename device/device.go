// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package device is this kiosk: it opens the hardware, the two stores and the local API and joins them to lanes. It is
// the one place where the rooms are composed; everything it does itself is wiring, and every decision is made elsewhere.
package device

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sync/errgroup"

	"gatehouse/cache"
	"gatehouse/device/condition"
	"gatehouse/entry"
	"gatehouse/fleet"
	"gatehouse/gate"
	"gatehouse/gate/gpio"
)

// Hardware is what a kiosk cannot open by a path: the lines of its lanes, and the time.
type Hardware struct {
	// Lines opens the outputs of a lane. It is asked again, with pauses, for as long as it fails.
	Lines func(LaneConfig) (gate.Lines, error)
	// Input opens a contact of a lane that has it. It is asked again, with pauses, for as long as it fails.
	Input func(LaneConfig, gate.Contact) (gate.Input, error)
	// Chips lists the GPIO chips, for a technician; nil where there are none.
	Chips func() ([]gpio.Chip, error)
	Clock Clock
}

// Board is the real hardware: a GPIO chip of the kernel and the system's clock.
func Board() Hardware {
	return Hardware{
		Lines: func(l LaneConfig) (gate.Lines, error) { return gpio.Open(l.GPIO) },
		Input: func(l LaneConfig, c gate.Contact) (gate.Input, error) { return gpio.OpenInput(l.GPIO, c) },
		Chips: gpio.Chips,
		Clock: SystemClock(),
	}
}

// Kiosk is a running kiosk.
type kiosk struct {
	cfg     Config
	hw      Hardware
	log     *slog.Logger
	health  *health
	time    *timekeeper
	trust   *cache.Trust
	ledger  *record
	decider *entry.Decider
	opened  chan struct{} // closed when time, trust, ledger and decider are there
	lanes   []*lane
	meter   meter
	joined  atomic.Bool // to the fleet
	started time.Time
	began   time.Duration // how long the machine had run then
}

// Run runs the kiosk until ctx ends and leaves every lane inert. People are let out from the first moment, whatever comes of
// the rest; they are let in when the stores are open. Where these cannot be opened Run tries again for as long as somebody
// can be let out meanwhile, and else returns the error: a disk that cannot be written, a store that a newer version wrote.
// It returns at once where another daemon holds the lines and the stores. A lane whose hardware is missing is reported and tried again,
// and the others work.
func Run(ctx context.Context, cfg Config, hw Hardware, log *slog.Logger) (err error) {
	k := &kiosk{cfg: cfg, hw: hw, log: log, health: newHealth(hw.Clock, log), started: hw.Clock.Wall(), opened: make(chan struct{}), meter: newMeter()}
	k.began = k.health.elapsed()
	for _, l := range cfg.Lanes {
		ln, err := newLane(k, l)
		if err != nil {
			return err
		}
		k.lanes = append(k.lanes, ln)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range k.lanes {
		group.Go(func() error { return l.run(ctx) })
	}
	group.Go(func() error { return k.feed(ctx) })
	group.Go(func() error { return k.work(ctx) })
	err = group.Wait()
	if k.isOpen() {
		err = errors.Join(err, k.trust.Close(), k.ledger.Close())
	} else {
		k.restLanes() // whose lines may not have been opened
	}
	notify(log, daemon.SdNotifyStopping)
	k.log.Info("kiosk stopped", "venue", cfg.Venue, "kiosk", cfg.Kiosk)
	return err
}

// work is all that the kiosk does beside letting people out. Where somebody can be let out that is service enough: the service
// manager waits for no disk, and nothing that can be tried again ends it.
func (k *kiosk) work(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	if k.cfg.letsOut() {
		notify(k.log, daemon.SdNotifyReady)
	}
	err := k.openStores(ctx)
	for errors.Is(err, cache.ErrInUse) && k.hasLines() && ctx.Err() == nil {
		k.health.set(condition.Stores, err)
		pause(ctx, cmp.Or(k.cfg.reopen, firstReopen))
		if err = k.openStores(ctx); err == nil {
			k.health.set(condition.Stores, nil)
		}
	}
	if errors.Is(err, cache.ErrInUse) || err != nil && !k.cfg.letsOut() {
		return err
	}
	api, apiErr := k.listen()
	for apiErr != nil && k.cfg.letsOut() && ctx.Err() == nil {
		k.health.set(condition.LocalAPI, apiErr)
		pause(ctx, cmp.Or(k.cfg.reopen, firstReopen))
		if api, apiErr = k.listen(); apiErr == nil {
			k.health.set(condition.LocalAPI, nil)
		}
	}
	if apiErr != nil {
		if err == nil {
			err = errors.Join(k.trust.Close(), k.ledger.Close())
		}
		return errors.Join(apiErr, err)
	}
	group.Go(func() error { return api.serve(ctx) })
	group.Go(func() error { k.safely(ctx, func() { k.serveMetrics(ctx) }); return nil })
	if err != nil && !k.openLater(ctx, err) {
		return group.Wait()
	}
	k.safely(ctx, k.raiseFloor) // before anything is admitted: a ledger that is lost from here on leaves a trace
	takeUp := func() { k.takeUp(ctx) }
	if k.trust.Believed().Marks == nil {
		k.safely(ctx, takeUp)
	} else {
		group.Go(func() error { k.safely(ctx, takeUp); return nil })
	}
	close(k.opened)
	group.Go(func() error { return k.keepUp(ctx) })
	group.Go(func() error { k.safely(ctx, func() { k.join(ctx) }); return nil })
	k.log.Info("kiosk started", "venue", k.cfg.Venue, "kiosk", k.cfg.Kiosk, "lanes", len(k.lanes), "version", Version())
	notify(k.log, daemon.SdNotifyReady)
	return group.Wait()
}

// Pauses between tries of stores that cannot be opened.
const (
	firstReopen = 5 * time.Second
	lastReopen  = time.Minute
)

// openLater tries to open the stores until that succeeds or ctx ends. Meanwhile nobody is let in.
func (k *kiosk) openLater(ctx context.Context, err error) bool {
	for wait := cmp.Or(k.cfg.reopen, firstReopen); ; wait = min(2*wait, lastReopen) {
		k.health.set(condition.Stores, fmt.Errorf("%w; people are let out, and nobody in", err))
		if pause(ctx, wait); ctx.Err() != nil {
			return false
		}
		if err = k.openStores(ctx); err == nil {
			k.health.set(condition.Stores, nil)
			return true
		}
	}
}

// hasLines tells whether people can leave by a lane whose lines this daemon has. Who has the stores then is no other daemon, but
// somebody who reads them, as a doctor does; this one stays, without the sockets that a daemon may have.
func (k *kiosk) hasLines() bool {
	return slices.ContainsFunc(k.lanes, func(l *lane) bool { return l.cfg.letsOut() && l.pulse.runs() })
}

// safely does a part of the work beside the lanes. A panic ends that part alone: the daemon would come back to it at each start,
// and nobody could leave between.
func (k *kiosk) safely(ctx context.Context, part func()) {
	if err := guarded(ctx, func(context.Context) error { part(); return nil }); err != nil {
		k.log.Error("work beside the lanes ended", "error", err)
	}
}

// isOpen tells whether the stores are open.
func (k *kiosk) isOpen() bool {
	select {
	case <-k.opened:
		return true
	default:
		return false
	}
}

// takeUp looks into the bundle of the config. A kiosk that has believed something does not wait for that: at most starts
// the bundle says nothing new, and it can be large. No pass is decided on before what is stored is known to be whole.
func (k *kiosk) takeUp(ctx context.Context) {
	k.health.set(condition.TrustSetAside, k.trust.SetAside())
	k.importConfigured(ctx)
	k.observe()
}

// openStores opens both databases and the decider over them. A panic is its error.
func (k *kiosk) openStores(ctx context.Context) error {
	return guarded(ctx, func(context.Context) error { return k.openBoth() })
}

func (k *kiosk) openBoth() (err error) {
	if k.cfg.venueKey == nil {
		if k.cfg.venueKey, err = readVenueKey(k.cfg.VenueKey); err != nil {
			return fmt.Errorf("%w: %w", ErrVenueKey, err)
		}
	}
	if err := os.MkdirAll(k.cfg.State, 0o700); err != nil {
		return fmt.Errorf("device: state: %w", err)
	}
	if err := k.openFloor(); err != nil {
		return err
	}
	place := fleet.Place{Venue: k.cfg.Venue, Kiosk: k.cfg.Kiosk}
	if k.trust, err = cache.OpenTrust(filepath.Join(k.cfg.State, "trust.db"), cache.TrustOptions{
		Pin: k.cfg.Root, Place: place, Floor: k.time.floor.Marks(k.cfg.Root), Log: k.log,
	}); err != nil {
		return fmt.Errorf("device: %w", err)
	}
	opened := false
	defer func() {
		if !opened {
			err = errors.Join(err, k.trust.Close())
		}
	}()
	if err := k.openLedger(); err != nil {
		return err
	}
	var ledger entry.Ledger = k.ledger
	if k.cfg.ledger != nil {
		ledger = k.cfg.ledger(ledger)
	}
	if k.decider, err = entry.NewDecider(k.trust, ledger, k.ledger, k.cfg.venueKey); err != nil {
		return errors.Join(err, k.ledger.Close())
	}
	opened = true
	return nil
}

// restLanes drives the inert level of every lane that can be reached, for a kiosk that cannot start.
func (k *kiosk) restLanes() {
	for _, l := range k.lanes {
		if err := within(restMost, func() error { return restLane(l.cfg.resting(), k.hw) }); err != nil {
			l.log.Error("lane not brought to rest", "error", err)
		}
	}
}

// openFloor opens the memory of what this kiosk cannot have been before, and the clock that stands on it.
func (k *kiosk) openFloor() error {
	floor, err := cache.OpenFloor(filepath.Join(k.cfg.State, "floor"), cache.FloorOptions{Boot: k.hw.Clock.Boot, Built: built()})
	if err != nil {
		return fmt.Errorf("device: %w", err)
	}
	k.health.set(condition.Floor, floorFault(floor, k.cfg.State))
	k.time = &timekeeper{Clock: k.hw.Clock, floor: floor}
	return nil
}

// floorFault tells what is wrong with a floor, before the databases are opened: who takes its files away makes the kiosk
// forget what it cannot have been before, and the databases are the trace.
func floorFault(floor *cache.Floor, state string) error {
	if err := floor.Fault(); err != nil || floor.Ledger().ID != "" {
		return err
	}
	for _, name := range []string{"trust.db", "ledger.db"} {
		if _, err := os.Stat(filepath.Join(state, name)); err == nil {
			return fmt.Errorf("device: the floor is gone, and %s is there: what the databases and new documents say is all that is known of the past", name)
		}
	}
	return nil
}

// raiseFloor writes down what is believed and kept and the time that passed. A ledger in place of a lost one is not the
// floor's before the loss is accepted.
func (k *kiosk) raiseFloor() {
	var kept cache.Kept
	var err error
	if !k.ledger.lost.Load() {
		kept, err = k.ledger.Kept()
	}
	k.health.set(condition.FloorWrite, errors.Join(err, k.time.floor.Raise(k.trust.Believed(), kept)))
}

// importConfigured applies the bundle that the config names. The one in force stays where that fails. A kiosk that is to join
// its fleet needs none.
func (k *kiosk) importConfigured(ctx context.Context) {
	if k.cfg.Bundle == "" {
		return
	}
	err := k.importFile(ctx, k.cfg.Bundle)
	switch {
	case errors.Is(err, fleet.ErrOlder):
		k.log.Info("bundle is older than what is known", "bundle", k.cfg.Bundle)
		err = nil
	case errors.Is(err, fs.ErrNotExist) && k.cfg.Sync.on():
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", k.cfg.Bundle, err)
	}
	k.health.set(condition.Bundle, err)
}

func (k *kiosk) importFile(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() { // a pipe would keep the kiosk from starting
		return errors.New("it is not a file")
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = k.importBundle(ctx, f, info.Size())
	return err
}

// notify tells the service manager, where there is one.
func notify(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("service manager not notified", "error", err)
	}
}

// built is when the program's commit was made: no time that a kiosk lives in is earlier. Zero where that is unknown.
func built() time.Time {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.time" {
				at, _ := time.Parse(time.RFC3339, s.Value) // zero where it is none
				return at
			}
		}
	}
	return time.Time{}
}

// Version is the version of the program: its module version where it was installed as one, else its commit.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return info.Main.Version
}
