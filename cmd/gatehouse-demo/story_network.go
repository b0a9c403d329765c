// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"gatehouse/device/client"
	"gatehouse/device/condition"
	"gatehouse/entry"
	"gatehouse/fleet"
	"gatehouse/fleet/folder"
	"gatehouse/gate"
)

func joined() act {
	return act{
		at: "12:05", title: "The network comes as a guest",
		tells: "Until now everything came by hand. Now the operator has a broker (MQTT, TLS 1.3, a certificate\n" +
			"for each) and a collector of events. A technician writes three lines, and the kiosk joins its\n" +
			"fleet. What it believes is what is signed, as before; what it recorded since the morning leaves\n" +
			"for the collector.",
		scenes: []scene{
			does("broker and collector start: gatehouse-fleet serve", "the head is out", officeOpens),
			does("the kiosk is given its certificate, and joins", "joined", join),
			does("the collector has the whole morning", "one to one", deliver),
			does("the kiosk says of itself", "data 0 min old, 0 events wait", age),
		},
	}
}

func revokedOnline(withdrawn *paper) act {
	return act{
		at: "12:10", title: "A ticket is withdrawn over the broker",
		tells: "The operator revokes a ticket that was admitted a moment ago, and applies it: signed, published, and\n" +
			"in force at the gate. Measured is from apply to the red lamp.",
		scenes: []scene{
			show("a day ticket", entry.ReasonOK, withdrawn),
			show("the next guest", entry.ReasonOK, ticket("arena")),
			does("the operator revokes the first ticket: revoke, apply", "in force", revokeOnline(withdrawn)),
			inEffect("the same ticket, at once", entry.ReasonRevoked, withdrawn),
		},
	}
}

// inEffect is a show by which is measured how soon what was published takes effect.
func inEffect(what string, want entry.Reason, p *paper) scene {
	s := show(what, want, p)
	s.effect = true
	return s
}

func officeOpens(ctx context.Context, s *stage) (string, error) {
	st, err := s.client.Status(ctx)
	if err != nil {
		return "", err
	}
	s.seen = st.Ledger.Events
	return "the head is out", s.office.open(ctx)
}

// joining are the lines of the local config that join the kiosk to its fleet.
const joining = `sync: {brokers: ["%s"], ca: broker-ca.pem, certificate: kiosk.pem, key: kiosk.key}
`

// join gives the kiosk its certificate and the lines of its config, and restarts it.
func join(ctx context.Context, s *stage) (string, error) {
	p := gate1()
	if err := s.fleet.CertifyKiosk(p, s.begin); err != nil {
		return "", err
	}
	for _, name := range []string{"kiosk.pem", "kiosk.key", "broker-ca.pem"} {
		text, err := os.ReadFile(filepath.Join(s.fleet.Dir(), "kiosks", p.Venue, p.Kiosk, name))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(filepath.Dir(s.config), name), text, 0o600); err != nil {
			return "", err
		}
	}
	text, err := os.ReadFile(s.config)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(s.config, append(text, fmt.Sprintf(joining, s.office.at.Addr)...), 0o600); err != nil {
		return "", err
	}
	s.kiosk.end(syscall.SIGTERM)
	if err := s.scanner.Release(); err != nil {
		return "", err
	}
	began := time.Now()
	if err := s.startKiosk(ctx); err != nil {
		return "", err
	}
	_, err = s.inForce(ctx, s.seen)
	return fmt.Sprintf("joined after %d ms", time.Since(began).Milliseconds()), err
}

// deliver waits for the collector to have every event, and tells what it has.
func deliver(ctx context.Context, s *stage) (string, error) {
	d, err := s.delivery(ctx)
	if errors.Is(err, errDelivery) {
		return err.Error(), nil // for the script to find
	}
	return fmt.Sprintf("%d events, one to one", d.events), err
}

// edit publishes what an operator has changed in the folder, and waits until it is in force at the kiosk.
func (s *stage) edit(ctx context.Context, change func() error) (*client.Status, error) {
	st, err := s.client.Status(ctx)
	if err != nil {
		return nil, err
	}
	if err := change(); err != nil {
		return nil, err
	}
	s.published = time.Now()
	if err := s.office.apply(ctx); err != nil {
		return nil, err
	}
	return s.inForce(ctx, st.Ledger.Events)
}

func revokeOnline(p *paper) func(context.Context, *stage) (string, error) {
	return func(ctx context.Context, s *stage) (string, error) {
		issued, err := p.issued(s)
		if err != nil {
			return "", err
		}
		_, err = s.edit(ctx, func() error { _, err := s.fleet.Revoke("arena", issued.ID); return err })
		return fmt.Sprintf("in force after %d ms", time.Since(s.published).Milliseconds()), err
	}
}

func brokerGone(withdrawn *paper) act {
	used := ticket("arena")
	return act{
		at: "12:20", title: "The broker is killed",
		tells: "Broker and collector lose their power. No gate needs them: everything is decided as before. What\n" +
			"the kiosk knows grows older, which it says; and what it records waits on its disk.",
		scenes: slices.Concat(
			[]scene{
				does("the collector has every event so far", "one to one", deliver),
				does("the kiosk says of itself", "data 10 min old, 0 events wait", age),
				does("broker and collector are killed", "", officeGoes),
				show("a day ticket", entry.ReasonOK, used),
				show("the same ticket, lent to a friend", entry.ReasonAlreadyUsed, used),
				show("the ticket that was revoked over the broker", entry.ReasonRevoked, withdrawn),
				show("a forged ticket", entry.ReasonBadSignature, forged()),
				show("yesterday's ticket", entry.ReasonExpired, ticketFor("arena", venue, -time.Minute)),
			},
			pair("a health code", "and a travel code of unicom", entry.ReasonOK, health("guangdong", "Kong"), travel("unicom", "Kong")),
			[]scene{
				does("the kiosk says of itself, ten minutes later", "data 20 min old, 9 events wait", age).after(10 * time.Minute),
				does("the kiosk says what is wrong", string(condition.Broker), wrongNow),
				does("the kiosk says of its data, twenty minutes later", "stale since 12:40", freshness).after(20 * time.Minute),
				show("a day ticket", entry.ReasonOK, ticket("shenzhen")).onStale(),
				show("the ticket that was revoked over the broker", entry.ReasonRevoked, withdrawn),
				does("the kiosk says of itself", "data 40 min old, 12 events wait", age),
			},
		),
	}
}

func officeGoes(_ context.Context, s *stage) (string, error) { return "", s.office.kill() }

// age asks the kiosk how old its data is, and how much waits for the collector.
func age(ctx context.Context, s *stage) (string, error) {
	st, err := s.client.Status(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("data %d min old, %d events wait", int(math.Round(st.Clock.At.Sub(st.Data.Signed).Minutes())), st.Ledger.Events-st.Ledger.Received), nil
}

func brokerBack() act {
	return act{
		at: "12:55", title: "The broker is back",
		tells: "It has forgotten all that it ever knew, and is told again. The kiosk finds it by itself. Each\n" +
			"event arrives once and in order, and the hash of their chain is the one on the kiosk.",
		scenes: []scene{
			does("broker and collector start again", "the head is out", officeOpens),
			does("the kiosk finds them", "joined again", rejoin),
			does("the collector has what was recorded meanwhile", "one to one", deliver),
			does("the kiosk says of itself", "data 0 min old, 0 events wait", age),
			show("a day ticket", entry.ReasonOK, ticket("arena")),
		},
	}
}

// rejoin waits until the kiosk is there again. Its pauses between attempts grow, and are drawn by lot.
func rejoin(ctx context.Context, s *stage) (string, error) {
	began := time.Now()
	_, err := s.inForce(ctx, s.seen)
	return fmt.Sprintf("joined again after %.1f s", time.Since(began).Seconds()), err
}

// stricter is the rule of certificates from this afternoon on.
const stricter = `  - name: EU certificate and ticket
    all:
      - {kind: health, issuers: [at], level: [vaccinated, recovered, negative]}
      - {kind: ticket, issuers: [arena, shenzhen], uses: 1}
    same_holder: false
    pair_within: 20s
`

func newRule() act {
	guest := certificate(false)
	return act{
		at: "13:00", title: "A new rule",
		tells: "From now on a certificate alone is not enough: who shows one shows a ticket as well. The operator\n" +
			"edits the venue's rule and applies it, and the same certificate gets another answer.",
		scenes: slices.Concat(
			[]scene{
				show("an EU certificate of vaccination", entry.ReasonOK, guest),
				does("the operator's new rule: gatehouse-fleet apply", "version 2 in force", rules),
			},
			pair("the same certificate", "and a day ticket", entry.ReasonOK, guest, ticket("arena")),
			[]scene{show("a day ticket alone", entry.ReasonOK, ticket("arena"))},
		),
	}
}

// rules puts the stricter rule in the place of the first.
func rules(ctx context.Context, s *stage) (string, error) {
	before, _, _ := strings.Cut(rule, certificateRule)
	_, after, ok := strings.Cut(rule, certificateRule)
	if !ok {
		return "", errors.New("the venue has no rule for certificates")
	}
	st, err := s.edit(ctx, func() error {
		return folder.WriteFile(filepath.Join(s.fleet.Dir(), "venues", venue+".yaml"), []byte(before+stricter+after), 0o644)
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("config version %d in force", versionOf(st, fleet.KindConfig)), nil
}

func ordered() act {
	return act{
		at: "13:05", title: "The operator opens the gate",
		tells: "Somebody with a pushchair telephones. The operator orders the gate to open: signed, for this\n" +
			"kiosk and this connection, recorded before the relay moves. Sent once more by whoever recorded\n" +
			"it, the order does nothing.",
		scenes: []scene{
			does("the operator orders it: gatehouse-fleet cmd", "the fleet: a pushchair", orderOpen),
			does("the same message once more", "nothing moved, nothing recorded", replay),
			does("the collector has the whole day", "one to one", deliver),
		},
	}
}

// orderOpen has the gate opened from afar, has somebody walk through, and tells what the kiosk recorded of it.
func orderOpen(ctx context.Context, s *stage) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	mark, sent := s.board.Mark(), make(chan error, 1)
	var event uint64
	go func() {
		r, err := s.office.command(ctx, fleet.ActionOpen, lane, "a pushchair")
		if event = r.Event; err == nil && !r.Done {
			err = fmt.Errorf("the kiosk refused: %s", r.Text)
		}
		if err != nil {
			cancel() // nobody needs to wait for the gate
		}
		sent <- err
	}()
	_, err := s.board.WaitEdge(ctx, mark, lane, gate.Relay, true)
	if err == nil {
		s.orders++
		err = s.board.Walk(ctx, lane)
	}
	if err := errors.Join(<-sent, err); err != nil {
		return "", err
	}
	if err := s.atRest(ctx); err != nil {
		return "", err
	}
	if _, err := s.journal.next(ctx, "passage"); err != nil {
		return "", err
	}
	page, err := s.client.Events(ctx, client.Query{From: event, Limit: 1})
	if err != nil || len(page.Events) == 0 {
		return "", errors.Join(err, fmt.Errorf("event %d is not recorded", event))
	}
	e := page.Events[0]
	return fmt.Sprintf("the gate opened; event %d: %s, %s, by %s", e.Number, e.Outcome, e.Reason, e.Note), nil
}

// replay sends the last order once more, and then another, which is answered when the first has been dealt with.
func replay(ctx context.Context, s *stage) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	before, err := s.client.Status(ctx)
	if err != nil {
		return "", err
	}
	mark := s.board.Mark()
	var raw []byte
	select {
	case raw = <-s.office.orders:
	case <-ctx.Done():
		return "", fmt.Errorf("no order was heard at the broker: %w", context.Cause(ctx))
	}
	if err := s.office.again(raw); err != nil {
		return "", err
	}
	if r, err := s.office.command(ctx, fleet.ActionOpen, "in-9", "a lane that is not there"); err != nil || r.Done {
		return "", errors.Join(err, errors.New("a lane that is not there was opened"))
	}
	after, err := s.client.Status(ctx)
	if err != nil {
		return "", err
	}
	if s.board.Mark() != mark || after.Ledger.Events != before.Ledger.Events {
		return fmt.Sprintf("the board moved: %v; %d events", s.board.Mark() != mark, after.Ledger.Events-before.Ledger.Events), nil
	}
	return "nothing moved, nothing recorded", nil
}
