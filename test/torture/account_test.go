// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package torture

import (
	"errors"
	"fmt"

	"gatehouse/entry"
)

// The ways in which a kiosk that was killed is not right.
var (
	errTwice   = errors.New("admitted more often than the pass allows")
	errLost    = errors.New("the gate opened and the ledger does not know it")
	errRevoked = errors.New("admitted with a revoked pass")
	errIdle    = errors.New("more uses were taken without an opening than kiosks died")
)

// admission is a pass at a lane.
type admission struct {
	pass entry.PassHash
	lane string
}

// account holds what the gates did against what the ledger says.
type account struct {
	passes   map[entry.PassHash]*pass
	revoked  map[entry.PassHash]bool
	rises    map[admission]int // of the relay
	recorded map[admission]int // events that admit
	annulled map[entry.PassHash]int
	whose    map[uint64]admission // by the number of the event
	kills    int
	opened   int // all rises
	admitted int // all events that admit
}

func newAccount() *account {
	return &account{
		passes: map[entry.PassHash]*pass{}, revoked: map[entry.PassHash]bool{}, rises: map[admission]int{}, recorded: map[admission]int{},
		annulled: map[entry.PassHash]int{}, whose: map[uint64]admission{},
	}
}

// rose notes that a lane's relay rose for a pass.
func (a *account) rose(p *pass, lane string) {
	a.passes[p.hash] = p
	a.rises[admission{p.hash, lane}]++
	a.opened++
}

// bar notes that the kiosk knows a pass to be revoked.
func (a *account) bar(p *pass) {
	a.passes[p.hash] = p
	a.revoked[p.hash] = true
}

// read takes an event of the ledger.
func (a *account) read(ev entry.Event) {
	switch {
	case ev.Kind == entry.EventDecision && ev.Outcome == entry.Admit:
		of := admission{ev.Pass, ev.Lane}
		a.whose[ev.Seq] = of
		a.recorded[of]++
		a.admitted++
	case ev.Kind == entry.EventPassage && ev.Passage == entry.NotPassed:
		a.annulled[a.whose[ev.Of].pass]++
	}
}

// check finds what does not agree. lanes is how many lanes die with a kiosk.
func (a *account) check(lanes int) error {
	var errs []error
	rises, recorded := map[entry.PassHash]int{}, map[entry.PassHash]int{}
	for of, n := range a.rises {
		rises[of.pass] += n
		if known := a.recorded[of]; known < n {
			errs = append(errs, fmt.Errorf("%w: pass %s at lane %s: %d openings, %d events", errLost, of.pass, of.lane, n, known))
		}
	}
	for of, n := range a.recorded {
		recorded[of.pass] += n
	}
	for hash, p := range a.passes {
		if most := p.limit + a.annulled[hash]; p.limit > 0 && (rises[hash] > most || recorded[hash] > most) {
			errs = append(errs, fmt.Errorf("%w: pass %s: %d openings, %d events, of %d uses", errTwice, hash, rises[hash], recorded[hash], most))
		}
		if a.revoked[hash] && rises[hash]+recorded[hash] > 0 {
			errs = append(errs, fmt.Errorf("%w: pass %s", errRevoked, hash))
		}
	}
	if idle := a.admitted - a.opened; idle > a.kills*lanes {
		errs = append(errs, fmt.Errorf("%w: %d in %d kills", errIdle, idle, a.kills))
	}
	return errors.Join(errs...)
}
