// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"gatehouse/device/client"
	"gatehouse/device/condition"
	"gatehouse/entry"
	"gatehouse/gate"
	"gatehouse/scanner"
)

// lane joins a scanner, the decider and a gate. One goroutine decides; the scanner and the gate own one loop each.
type lane struct {
	kiosk   *kiosk
	cfg     LaneConfig
	log     *slog.Logger
	health  laneHealth
	scanner *scanner.Scanner
	box     mailbox
	serving atomic.Bool // a gate is there to answer at, and its relay does what it is told

	unanswered int       // scans while the gate was out of service, not logged yet; of the scanner's loop alone
	told       time.Time // when they were logged last

	surprises chan surprise
	orders    chan order
	closing   closing
	tapped    atomic.Bool // a technician looks at what the scanner sends
	out       *wayOut
	pulse     heartbeat
	last      [2]entry.Decision // the newest admission and the one before; of the answering goroutine alone
	opened    func(time.Time)   // what is to be done when the relay has risen for it; given to the gate with the grant

	free uint64                     // the event of the free passage under way, 0 where there is none; of the answering goroutine alone
	mode atomic.Pointer[entry.Mode] // whom the lane lets through

	mu  sync.Mutex
	now client.Lane
}

var (
	errNotConnected = errors.New("the scanner was not opened yet")
	errNotInService = errors.New("the gate is not in service yet")
	errEnded        = errors.New("device: the loop ended by itself; it is taken up again")
)

// inService is what a gate without a fault is said to be.
const inService = "in service"

func newLane(k *kiosk, cfg LaneConfig) (*lane, error) {
	l := &lane{kiosk: k, cfg: cfg, log: k.log.With("lane", cfg.Name), health: k.health.of(cfg.Name), box: newMailbox(),
		surprises: make(chan surprise, maxSurprises), orders: make(chan order), out: newWayOut()}
	l.now = client.Lane{Name: cfg.Name, Outcomes: map[string]uint64{}}
	var err error
	reads := cfg.Scanner.config()
	reads.Log, reads.State = l.log, func(err error) { l.health.set(condition.Scanner, err) }
	l.scanner, err = scanner.Open(reads)
	if err != nil {
		return nil, fmt.Errorf("device: lane %s: %w", cfg.Name, err)
	}
	l.health.begin(condition.Scanner, errNotConnected)
	l.health.begin(condition.Gate, errNotInService)
	return l, nil
}

// Pauses between tries of a lane whose lines cannot be opened or whose gate failed.
const (
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
	gateRetry  = 5 * time.Second // the longest of a gate's: somebody may stand at its button
)

// run keeps the lane in service until ctx ends. What fails is reported and taken up again; it never ends the kiosk, for
// the other lanes have done nothing.
func (l *lane) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return l.keep(ctx, condition.Gate, gateRetry, l.serve) })
	group.Go(func() error {
		for {
			err := guarded(ctx, l.recordDepartures)
			if err == nil {
				return nil
			}
			l.log.Error("way out not recorded", "error", err)
			if pause(ctx, firstRetry); ctx.Err() != nil {
				return nil
			}
		}
	})
	group.Go(func() error {
		select {
		case <-l.kiosk.opened:
		case <-ctx.Done():
			return nil
		}
		return l.keep(ctx, condition.Scanner, lastRetry, func(ctx context.Context) error { return l.scanner.Run(ctx, l.deliver) })
	})
	return group.Wait()
}

// keep runs a part of the lane again and again, with pauses, until ctx ends; then it returns how the part ended.
func (l *lane) keep(ctx context.Context, broken condition.Code, most time.Duration, part func(context.Context) error) error {
	for wait := firstRetry; ; wait = min(2*wait, most) {
		began := time.Now()
		err := guarded(ctx, part)
		if ctx.Err() != nil {
			return err
		}
		if err == nil {
			err = errEnded
		}
		l.health.set(broken, err)
		if time.Since(began) > lastRetry {
			wait = firstRetry
		}
		if pause(ctx, wait); ctx.Err() != nil {
			return nil
		}
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	over := time.NewTimer(d)
	defer over.Stop()
	select {
	case <-ctx.Done():
	case <-over.C:
	}
}

// guarded turns a panic of a part into its error.
func guarded(ctx context.Context, part func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("device: %s\n%s", panicText(p), debug.Stack())
		}
	}()
	return part(ctx)
}

// serve opens the lines and answers scans over a gate until that ends.
func (l *lane) serve(ctx context.Context) (err error) {
	lines, err := l.kiosk.hw.Lines(l.cfg)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil // stopped before it came into service, as between two tries
	case err != nil:
		return fmt.Errorf("device: lane %s: %w", l.cfg.Name, err)
	}
	defer func() { err = errors.Join(err, lines.Close()) }()
	cfg := gate.Config{
		Lane: l.cfg.Name, Pulse: time.Duration(l.cfg.Pulse), Refusal: time.Duration(l.cfg.Refusal), Inert: l.cfg.Inert,
		State: l.gateState, Opened: func(at time.Time) { l.opened(at) },
		Passage: time.Duration(l.cfg.PassageTimeout), Surprised: l.surprised, Blind: l.kiosk.cfg.blind,
		ExitPulse: time.Duration(l.cfg.ExitPulse), OnFire: l.cfg.OnFire, Departed: l.departed,
		InputState: l.inputState, Alive: l.pulse.beat,
	}
	inputs, closeInputs := l.inputs()
	cfg.Inputs = inputs
	defer func() { err = errors.Join(err, closeInputs()) }()
	g, err := gate.New(cfg, lines)
	if err != nil {
		return err
	}
	defer l.serving.Store(false)
	group, ctx := errgroup.WithContext(ctx)
	noted := make(chan struct{})
	group.Go(func() error {
		defer close(noted)
		l.noteResting()
		return nil
	})
	group.Go(func() error {
		l.pulse.run(true)
		defer l.pulse.run(false)
		err := g.Run(ctx)
		if err == nil {
			<-noted
			l.forgetResting()
		}
		if err != nil || ctx.Err() != nil {
			return err
		}
		return errEnded
	})
	group.Go(func() error {
		return guarded(ctx, func(ctx context.Context) error {
			l.attend(ctx, g)
			return nil
		})
	})
	return group.Wait()
}

// attend takes what comes to the lane, one after the other: a late passage before the next scan, which may be of the same
// pass.
func (l *lane) attend(ctx context.Context, g *gate.Gate) {
	select {
	case <-l.kiosk.opened: // nothing can be decided or written before
	case <-ctx.Done():
		return
	}
	look := time.NewTimer(0)
	defer look.Stop()
	for {
		l.recordSurprises(ctx)
		select {
		case s := <-l.surprises:
			l.recordSurprise(ctx, s)
		case scan := <-l.box:
			l.answer(ctx, g, l.turn(ctx, scan))
		case o := <-l.orders:
			l.obey(ctx, g, o)
		case <-look.C:
			look.Reset(l.everybody(ctx, g))
		case <-ctx.Done():
			l.recordSurprises(ctx)
			return
		}
	}
}

// gateState hears how the gate's outputs are. Without a lamp the lane works on; while its relay cannot be relied on
// nobody's use is taken for a gate that will not open.
func (l *lane) gateState(err error) {
	serving := !errors.Is(err, gate.ErrFault) && !errors.Is(err, gate.ErrStuck)
	if !l.serving.Swap(serving) && serving {
		l.scanner.Forget() // whoever was sent away may show the same code
	}
	if serving {
		l.health.set(condition.Gate, nil)
		l.health.set(condition.Lamp, err)
		return
	}
	l.health.set(condition.Gate, err)
	if errors.Is(err, gate.ErrAjar) {
		notify(l.log, endAtOnce)
	}
}

// deliver takes a scan from the scanner. While no gate is in service nobody can be shown an answer; that it was read is
// told to the technician.
func (l *lane) deliver(scan scanner.Scan) {
	if l.serving.Load() {
		l.box.put(scan)
		return
	}
	l.count(entry.ReasonOutOfOrder, entry.Refer)
	if l.unanswered++; time.Since(l.told) < tellUnanswered {
		return
	}
	l.log.Info("scan", "outcome", entry.ReasonOutOfOrder.Outcome(), "reason", entry.ReasonOutOfOrder, "detail", "the gate is not in service", "scans", l.unanswered)
	l.told, l.unanswered = time.Now(), 0
}

// tellUnanswered is how often scans that nobody answers are logged: guests try again and again, and noise on the line
// comes faster still.
const tellUnanswered = 10 * time.Second

// keptScan is how long a scan that came during a passage is still worth deciding: later its guest has moved on.
const keptScan = 3 * time.Second

// afterRefusal is how long a lane takes no scan after one that it refused. No guest is quicker; noise on the line is, and
// each refusal is a durable event.
const afterRefusal = 100 * time.Millisecond

// answer takes one scan to its end. A panic ends this scan alone: its guest is refused and the next is read.
func (l *lane) answer(ctx context.Context, g *gate.Gate, scan scanner.Scan) {
	defer func() {
		if p := recover(); p != nil {
			l.log.Error("scan panicked", "panic", panicText(p), "stack", string(debug.Stack()))
			l.scanner.Forget()
			l.refuse(ctx, g, entry.ReasonOutOfOrder)
		}
	}()
	if time.Since(scan.At) > keptScan {
		l.scanner.Forget()
		if l.free == 0 { // else the lane stands open for him
			l.refuse(ctx, g, entry.ReasonWait)
		}
		return
	}
	switch {
	case l.out.burns():
		l.scanner.Forget()
		l.refuse(ctx, g, entry.ReasonLaneClosed)
		return
	case !l.serving.Load(): // the gate failed while the scan waited for its turn
		l.refuse(ctx, g, entry.ReasonOutOfOrder)
		return
	}
	dec := l.kiosk.decider.Decide(ctx, l.entryLane(), scan.Code, l.kiosk.time.moment())
	l.kiosk.recorded(dec.RecordErr)
	if dec.Outcome != entry.Admit {
		l.note(dec, scan, time.Now())
		l.forget(dec, scan.Code)
		l.refuse(ctx, g, "")
		pause(ctx, afterRefusal)
		return
	}
	passage := l.open(ctx, g, dec, func(at time.Time, err error) {
		if err == nil {
			l.kiosk.meter.toRelay(l.cfg.Name, at.Sub(scan.At))
		}
		l.note(dec, scan, at)
	})
	if passage == entry.NotPassed {
		l.scanner.Forget() // the use is annulled: the code that is still held in front admits again
	}
}

// open spends an admission's grant and ends the admission with its passage. noted is called once: when the relay has risen,
// or with the error when it will not.
func (l *lane) open(ctx context.Context, g *gate.Gate, dec entry.Decision, noted func(at time.Time, err error)) entry.Passage {
	l.last = [2]entry.Decision{dec, l.last[0]}
	once := false
	l.opened = func(at time.Time) { noted(at, nil); once = true }
	passage, err := l.admit(ctx, g, dec.Grant)
	if !once {
		noted(time.Now(), err)
	}
	if err != nil {
		l.log.Error("gate", "event", dec.Event, "error", err)
	}
	l.kiosk.meter.passed(l.cfg.Name, passage)
	l.settle(ctx, dec, passage)
	return passage
}

// forget has the scanner deliver again what may be answered in another way now.
func (l *lane) forget(dec entry.Decision, code string) {
	switch {
	case dec.Outcome == entry.Wait && dec.Reason != entry.ReasonSecondPassNeeded:
		l.scanner.Forget() // the same code is asked for again
	case dec.Waited:
		l.scanner.ForgetOthers(code) // one that was answered before may be the other of two now, or the first again
	}
}

// panicText is a panic's text where it is the runtime's own: any other value might hold a piece of the pass.
func panicText(p any) string {
	if err, ok := p.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", p)
}

// refuse lights the red lamp; a reason is given where no decision was noted.
func (l *lane) refuse(ctx context.Context, g *gate.Gate, reason entry.Reason) {
	if reason != "" {
		l.count(reason, reason.Outcome())
		l.log.Info("scan", "outcome", reason.Outcome(), "reason", reason)
	}
	if err := g.Refuse(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, gate.ErrBusy) {
		l.log.Warn("red lamp", "error", err)
	}
}
