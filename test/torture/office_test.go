// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package torture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"

	"gatehouse/entry"
)

// office is what the operator does meanwhile, with gatehouse-fleet. Much of it fails, for who is needed for it may be dead.
type office struct {
	tool, dir string
	lane      string // which is opened by order
	crowd     *crowd
	log       *os.File

	work    sync.WaitGroup
	busy    chan struct{} // has room for those who work at once
	mu      sync.Mutex
	orders  int
	done    map[string]uint64 // the event of each order that was said to be carried out, by its reason
	pending []*pass           // revoked, and not known to be in force
	applied int
}

// begin lets somebody do something beside. Where too many are at it already nobody does.
func (o *office) begin(act func()) {
	select {
	case o.busy <- struct{}{}:
		o.work.Go(func() { act(); <-o.busy })
	default:
	}
}

func (o *office) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, o.tool, append([]string{"-C", o.dir}, args...)...)
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0") // it else takes a second to end
	text, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("gatehouse-fleet %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(text)))
		fmt.Fprintln(o.log, err)
	}
	return string(text), err
}

// order has the desk's lane opened, and remembers which event is said to tell of it.
func (o *office) order(ctx context.Context) error {
	o.mu.Lock()
	o.orders++
	reason := fmt.Sprintf("order %d", o.orders)
	o.mu.Unlock()
	text, err := o.run(ctx, "cmd", venue+"/gate-1", "open", o.lane, "--reason", reason, "--wait", "5s")
	if err != nil {
		return err
	}
	var event uint64
	_, said, _ := strings.Cut(text, ": ")
	if _, err := fmt.Sscanf(said, "done (event %d)", &event); err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done[reason] = event
	return nil
}

// revoke revokes a pass that nobody showed yet and publishes it. What cannot be published now is when the centre comes to a broker
// the next time.
func (o *office) revoke(ctx context.Context) error {
	p, err := o.crowd.whoIsNew()
	if err != nil {
		return err
	}
	if _, err := o.run(ctx, "revoke", p.id, "--issuer", issuer); err != nil {
		return err
	}
	o.mu.Lock()
	o.pending = append(o.pending, p)
	o.mu.Unlock()
	if _, err := o.run(ctx, "apply"); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.applied++
	return nil
}

// audit holds the record to the orders: none was carried out twice, and each of which it was said once. rises is how often the
// lane's relay rose.
func (o *office) audit(r *record, rises int) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var errs []error
	events := map[string]uint64{}
	for _, e := range r.events {
		if e.event.Reason != entry.ReasonOverride {
			continue
		}
		_, reason, _ := strings.Cut(e.event.Note, ": ")
		if events[reason] != 0 {
			errs = append(errs, fmt.Errorf("%w: %s, with events %d and %d", errAgain, reason, events[reason], e.event.Seq))
		}
		events[reason] = e.event.Seq
	}
	for reason, event := range o.done {
		if events[reason] != event {
			errs = append(errs, fmt.Errorf("%w: %s, as event %d; it is %d", errUnfit, reason, event, events[reason]))
		}
	}
	if rises < len(o.done) {
		errs = append(errs, fmt.Errorf("%w: %d orders, and the relay rose %d times", errUnfit, len(o.done), rises))
	}
	return errors.Join(errs...)
}
