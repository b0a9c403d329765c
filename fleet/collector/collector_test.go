// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package collector_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/entry"
	"gatehouse/fleet"
	"gatehouse/fleet/collector"
)

var (
	morning = time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	gate    = fleet.Place{Venue: "arena", Kiosk: "gate-1"}
)

func key(tb testing.TB, label string) fleet.SigningKey {
	tb.Helper()
	seed := sha256.Sum256([]byte(label))
	k, err := fleet.NewSigningKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func root(tb testing.TB) *fleet.Root {
	k := key(tb, "collector")
	r := &fleet.Root{NotBefore: uint64(morning.AddDate(-1, 0, 0).Unix()), NotAfter: uint64(morning.AddDate(9, 0, 0).Unix()),
		Keys: []fleet.RootKey{{Public: k.Public()}}, Roles: map[string]fleet.Role{}}
	for _, role := range []string{"root", "head", "issuers", "config", "revocations", fleet.RoleCollector} {
		r.Roles[role] = fleet.Role{Keys: []fleet.KeyID{k.ID()}, Threshold: 1}
	}
	return r
}

// centre is a collector over a real file.
type centre struct {
	*testing.T
	*collector.Collector
	store *collector.SQLite
	root  *fleet.Root
}

func newCentre(t *testing.T) *centre {
	t.Helper()
	store, err := collector.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	known := func(p fleet.Place) ed25519.PublicKey {
		if p != gate {
			return nil
		}
		return key(t, "kiosk").Public()
	}
	return &centre{t, collector.New(store, known, func() time.Time { return morning }, key(t, "collector")), store, root(t)}
}

// ledger is a kiosk's events, from number 1.
type ledger struct {
	id     fleet.LedgerID
	events [][]byte
	oldest uint64
}

func newLedger(t *testing.T, events int) *ledger {
	l := &ledger{id: fleet.LedgerID{7}, oldest: 1}
	for i := range events {
		l.record(t, fmt.Sprint(i))
	}
	return l
}

func (l *ledger) record(t *testing.T, note string) {
	t.Helper()
	body, err := fleet.EncodeEvent(&entry.Event{At: morning, Kind: entry.EventDecision, Lane: "in-1", Outcome: entry.Admit, Reason: entry.ReasonOK, Note: note})
	if err != nil {
		t.Fatal(err)
	}
	l.events = append(l.events, body)
}

func (l *ledger) link(seq uint64) (link fleet.Link) {
	for i, ev := range l.events[:seq] {
		link = link.Next(l.id, uint64(i+1), ev)
	}
	return link
}

func (l *ledger) batch(from, to uint64) fleet.Records {
	return fleet.Records{Ledger: l.id, First: from, Oldest: l.oldest, Before: l.link(from - 1), Events: l.events[from-1 : to]}
}

// take sends a batch and returns up to where the kiosk may forget.
func (c *centre) take(l *ledger, r fleet.Records) uint64 {
	c.Helper()
	raw, err := fleet.SignRecords(gate, morning, r, key(c, "kiosk"))
	if err != nil {
		c.Fatal(err)
	}
	answer, err := c.Take(c.Context(), gate, raw)
	if err != nil {
		c.Fatal(err)
	}
	receipt, err := c.root.OpenReceipt(answer, gate)
	if err != nil {
		c.Fatal(err)
	}
	if receipt.Ledger != l.id || receipt.Seq <= uint64(len(l.events)) && receipt.Link != l.link(receipt.Seq) {
		c.Fatalf("a receipt that the kiosk cannot take: %+v", receipt)
	}
	return receipt.Seq
}

func (c *centre) kept() (seqs []uint64) {
	c.Helper()
	if err := c.store.Events(c.Context(), collector.Filter{}, func(e collector.Stored) error {
		seqs = append(seqs, e.Event.Seq)
		return nil
	}); err != nil {
		c.Fatal(err)
	}
	return seqs
}

func (c *centre) alarms(want ...collector.Code) {
	c.Helper()
	alarms, err := c.store.Alarms(c.Context())
	if err != nil {
		c.Fatal(err)
	}
	got := []collector.Code{}
	for _, a := range alarms {
		got = append(got, a.Code)
	}
	if fmt.Sprint(got) != fmt.Sprint(append([]collector.Code{}, want...)) {
		c.Errorf("alarms %+v, want %v", alarms, want)
	}
}

func TestEachEventIsKeptOnce(t *testing.T) {
	c, l := newCentre(t), newLedger(t, 10)
	for _, step := range []struct{ from, to, receipt uint64 }{
		{1, 4, 4},
		{1, 4, 4},  // again: the receipt was lost
		{3, 6, 6},  // overlapping
		{9, 10, 6}, // a batch was lost on the way: the kiosk goes back
		{7, 10, 10},
		{1, 10, 10},
	} {
		if got := c.take(l, l.batch(step.from, step.to)); got != step.receipt {
			t.Errorf("%d to %d: a receipt for %d, want %d", step.from, step.to, got, step.receipt)
		}
	}
	if got := c.kept(); fmt.Sprint(got) != "[1 2 3 4 5 6 7 8 9 10]" {
		t.Errorf("kept %v", got)
	}
	c.alarms()
}

func TestAGapThatCannotBeFilledIsAnAlarmAndNoBlock(t *testing.T) {
	c, l := newCentre(t), newLedger(t, 10)
	c.take(l, l.batch(1, 2))
	l.oldest = 6 // pruned on the kiosk before they arrived
	if got := c.take(l, l.batch(6, 8)); got != 8 {
		t.Errorf("a receipt for %d", got)
	}
	c.take(l, l.batch(9, 10))
	c.alarms(collector.AlarmGap)
}

func TestABrokenChainIsAnAlarm(t *testing.T) {
	c, l := newCentre(t), newLedger(t, 4)
	c.take(l, l.batch(1, 2))
	forged := newLedger(t, 0)
	forged.record(t, "changed")
	forged.record(t, "changed too")
	forged.events = append(forged.events, l.events[2:]...)
	if got := c.take(forged, forged.batch(3, 4)); got != 4 {
		t.Errorf("a receipt for %d", got)
	}
	c.alarms(collector.AlarmBroken)
}

// An old card was put back: the kiosk records other events under numbers that it used before.
func TestALedgerThatWasPutBackIsAnAlarmAndBothAreKept(t *testing.T) {
	c, l := newCentre(t), newLedger(t, 8)
	c.take(l, l.batch(1, 8))
	back := &ledger{id: l.id, oldest: 1, events: append([][]byte{}, l.events[:4]...)}
	for range 6 {
		back.record(t, "another life")
	}
	if got := c.take(back, back.batch(5, 7)); got != 7 {
		t.Errorf("a receipt for %d", got)
	}
	if got := c.take(back, back.batch(8, 10)); got != 10 {
		t.Errorf("a receipt for %d", got)
	}
	if got := c.kept(); len(got) != 10 {
		t.Errorf("kept %v", got)
	}
	c.alarms(collector.AlarmConflict, collector.AlarmConflict)
}

func TestAnEventOfAnUnknownFormBlocksNothing(t *testing.T) {
	c, l := newCentre(t), newLedger(t, 1)
	l.events = append(l.events, []byte{0x63, 'n', 'e', 'w'})
	l.record(t, "after it")
	for range 2 {
		if got := c.take(l, l.batch(1, 3)); got != 3 {
			t.Errorf("a receipt for %d", got)
		}
	}
	if got := c.kept(); fmt.Sprint(got) != "[1 3]" {
		t.Errorf("kept %v", got)
	}
	c.alarms(collector.AlarmUnreadable)
}

// Whatever a folder is called, its events are in the file that was named, synced and for nobody else.
func TestTheDatabaseIsTheFileThatWasNamed(t *testing.T) {
	for _, name := range []string{"a?b", "a#b", "a%41", "50%", "a b", "a&b=c"} {
		above := t.TempDir()
		dir := filepath.Join(above, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "events.db")
		store, err := collector.OpenSQLite(t.Context(), path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%s: nothing is in the file: %v", name, err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		if entries, err := os.ReadDir(above); err != nil || len(entries) != 1 {
			t.Errorf("%s: beside the folder is %v, %v", name, entries, err)
		}
	}
}

// Whoever looks writes nothing: neither a full disk nor who writes just then keeps him out.
func TestALookWritesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	store, err := collector.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.Batch(t.Context(), func(collector.Tx) error {
		other, err := collector.OpenSQLite(t.Context(), path)
		if err != nil {
			return err
		}
		_, err = other.Alarms(t.Context())
		return errors.Join(err, other.Close())
	}); err != nil {
		t.Error(err)
	}
}

// A full disk takes nothing from what is kept, and what does not fit gets no receipt.
func TestAFullDiskAcknowledgesNothing(t *testing.T) {
	c, l := newCentre(t), newLedger(t, 3)
	c.take(l, l.batch(1, 3))
	if err := c.store.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	l = newLedger(t, 64)
	for i := range l.events[3:] {
		body, err := fleet.EncodeEvent(&entry.Event{At: morning, Kind: entry.EventIncident, Note: strings.Repeat("x", 400)})
		if err != nil {
			t.Fatal(err)
		}
		l.events[3+i] = body
	}
	raw, err := fleet.SignRecords(gate, morning, l.batch(4, 64), key(t, "kiosk"))
	if err != nil {
		t.Fatal(err)
	}
	if receipt, err := c.Take(t.Context(), gate, raw); !errors.Is(err, collector.ErrStore) || receipt != nil {
		t.Errorf("a batch that cannot be kept: %v, receipt %v", err, receipt)
	}
	if got := c.kept(); fmt.Sprint(got) != "[1 2 3]" {
		t.Errorf("kept %v", got)
	}
}

// A time that nobody can write down would end every look at the events in JSON, for each kiosk behind this one as well.
func TestAnEventOfAnImpossibleTimeHidesNoOther(t *testing.T) {
	c, l := newCentre(t), newLedger(t, 1)
	body, err := fleet.EncodeEvent(&entry.Event{At: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC), Kind: entry.EventStart})
	if err != nil {
		t.Fatal(err)
	}
	l.events = append(l.events, body)
	l.record(t, "after it")
	if got := c.take(l, l.batch(1, 3)); got != 3 {
		t.Errorf("a receipt for %d", got)
	}
	if err := c.store.Events(c.Context(), collector.Filter{}, func(e collector.Stored) error {
		_, err := json.Marshal(e.Event)
		return err
	}); err != nil {
		t.Error(err)
	}
	c.alarms(collector.AlarmUnreadable)
}

// Whoever has no key of the kiosk must not be able to take its numbers.
func TestForgedBatchesOccupyNothing(t *testing.T) {
	c, l := newCentre(t), newLedger(t, 3)
	raw := func(from fleet.Place, signer string) []byte {
		b, err := fleet.SignRecords(from, morning, l.batch(1, 3), key(t, signer))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	elsewhere := fleet.Place{Venue: "arena", Kiosk: "gate-2"}
	for name, try := range map[string]struct {
		from fleet.Place
		raw  []byte
		want error
	}{
		"another's key":            {gate, raw(gate, "thief"), fleet.ErrSignature},
		"another kiosk's batch":    {gate, raw(elsewhere, "kiosk"), fleet.ErrSignature},
		"a kiosk that nobody knew": {elsewhere, raw(elsewhere, "kiosk"), collector.ErrUnknownKiosk},
		"rubbish":                  {gate, []byte("rubbish"), fleet.ErrMalformed},
	} {
		if receipt, err := c.Take(t.Context(), try.from, try.raw); !errors.Is(err, try.want) || receipt != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := c.kept(); len(got) != 0 {
		t.Fatalf("kept %v", got)
	}
	if got := c.take(l, l.batch(1, 3)); got != 3 {
		t.Errorf("the kiosk's own: a receipt for %d", got)
	}
}

func TestEventsAreFoundByWhatTheySay(t *testing.T) {
	c, l := newCentre(t), newLedger(t, 3)
	c.take(l, l.batch(1, 3))
	for want, f := range map[int]collector.Filter{
		3: {Venue: "arena", Kiosk: "gate-1", Kind: "decision", Lane: "in-1", Outcome: "admit", Reason: "ok", From: morning, To: morning.Add(time.Second)},
		2: {Limit: 2},
		0: {To: morning},
	} {
		n := 0
		if err := c.store.Events(t.Context(), f, func(collector.Stored) error { n++; return nil }); err != nil || n != want {
			t.Errorf("%+v: %d events, %v", f, n, err)
		}
	}
}

func TestANewerDatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	store, err := collector.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(store.SetVersion(t.Context(), 99), store.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := collector.OpenSQLite(t.Context(), path); !errors.Is(err, collector.ErrNewerSchema) {
		t.Errorf("got %v", err)
	}
}

// What is to be done about a damaged file is told, wherever it shows.
func TestADamagedDatabaseIsTold(t *testing.T) {
	garbage := bytes.Repeat([]byte("garbage "), 4<<10)
	whole := func(t *testing.T) (path string) {
		path = filepath.Join(t.TempDir(), "events.db")
		store, err := collector.OpenSQLite(t.Context(), path)
		if err := errors.Join(err, store.Close()); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write := func(t *testing.T, path string, at int64) {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteAt(garbage, at)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("no database", func(t *testing.T) {
		path := whole(t)
		write(t, path, 0)
		if _, err := collector.OpenSQLite(t.Context(), path); !errors.Is(err, collector.ErrDamaged) {
			t.Errorf("opened: %v", err)
		}
	})
	t.Run("pages lost", func(t *testing.T) {
		path := whole(t)
		write(t, path, 4096)
		store, err := collector.OpenSQLite(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		_, tips := store.Tips(t.Context())
		_, alarms := store.Alarms(t.Context())
		for what, err := range map[string]error{
			"tips": tips, "alarms": alarms,
			"events": store.Events(t.Context(), collector.Filter{}, func(collector.Stored) error { return nil }),
		} {
			if !errors.Is(err, collector.ErrDamaged) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}
