// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gatehouse/entry"
	"gatehouse/fleet"
	syncer "gatehouse/sync"
)

// office is what the kiosk does and says for its fleet.
type office struct{ *kiosk }

// Obey implements syncer.Kiosk. An order of the fleet's goes the way of one that is given at the kiosk: through entry, and
// recorded before it acts.
func (o office) Obey(ctx context.Context, c *fleet.Command) syncer.Result {
	event, err := o.obey(ctx, c)
	r := syncer.Result{ID: c.ID.String(), Done: err == nil, Code: "ok", Event: event}
	switch {
	case errors.Is(err, errOldOrder):
		r.Code, r.Text = "stale", oneLine(err.Error())
	case err != nil:
		r.Code, r.Text = "refused", oneLine(err.Error())
	}
	o.log.Info("order of the fleet", "action", c.Action, "lane", c.Lane, "id", c.ID, "event", event, "error", err)
	return r
}

// oldOrder is the age from which an order is not obeyed. Whoever gave it has long had no answer, and whoever was to be let
// through has gone.
const oldOrder = 2 * time.Minute

var errOldOrder = errors.New("device: the order is old: a broker held it back, or the clock of who gave it is wrong; give it again")

// timely refuses an order that is old for certain. A kiosk that nothing tells the time has the connection to go by, and that alone.
func timely(c *fleet.Command, now entry.Moment) error {
	if age := now.At.Sub(c.Issued); now.Clock != entry.ClockNeverSynced && age > oldOrder {
		return fmt.Errorf("%w (signed %s ago)", errOldOrder, entry.Duration(age.Round(time.Second)).Rough())
	}
	return nil
}

// byFleet is who orders, in the record.
const byFleet = "the fleet"

func (o office) obey(ctx context.Context, c *fleet.Command) (event uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, orderMost)
	defer cancel()
	if err := timely(c, o.time.moment()); err != nil {
		return 0, err
	}
	if c.Action == fleet.ActionResync {
		return o.note(ctx, "", "resync ordered: "+c.Reason)
	}
	l, err := o.lane(c.Lane)
	if err != nil {
		return 0, err
	}
	switch c.Action {
	case fleet.ActionOpen:
		return l.order(ctx, byFleet, c.Reason)
	case fleet.ActionCloseLane:
		return l.close(ctx, entry.EventClosed, byFleet, c.Reason)
	case fleet.ActionOpenLane:
		return l.close(ctx, entry.EventReleased, byFleet, c.Reason)
	}
	return l.identify(ctx, byFleet, c.Reason)
}

// note records something that is no decision.
func (k *kiosk) note(ctx context.Context, lane, text string) (uint64, error) {
	now := k.time.moment()
	ev := &entry.Event{At: now.At, Clock: now.Clock, Kind: entry.EventIncident, Lane: lane, Note: text}
	err := k.ledger.Record(ctx, ev)
	k.recorded(err)
	return ev.Seq, err
}

// Report implements syncer.Kiosk.
func (o office) Report() (r syncer.Reported, b syncer.Beat) {
	now := o.time.moment()
	r = syncer.Reported{Code: "ok", Program: Version(), Documents: []syncer.Version{}}
	b = syncer.Beat{At: now.At, Clock: string(now.Clock), Uptime: int64(o.health.elapsed().Seconds()), Band: "none", Ledger: o.ledger.ID(), Received: o.ledger.Receipt().Seq}
	if kept, err := o.ledger.Kept(); err == nil {
		b.Last = kept.Last
	}
	for _, c := range o.health.conditions() {
		if code := c.Code; !slices.Contains(b.Conditions, code) {
			b.Conditions = append(b.Conditions, code)
		}
	}
	r.Conditions = b.Conditions
	belief, err := o.trust.Belief()
	if err != nil {
		r.Code, r.Reason = "none", oneLine(err.Error())
		return r, b
	}
	t := belief.Terms()
	b.Band, b.Signed = string(t.Freshness(now)), t.Signed
	r.Band, r.Signed = b.Band, b.Signed
	r.Missing = t.Incomplete
	for _, v := range t.Versions {
		r.Documents = append(r.Documents, syncer.Version{Kind: v.Kind, Scope: v.Scope, Version: v.Version})
	}
	return r, b
}
