// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/entry"
)

// The ways in which a gate says no. Beside them Admit returns the errors of [entry.Grant.Spend].
var (
	// ErrBusy: the lane is open for somebody else. The grant is not spent; ask again after the passage.
	ErrBusy = errors.New("the lane is open for somebody")
	// ErrFire: the fire alarm is on, and nobody is admitted until it ends. The grant is not spent. It is an ErrBusy.
	ErrFire = fmt.Errorf("%w: the fire alarm is on", ErrBusy)
	// ErrFault: the relay did not take a level, so that nobody knows where it stands. If Admit
	// returns it the lane may have moved. The gate admits again by itself as soon as the inert level
	// is confirmed; until then send people to another lane and look at the wiring.
	ErrFault = errors.New("the relay does not answer")
	// ErrStopped: Run has ended. Nothing moves any more; make a new gate.
	ErrStopped = errors.New("the lane is out of service")
	// ErrStuck: the loop makes no progress; most likely a call of the driver hangs. The inert level was tried
	// by a second call. If it does not come back, the process must be restarted.
	ErrStuck = errors.New("the lane is stuck")
	// ErrAjar: the relay may stand open, and its driver answers neither the loop nor the watch. End the process at once, so that
	// its successor drives the line. It is told beside an ErrStuck.
	ErrAjar = errors.New("the line may stand open and cannot be shut from here")
	// ErrPanic: Run ended by a panic, after the inert level was driven. Make a new gate, and report the defect.
	ErrPanic = errors.New("the lane panicked")
)

// Gate is one lane. Its methods may be called from any goroutine.
type Gate struct {
	cfg   Config
	lines Lines

	started atomic.Bool
	ended   chan struct{} // closed when Run has returned

	admits  chan *admission
	refuses chan chan<- error

	readers map[Contact]*reader // of the inputs that are wired
	sensing *sensing            // nil where no passage contact is wired
	alarm   *alarm              // nil where no fire contact is wired
	asked   chan struct{}       // somebody wants out; holds one

	serving atomic.Pointer[admission] // whom the lane is open for
	raised  atomic.Bool               // the relay may be active: it was driven so, or is about to be
	beats   chan time.Time            // by when the loop will report again; holds the latest
	stuck   chan struct{}             // the watch took the lane from the loop; holds one
}

// admission is the message of one Admit.
type admission struct {
	ctx   context.Context
	grant *entry.Grant
	reply chan verdict // room for one; the first answer counts
	turn  chan bool    // holds whether it was answered, while nobody tells or answers
}

func newAdmission(ctx context.Context, grant *entry.Grant) *admission {
	a := &admission{ctx: ctx, grant: grant, reply: make(chan verdict, 1), turn: make(chan bool, 1)}
	a.turn <- false
	return a
}

type verdict struct {
	passage entry.Passage
	err     error
}

// answer ends the admission, and not while it is told of.
func (a *admission) answer(p entry.Passage, err error) {
	<-a.turn
	select {
	case a.reply <- verdict{p, err}:
	default:
	}
	a.turn <- true
}

// tell tells of the admission, unless it was answered: its caller may be at the next.
func (a *admission) tell(what func()) {
	answered := <-a.turn
	defer func() { a.turn <- answered }() // a panic is answered too
	if !answered {
		what()
	}
}

// New makes the gate of a lane. It moves nothing; Run does. The lines stay the caller's to close,
// after Run has returned. Its errors wrap [ErrConfig].
func New(cfg Config, lines Lines) (*Gate, error) {
	cfg, err := cfg.checked()
	if err != nil {
		return nil, err
	}
	if lines == nil {
		return nil, fmt.Errorf("gate: %w: lane %s has no lines", ErrConfig, cfg.Lane)
	}
	g := &Gate{
		cfg:     cfg,
		lines:   lines,
		ended:   make(chan struct{}),
		admits:  make(chan *admission),
		refuses: make(chan chan<- error),
		beats:   make(chan time.Time, 1),
		stuck:   make(chan struct{}, 1),
		readers: make(map[Contact]*reader),
		asked:   make(chan struct{}, 1),
	}
	g.wire()
	return g, nil
}

// wire makes the readers of the inputs.
func (g *Gate) wire() {
	for c, input := range g.cfg.Inputs {
		switch {
		case input == nil:
		case c == Passage:
			g.sensing = newSensing(input, g.cfg.Blind)
			g.readers[c] = g.sensing.reader
		case c == Exit:
			g.readers[c] = newAsking(input, g.asked)
		case c == Fire:
			g.alarm = newAlarm(input)
			g.readers[c] = g.alarm.reader
		}
	}
}

// Run takes the lane into service and returns when ctx ends: nil if the inert level was driven then,
// else an error that wraps ErrFault, ErrStuck or ErrPanic. A gate runs once.
//
// After ErrStuck up to two goroutines may be left behind in the driver (the loop and the watch's second call); nothing can
// end them but the driver.
func (g *Gate) Run(ctx context.Context) error {
	if g.started.Swap(true) {
		return g.errorf("%w: a gate runs once", ErrStopped)
	}
	defer close(g.ended)

	defer g.sense(ctx)()
	done := make(chan error, 1)
	go func() { done <- newLoop(g).run(ctx) }()
	return g.watch(ctx, done)
}

// sense reads the inputs until the returned function is called, which waits for that. A reader that hangs in its driver is
// left behind: nothing can end it but the driver.
func (g *Gate) sense(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var reading sync.WaitGroup
	for _, r := range g.readers {
		reading.Go(func() { r.run(ctx) })
	}
	return func() {
		cancel()
		ended := make(chan struct{})
		go func() {
			reading.Wait()
			close(ended)
		}()
		hung := time.NewTimer(patience)
		defer hung.Stop()
		select {
		case <-ended:
		case <-hung.C:
		}
	}
}

// Admit spends the grant and opens the lane for one pulse. It returns when the pulse is over and the passage known:
//
//   - [entry.Passed] once somebody has gone through;
//   - [entry.NotPassed] when Config.Passage is over, the sensor well, and nobody has;
//   - [entry.PassageUnknown] where no sensor is wired or it cannot be relied on, and where ctx or Run ended before the
//     passage was known and the relay was driven inert at once: somebody may have gone through.
//
// Until it returns the lane is the guest's, and everybody else gets ErrBusy: a passage could not be told to be whose.
//
// With an error the passage is [entry.Fault]. ErrFault, ErrStuck and ErrPanic may have moved the lane; all other
// errors moved nothing, and of these ErrBusy, ErrStopped and the end of ctx leave the grant unspent.
func (g *Gate) Admit(ctx context.Context, grant *entry.Grant) (entry.Passage, error) {
	a := newAdmission(ctx, grant)
	if err := hand(ctx, g, g.admits, a); err != nil {
		return entry.Fault, err
	}
	// From here on the loop answers, or the watch does: the loop ends the pulse when ctx does.
	select {
	case v := <-a.reply:
		return v.passage, v.err
	case <-g.ended:
	}
	select {
	case v := <-a.reply:
		return v.passage, v.err
	default:
		return entry.Fault, g.errorf("%w", ErrStopped)
	}
}

// Refuse lights the red lamp for Config.Refusal and returns as soon as the loop has taken it on. A
// new refusal starts the time again; an admission ends it.
func (g *Gate) Refuse(ctx context.Context) error {
	reply := make(chan error, 1)
	if err := hand(ctx, g, g.refuses, chan<- error(reply)); err != nil {
		return err
	}
	return <-reply // the loop answers before it does anything else
}

// hand gives a message to the loop, which is never longer away than a call of the driver takes.
func hand[T any](ctx context.Context, g *Gate, loop chan<- T, message T) error {
	if err := ctx.Err(); err != nil {
		return g.errorf("%w", err)
	}
	away := time.NewTimer(patience)
	defer away.Stop()
	select {
	case loop <- message:
		return nil
	case <-ctx.Done():
		return g.errorf("%w", ctx.Err())
	case <-g.ended:
		return g.errorf("%w", ErrStopped)
	case <-away.C:
		return g.errorf("%w: it took no message within %v", ErrStuck, patience)
	}
}

// errorf makes an error that names the lane.
func (g *Gate) errorf(format string, args ...any) error {
	return fmt.Errorf("gate: lane %s: "+format, append([]any{g.cfg.Lane}, args...)...)
}

// drive is a call of the driver whose panic is an error: the way to rest must not end in one.
func (g *Gate) drive(o Output, active bool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: driving %s: %v", ErrPanic, o, p)
		}
	}()
	return g.lines.Drive(o, active)
}
