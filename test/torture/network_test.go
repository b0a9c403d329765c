// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package torture

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/cache"
	"gatehouse/device/client"
	"gatehouse/entry"
	"gatehouse/fleet"
	"gatehouse/fleet/collector"
	"gatehouse/test/mosquitto"
)

// network is a stage with a fleet around the kiosk: Debian's Mosquitto with the configuration that gatehouse-fleet writes,
// gatehouse-fleet serve, and an operator. Each of the three processes may be dead.
type network struct {
	*stage
	broker *mosquitto.Broker
	office *office
	centre *child // nil while it is dead
	life   *life  // of the kiosk; nil while it is dead
	listen bool   // the broker runs
	at     map[part]point

	deaths  map[part]int
	starts  map[part]int  // in the midst of it
	longest time.Duration // until everything was settled
	all     uint64        // the last event when everything was; somebody may still turn back in a passage
}

// part is a process of a network.
type part string

const (
	theBroker part = "broker"
	theCentre part = "centre"
	theKiosk  part = "kiosk"
)

// old is how many events are in the ledger before the kiosk starts, and from when: so old that they may be forgotten as soon as
// the collector has them.
const (
	old    = 500
	oldAge = 40 * 24 * time.Hour
)

func newNetwork(t *testing.T, seed uint64) *network {
	t.Helper()
	n := &network{stage: newStage(t, seed, "desk"), at: map[part]point{}, deaths: map[part]int{}, starts: map[part]int{}}
	n.joined = true
	n.broker, n.listen = mosquitto.Start(t, n.crowd.fleet), true
	if err := n.join(t); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.office.work.Wait()
		if n.life != nil {
			_ = n.life.kiosk.kill()
			_ = n.life.end()
		}
		if n.centre != nil {
			_ = n.centre.kill()
		}
		n.office.log.Close()
	})
	return n
}

// join tells everybody of the broker, and gives the kiosk a past.
func (n *network) join(t *testing.T) error {
	dir := n.crowd.fleet.Dir()
	log, err := os.Create(filepath.Join(n.dir, "office.log"))
	if err != nil {
		return err
	}
	n.office = &office{tool: buildTool(t, n.dir), dir: dir, lane: n.lanes[2].name, crowd: n.crowd, log: log, busy: make(chan struct{}, 2), done: map[string]uint64{}}
	own := filepath.Join(dir, "kiosks", venue, "gate-1")
	sync := fmt.Sprintf("sync: {brokers: [%q], ca: %s/broker-ca.pem, certificate: %s/kiosk.pem, key: %s/kiosk.key}\n", n.broker.Addr, own, own, own)
	return errors.Join(
		appendTo(filepath.Join(dir, "fleet.yaml"), "\nbroker: "+n.broker.Addr+"\n"), appendTo(n.config, sync), n.begin(),
	)
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func (n *network) begin() error {
	state := filepath.Join(n.dir, "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		return err
	}
	l, err := cache.OpenLedger(filepath.Join(state, "ledger.db"), cache.LedgerOptions{At: time.Now(), NoSync: true})
	if err != nil {
		return err
	}
	for i := range old {
		ev := &entry.Event{At: time.Now().Add(time.Duration(i)*time.Second - oldAge), Clock: entry.ClockSynced, Kind: entry.EventIncident, Note: "a day long ago"}
		if err := l.Record(context.Background(), ev); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	return l.Close()
}

// runs tells whether a part lives.
func (n *network) runs(p part) bool {
	return p == theBroker && n.listen || p == theCentre && n.centre != nil || p == theKiosk && n.life != nil
}

// raise starts a part, which dies at a place, or anywhere.
func (n *network) raise(ctx context.Context, p part, at point) (err error) {
	n.at[p] = at
	switch p {
	case theBroker:
		n.broker.Again()
		n.listen = true
	case theCentre:
		if err := n.checkReceived(ctx); err != nil {
			return err
		}
		if at == anywhere {
			n.centre, err = spawn(n.office.log, os.Environ(), n.office.tool, "-C", n.office.dir, "serve")
			return err
		}
		self, err := os.Executable()
		if err != nil {
			return err
		}
		n.centre, err = spawn(n.office.log, append(os.Environ(), envFleet+"="+n.office.dir, envCrash+"="+string(at)), self)
		return err
	case theKiosk:
		k, err := n.start(at)
		if err != nil {
			return err
		}
		if err = n.ready(ctx, k); err != nil && at != anywhere && dead(k) {
			err = nil // it was at its place before it was ready
		}
		n.life = n.live(ctx, k)
		return err
	}
	return nil
}

func dead(c *child) bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// fell ends a part, and looks at what it left.
func (n *network) fell(ctx context.Context, p part) (err error) {
	n.deaths[p]++
	switch p {
	case theBroker:
		n.broker.Kill()
		n.listen = false
	case theCentre:
		n.note(p, n.centre)
		err = n.centre.kill()
		n.centre = nil
		err = errors.Join(err, n.checkReceived(ctx))
	case theKiosk:
		l := n.life
		n.note(p, l.kiosk)
		err = l.kiosk.kill()
		n.life = nil
		err = n.after(ctx, errors.Join(err, l.end()))
	}
	return err
}

// note counts a death that was by the child's own hand.
func (n *network) note(p part, c *child) {
	if n.at[p] != anywhere && dead(c) {
		n.tally.placed[n.at[p]]++
	}
}

// collected is what the collector has. While nobody serves it is looked at in a copy: to open a database is to mend it.
func (n *network) collected(ctx context.Context, do func(*collector.SQLite) error) error {
	dir := n.office.dir
	if n.centre == nil {
		copied := filepath.Join(n.dir, "collected")
		if err := errors.Join(os.RemoveAll(copied), os.MkdirAll(copied, 0o700)); err != nil {
			return err
		}
		for _, name := range []string{"events.db", "events.db-wal"} {
			if err := copyFile(filepath.Join(dir, name), filepath.Join(copied, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		dir = copied
	}
	store, err := collector.OpenSQLite(ctx, filepath.Join(dir, "events.db"))
	if err != nil {
		return err
	}
	return errors.Join(do(store), store.Close())
}

// checkReceived wants the collector to have what the kiosk takes for received. While no collector lives nothing is.
func (n *network) checkReceived(ctx context.Context) error {
	if n.life == nil || dead(n.life.kiosk) {
		return nil
	}
	st, err := n.client.Status(ctx)
	if err != nil {
		if n.at[theKiosk] != anywhere {
			return nil // it just died
		}
		return err
	}
	var ledger fleet.LedgerID
	if err := (*fleet.Nonce)(&ledger).UnmarshalText([]byte(st.Ledger.ID)); err != nil {
		return err
	}
	return n.collected(ctx, func(store *collector.SQLite) error {
		return store.Batch(ctx, func(tx collector.Tx) error {
			has, _, err := tx.Tip(fleet.Place{Venue: venue, Kiosk: "gate-1"}, ledger)
			if err == nil && st.Ledger.Received > has {
				err = fmt.Errorf("%w: event %d; it ends at %d", errReceived, st.Ledger.Received, has)
			}
			return err
		})
	})
}

// hold holds the collector to the record of the kiosk, which is dead. It must have so many events at least.
func (n *network) hold(ctx context.Context, least uint64) error {
	return n.collected(ctx, func(store *collector.SQLite) error {
		var events []collector.Stored
		err := store.Events(ctx, collector.Filter{}, func(e collector.Stored) error { events = append(events, e); return nil })
		if err != nil {
			return err
		}
		alarms, err := store.Alarms(ctx)
		return errors.Join(err, n.record.hold(events, alarms, least))
	})
}

// How long everything may take to come right after the last death: kiosk and centre that were just started, and those who tried
// in vain for a while and wait between attempts.
const (
	anewMost   = 3 * time.Minute
	settleMost = 15 * time.Minute
)

// settled waits until everything is as if nobody had died: documents in force, an order obeyed, the record collected, nothing wrong.
func (n *network) settled(ctx context.Context, most time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	began := time.Now()
	n.office.work.Wait()
	if err := n.life.empty(); err != nil {
		return err
	}
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	acts := []func(context.Context) error{n.office.revoke, n.office.order}
	for _, l := range n.lanes {
		if l.desk == nil {
			acts = append(acts, func(ctx context.Context) error { return n.admits(ctx, l) })
		}
	}
	for _, act := range acts {
		for err := act(ctx); err != nil; err = act(ctx) {
			if ctx.Err() != nil {
				return fmt.Errorf("not settled: %w", err)
			}
			<-poll.C
		}
	}
	var st *client.Status
	for {
		var err error
		st, err = n.client.Status(ctx)
		if err == nil && st.Ready && len(st.Conditions) == 0 && st.Ledger.Received == st.Ledger.Events && n.inForce(ctx) {
			break
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("not settled: %w: %+v", errors.Join(err, ctx.Err()), st)
		}
	}
	n.all = st.Ledger.Events
	n.longest = max(n.longest, time.Since(began))
	for _, d := range st.Data.Documents {
		if d.Kind == string(fleet.KindHead) {
			n.head = d.Version
		}
	}
	for _, p := range n.office.pending {
		n.crowd.barred(p)
		n.account.bar(p)
	}
	n.office.pending = nil
	return nil
}

// inForce tells whether the kiosk knows of all that was revoked.
func (n *network) inForce(ctx context.Context) bool {
	for _, p := range n.office.pending {
		e, err := n.client.Explain(ctx, client.Shown{Lane: n.lanes[0].name, Codes: []string{p.code}})
		if err != nil || len(e.Answers) != 1 || e.Answers[0].Reason != string(entry.ReasonRevoked) {
			return false
		}
	}
	return true
}

// checkpoint lets everything settle, and holds everybody to everything. anew has kiosk and centre die before, so that they do not
// wait as long as those who tried in vain for a while.
func (n *network) checkpoint(ctx context.Context, anew bool) error {
	for _, p := range []part{theKiosk, theCentre} {
		if anew && n.runs(p) || n.runs(p) && n.at[p] != anywhere {
			if err := n.fell(ctx, p); err != nil {
				return err
			}
		}
	}
	for _, p := range []part{theBroker, theCentre, theKiosk} {
		if !n.runs(p) {
			if err := n.raise(ctx, p, anywhere); err != nil {
				return err
			}
		}
	}
	most := settleMost
	if anew {
		most = anewMost
	}
	if err := n.settled(ctx, most); err != nil {
		return err
	}
	if err := n.fell(ctx, theKiosk); err != nil {
		return err
	}
	rises := n.account.rises[admission{lane: n.office.lane}]
	return errors.Join(n.hold(ctx, n.all), n.office.audit(&n.record, rises), n.quiet())
}

// quiet wants no log to tell of a race or a panic.
func (n *network) quiet() error {
	for _, name := range []string{"kiosk.log", "office.log"} {
		text, err := os.ReadFile(filepath.Join(n.dir, name))
		if err != nil {
			return err
		}
		for _, bad := range []string{"DATA RACE", "panic"} {
			if bytes.Contains(text, []byte(bad)) {
				return fmt.Errorf("%s tells of a %s", name, bad)
			}
		}
	}
	return nil
}

// TestTortureNetwork kills broker, centre and kiosk again and again, while passes are scanned, passes revoked and orders given.
func TestTortureNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("kills many processes")
	}
	kills, seed := cmp.Or(flagValue[int](flagKills), 9), flagValue[uint64](flagSeed)
	t.Logf("%d kills, -seed %d", kills, seed)
	n := newNetwork(t, seed)
	if kills >= 100 {
		if err := n.forget(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i := range kills {
		if err := n.step(t.Context()); err != nil {
			t.Fatalf("kill %d: %v", i+1, err)
		}
		if i%25 == 24 && i+1 < kills {
			if err := n.checkpoint(t.Context(), i%50 == 24); err != nil {
				t.Fatalf("after kill %d: %v", i+1, err)
			}
			fmt.Fprintf(os.Stderr, "%d: %d events, settled after %v at most\n", i+1, len(n.record.events), n.longest.Round(time.Millisecond))
		}
	}
	if err := n.checkpoint(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	t.Log(n)
	if n.account.opened == 0 || len(n.office.done) == 0 {
		t.Error("nothing happened between the kills")
	}
}

func (n *network) String() string {
	return fmt.Sprintf("deaths: %v, placed: %v; %d scans, %d openings, %d events, of which %d were forgotten; %d of %d orders were answered, %d revocations published; settled after %v at most",
		n.deaths, n.tally.placed, n.tally.scans, n.account.opened, len(n.record.events), n.record.pruned, len(n.office.done), n.office.orders, n.office.applied, n.longest.Round(time.Millisecond))
}
