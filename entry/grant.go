// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"errors"
	"sync/atomic"
	"time"
)

// GrantLife is how long a grant may be spent after it was made. A gate that is later than this opens for somebody else.
const GrantLife = 2 * time.Second

// The ways in which a grant is refused. In each of them the gate stays shut and the guest shows the code again.
var (
	ErrGrantInvalid = errors.New("entry: not a grant that a decision made; the gate stays shut")
	ErrGrantSpent   = errors.New("entry: this grant was spent before; the gate opens once for each admission")
	ErrGrantLane    = errors.New("entry: this grant is for another lane")
	ErrGrantLate    = errors.New("entry: this grant is too old; show the pass again")
)

// Grant is the right to open one lane once, soon. Only a Decider makes a usable one, after the admission was recorded.
// Copies share the one spending.
type Grant struct {
	right *right
}

type right struct {
	lane  string
	made  time.Time
	pulse time.Duration
	wide  bool
	free  bool
	spent atomic.Bool
}

func newGrant(lane string, made time.Time, o opening) *Grant {
	return &Grant{&right{lane: lane, made: made, pulse: o.pulse, wide: o.wide, free: o.free}}
}

// Spend uses the grant up for a lane. now is read from time.Now by the gate: its monotonic reading makes the age
// immune to steps of the wall clock. A grant that is refused for its lane or age stays refused.
func (g *Grant) Spend(lane string, now time.Time) error {
	if g == nil || g.right == nil {
		return ErrGrantInvalid
	}
	if g.right.spent.Swap(true) {
		return ErrGrantSpent
	}
	if g.right.lane != lane {
		return ErrGrantLane
	}
	if age := now.Sub(g.right.made); age < 0 || age > GrantLife {
		return ErrGrantLate
	}
	return nil
}

// Wide tells that the guest needs a longer opening (wheelchair, pushchair).
func (g *Grant) Wide() bool {
	return g != nil && g.right != nil && g.right.wide
}

// Free tells that the lane is open to everybody at this hour, so that nobody in particular is awaited, and that nobody walks
// through is no news.
func (g *Grant) Free() bool {
	return g != nil && g.right != nil && g.right.free
}

// Pulse is how long the venue's signed policy wants the lane open; 0 leaves it to the gate's own setting.
func (g *Grant) Pulse() time.Duration {
	if g == nil || g.right == nil {
		return 0
	}
	return g.right.pulse
}
