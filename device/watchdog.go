// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// The service manager's watchdog is fed by the gate loops alone: a slow card or a dead scanner raises a condition and never
// restarts a lane that works, and a loop that hangs ends the process, whose ExecStopPost brings the relays to rest. A line
// is high for at most 8 s so: hangs + 5 s of the watchdog, at most.

// hangs is after how long without a beat a gate's loop is not fed for any more. It beats twice a second, and a slow call of
// the driver may take a second.
const hangs = 1500 * time.Millisecond

// extendStart gives the start 5 s from now on (sd_notify(3)). The watchdog begins when the kiosk is ready, which can take
// minutes where a large database is migrated; until then TimeoutStartSec stands in for it.
const extendStart = "EXTEND_TIMEOUT_USEC=5000000"

// endAtOnce has the service manager act as if the watchdog had not been fed (sd_notify(3)): a line that may stand open does
// not wait for that.
const endAtOnce = "WATCHDOG=trigger"

// feedPeriod is how often the watchdog is fed, if at all.
const feedPeriod = 500 * time.Millisecond

// heartbeat is when the loop of a lane's gate last reported.
type heartbeat struct {
	mu      sync.Mutex
	running bool // a lane whose lines cannot be opened has no loop that could hang
	last    time.Time
}

// run notes whether there is a loop.
func (h *heartbeat) run(running bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running, h.last = running, time.Now()
}

func (h *heartbeat) beat() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = time.Now()
}

func (h *heartbeat) runs() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.running
}

func (h *heartbeat) well() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.running || time.Since(h.last) < hangs
}

// feed feeds the watchdog, where there is one, until ctx ends.
func (k *kiosk) feed(ctx context.Context) error {
	if limit, err := daemon.SdWatchdogEnabled(false); err != nil || limit == 0 {
		return nil
	}
	tick := time.NewTicker(feedPeriod)
	defer tick.Stop()
	for {
		well := true
		for _, l := range k.lanes {
			well = well && l.pulse.well()
		}
		switch {
		case well && k.isOpen():
			notify(k.log, daemon.SdNotifyWatchdog)
		case well:
			notify(k.log, daemon.SdNotifyWatchdog+"\n"+extendStart)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
