// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/device/condition"
)

// keep copies a file of the kiosk's state, and returns what puts it back.
func (b *bench) keep(name string) (putBack func()) {
	b.tb.Helper()
	path := filepath.Join(b.cfg.State, name)
	text, err := os.ReadFile(path)
	b.venue.must(err)
	return func() {
		b.tb.Helper()
		b.venue.must(os.WriteFile(path, text, 0o600))
	}
}

func (b *bench) mustHalt() {
	b.tb.Helper()
	b.venue.must(b.halt())
}

// A trust store that is lost, damaged or put back does not open the way to what was in force before: a revoked pass stays
// revoked, and older documents stay refused.
func TestTrustStoreThatIsLostOrPutBack(t *testing.T) {
	for name, lose := range map[string]func(b *bench, putBack func()){
		"lost":     func(b *bench, _ func()) { b.venue.must(os.Remove(filepath.Join(b.cfg.State, "trust.db"))) },
		"put back": func(_ *bench, putBack func()) { putBack() },
		"damaged": func(b *bench, _ func()) {
			b.venue.must(os.Truncate(filepath.Join(b.cfg.State, "trust.db"), 9000))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.start()
			old := b.venue.bundle()
			_, err := b.client.Import(b.ctx(), old)
			b.venue.must(err)
			id := []byte("ticket-that-is-lost")[:16]
			stolen := b.pass(credential.Claims{ID: id})
			b.mustHalt()
			putBack := b.keep("trust.db")

			b.start()
			b.venue.revoke(id)
			newest := b.venue.bundle()
			_, err = b.client.Import(b.ctx(), newest)
			b.venue.must(err)
			b.expect("revoked", stolen)
			used := b.pass(credential.Claims{})
			b.expect("ok", used)
			b.mustHalt()

			lose(b, putBack)
			b.start()
			b.expect("out_of_order", stolen)
			if _, err := b.client.Import(b.ctx(), old); !errors.Is(err, client.ErrRefused) || !strings.Contains(err.Error(), "older") {
				t.Errorf("the older bundle: %v", err)
			}
			b.expect("out_of_order", stolen)
			_, err = b.client.Import(b.ctx(), newest)
			b.venue.must(err)
			b.expect("revoked", stolen)
			b.expect("already_used", used) // the ledger lived on
			b.expect("ok", b.pass(credential.Claims{}))
		})
	}
}

// A ledger that is put back to an earlier state has forgotten uses, which nothing within the file can tell.
func TestLedgerThatIsPutBack(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	b.expect("ok", b.pass(credential.Claims{}))
	b.mustHalt()
	putBack := b.keep("ledger.db")
	b.start()
	used := b.pass(credential.Claims{})
	b.expect("ok", used)
	b.mustHalt()

	putBack()
	for range 2 { // and it is not forgotten by a restart
		b.start()
		b.expect("out_of_order", used)
		b.waitStatus("the condition", func(s *client.Status) bool {
			return len(s.Conditions) == 1 && strings.Contains(s.Conditions[0].Text, "accept-loss") && strings.Contains(s.Conditions[0].Text, "chain of events")
		})
		b.mustHalt()
	}
	b.start()
	b.venue.must(b.client.AcceptLoss(b.ctx()))
	fresh := b.pass(credential.Claims{})
	b.expect("ok", fresh)
	b.expect("already_used", fresh)
	b.mustHalt()
	b.start()
	b.expect("already_used", fresh)
}

// Without the floor nothing tells that a ledger was put back; that the floor is gone is told.
func TestFloorThatIsGone(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	used := b.pass(credential.Claims{})
	b.expect("ok", used)
	b.mustHalt()
	for _, name := range []string{"floor.a", "floor.b"} {
		b.venue.must(os.Remove(filepath.Join(b.cfg.State, name)))
	}
	b.start()
	b.expect("already_used", used)
	b.waitStatus("the condition", func(s *client.Status) bool {
		return len(s.Conditions) == 1 && s.Conditions[0].Code == string(condition.Floor) && strings.Contains(s.Conditions[0].Text, "gone")
	})
	b.mustHalt()
	b.start() // the floor is there again
	if s := b.waitStatus("status", func(*client.Status) bool { return true }); len(s.Conditions) != 0 {
		t.Errorf("conditions: %+v", s.Conditions)
	}
}

// The limit: a whole card that is put back, both databases with the floor, is a kiosk of that day, and nothing on it can
// tell. It admits what was used since, until a newer head or the collector says otherwise.
func TestWholeOldCardIsNotNoticed(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	b.expect("ok", b.pass(credential.Claims{}))
	b.mustHalt()
	var card []func()
	for _, name := range []string{"trust.db", "ledger.db", "floor.a", "floor.b"} {
		card = append(card, b.keep(name))
	}
	b.start()
	used := b.pass(credential.Claims{})
	b.expect("ok", used)
	b.mustHalt()
	for _, putBack := range card {
		putBack()
	}
	b.start()
	b.expect("ok", used)
	if s := b.waitStatus("status", func(*client.Status) bool { return true }); len(s.Conditions) != 0 {
		t.Errorf("conditions: %+v", s.Conditions)
	}
}
