// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"gatehouse/device/client"
	"gatehouse/entry"
	"gatehouse/fleet"
	"gatehouse/fleet/centre"
	"gatehouse/fleet/collector"
	"gatehouse/fleet/folder"
	"gatehouse/gate"
	syncer "gatehouse/sync"
)

func joined() act {
	withdrawn := ticket("arena")
	return act{
		at: "12:10", title: "The network comes",
		tells: "Until now every bundle came by hand. Now the kiosk joins its fleet: an MQTT broker, TLS 1.3, a certificate for\n" +
			"each kiosk. Nothing is believed because it came that way; what was signed is checked as before.",
		scenes: []scene{
			does("a technician adds sync: to the config and restarts", "joined; data fresh", joinFleet),
			does("what was recorded this morning goes to the collector", "each once, chain whole", delivered),
			does("explain: a day ticket", "admit: ok", explain(withdrawn)),
			does("the operator revokes it: revoke, then apply", "in force at the gate", revokeOnline(withdrawn)),
			show("the day ticket", entry.ReasonRevoked, withdrawn),
		},
	}
}

func brokerDies() act {
	used := ticket("arena")
	return act{
		at: "12:20", title: "The broker is killed",
		tells: "The gate does not notice. What it decides it records, and the record waits; its data grows older, and says so.",
		scenes: slices.Concat(
			[]scene{
				does("the broker is killed", "waiting for the collector: 0", killBroker),
				show("a day ticket", entry.ReasonOK, used),
				show("the same day ticket again", entry.ReasonAlreadyUsed, used),
			},
			pair("Gao shows a health code", "and a travel code", entry.ReasonOK, health("guangdong", "Gao"), travel("mobile", "Gao")),
			[]scene{
				does("the status of the kiosk", "data fresh", network),
				show("40 minutes later, a day ticket", entry.ReasonOK, ticket("shenzhen")).after(40 * time.Minute).onStale(),
				does("the status of the kiosk", "data stale", network),
			},
		),
	}
}

func brokerBack() act {
	alone := health("guangdong", "Lin")
	return act{
		at: "13:05", title: "The broker is back",
		tells: "It has forgotten everything, so the fleet says everything again. What waited is delivered, each event once. Then the\n" +
			"travel code is abolished, with one signed document; and somebody with a pushchair telephones.",
		scenes: []scene{
			does("the broker is started again", "joined; data fresh", brokerReturns),
			does("what was recorded meanwhile goes to the collector", "each once, chain whole", delivered),
			show("Lin shows a health code alone", entry.ReasonSecondPassNeeded, alone),
			does("the operator edits the rule: plan, then apply", "in force at the gate", abolishTravelCodes),
			show("Lin shows the health code alone again", entry.ReasonOK, alone),
			does("cmd open: a pushchair, asked by telephone", "opened, event", openByCommand),
			does("a recording of that order is played to the kiosk", "not obeyed", replayCommand),
			does("a last look at the collector", "each once, chain whole", delivered),
		},
	}
}

// joinFleet opens the office and has the kiosk join it.
func joinFleet(ctx context.Context, s *stage) (string, error) {
	if err := s.openOffice(ctx); err != nil {
		return "", err
	}
	changes := s.changes(ctx)
	if err := s.join(ctx); err != nil {
		return "", err
	}
	return s.freshAfter(ctx, changes)
}

// freshAfter waits until the kiosk has young data again, of the network.
func (s *stage) freshAfter(ctx context.Context, changes int) (string, error) {
	st, err := s.await(ctx, "fresh data", func(st *client.Status) bool {
		return st.Data.Freshness == "fresh" && s.hands.now().Sub(st.Data.Signed) < 10*time.Minute && s.changes(ctx) > changes
	})
	if err != nil {
		return "", err
	}
	return "joined; data " + st.Data.Freshness, nil
}

// changes is how many changes of trust the kiosk has recorded.
func (s *stage) changes(ctx context.Context) int {
	page, err := s.client.Events(ctx, client.Query{Kind: string(entry.EventTrust)})
	if err != nil {
		return -1
	}
	return len(page.Events)
}

// inForce applies what was edited, and waits until the kiosk decides by it.
func (s *stage) inForce(ctx context.Context, kind string, version func(*client.Status) uint64) (string, error) {
	st, err := s.client.Status(ctx)
	if err != nil {
		return "", err
	}
	before, began := version(st), time.Now()
	if err := s.apply(ctx); err != nil {
		return "", err
	}
	if _, err := s.await(ctx, kind+" in force", func(st *client.Status) bool { return version(st) > before }); err != nil {
		return "", err
	}
	took := time.Since(began)
	s.applied = append(s.applied, took)
	return fmt.Sprintf("in force at the gate after %d ms", took.Milliseconds()), nil
}

// versionOf is the version of a document in force on the kiosk.
func versionOf(kind fleet.Kind, scope fleet.Scope) func(*client.Status) uint64 {
	return func(st *client.Status) uint64 {
		for _, d := range st.Data.Documents {
			if d.Kind == string(kind) && d.Scope == string(scope) {
				return d.Version
			}
		}
		return 0
	}
}

func revokeOnline(p *paper) func(context.Context, *stage) (string, error) {
	return func(ctx context.Context, s *stage) (string, error) {
		issued, err := p.issued(s)
		if err != nil {
			return "", err
		}
		if _, err := s.fleet.Revoke("arena", issued.ID); err != nil {
			return "", err
		}
		return s.inForce(ctx, "the revocation", versionOf(fleet.RevocationsOf("arena"), fleet.ScopeAll))
	}
}

// later is the rule once travel codes are no longer asked for.
const later = `time_zone: Asia/Shanghai
accept:
  - name: day ticket
    all: [{kind: ticket, issuers: [arena, shenzhen], uses: 1}]
  - name: health
    all: [{kind: health, issuers: [guangdong, shenzhen, shaanxi], level: [green], max_age: 24h, outage_max_age: 72h}]
lanes:
  in-1: {pulse: 150ms}
record: {deadline: 10s}
`

func abolishTravelCodes(ctx context.Context, s *stage) (string, error) {
	if err := folder.WriteFile(filepath.Join(s.fleet.Dir(), "venues", venue+".yaml"), []byte(later), 0o644); err != nil {
		return "", err
	}
	return s.inForce(ctx, "the rule", versionOf(fleet.KindConfig, venue))
}

func killBroker(ctx context.Context, s *stage) (string, error) {
	s.office.broker.Kill()
	return network(ctx, s)
}

// network is what the status line says of the data's age and of what waits.
func network(ctx context.Context, s *stage) (string, error) {
	st, err := s.client.Status(ctx)
	if err != nil {
		return "", err
	}
	stored, err := s.collected(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("data %s, signed %d min ago; waiting for the collector: %d", st.Data.Freshness,
		int(s.hands.now().Sub(st.Data.Signed).Minutes()), st.Ledger.Events-uint64(len(stored))), nil
}

func brokerReturns(ctx context.Context, s *stage) (string, error) {
	changes := s.changes(ctx)
	if err := s.office.broker.Open(); err != nil {
		return "", err
	}
	return s.freshAfter(ctx, changes)
}

// collected are the events that the collector has of the kiosk.
func (s *stage) collected(ctx context.Context) (events []collector.Stored, err error) {
	err = s.office.store.Events(ctx, collector.Filter{Venue: gate1.Venue, Kiosk: gate1.Kiosk}, func(e collector.Stored) error {
		events = append(events, e)
		return nil
	})
	return events, err
}

// delivered waits until the collector has what the kiosk has recorded, and compares the two.
func delivered(ctx context.Context, s *stage) (string, error) {
	chain, err := s.client.CheckLedger(ctx)
	if err != nil {
		return "", err
	}
	var stored []collector.Stored
	if _, err := s.await(ctx, "every event at the collector", func(*client.Status) bool {
		stored, err = s.collected(ctx)
		return err != nil || uint64(len(stored)) >= chain.Last
	}); err != nil {
		return "", err
	}
	if err != nil {
		return "", err
	}
	alarms, err := s.office.store.Alarms(ctx)
	if err != nil {
		return "", err
	}
	if len(alarms) > 0 || uint64(len(stored)) != chain.Last {
		return fmt.Sprintf("%d events of %d; alarms: %v", len(stored), chain.Last, alarms), nil
	}
	var link fleet.Link
	for i, e := range stored {
		if link = link.Next(e.Ledger, uint64(i+1), e.Body); e.Event.Seq != uint64(i+1) || e.Link != link {
			return fmt.Sprintf("event %d is not what follows", i+1), nil
		}
	}
	if hex.EncodeToString(link[:]) != chain.Link {
		return "the collector's chain is not the kiosk's", nil
	}
	s.delivered = len(stored)
	return fmt.Sprintf("%d events of %d, each once, chain whole", len(stored), chain.Last), nil
}

func openByCommand(ctx context.Context, s *stage) (string, error) {
	heard := make(chan []byte, 1)
	if err := s.office.broker.Hear(syncer.DownTopic(gate1, syncer.LeafCommand), func(_ string, payload []byte) {
		select {
		case heard <- slices.Clone(payload):
		default:
		}
	}); err != nil {
		return "", err
	}
	mark := s.board.Mark()
	r, err := s.command(ctx, centre.Order{Action: fleet.ActionOpen, Lane: lane, Reason: "a pushchair, asked by telephone"})
	if err != nil || !r.Done {
		return r.Code + ": " + r.Text, err
	}
	if _, err := s.board.WaitEdge(ctx, mark, lane, gate.Relay, true); err != nil {
		return "", err
	}
	s.office.order = <-heard
	if err := s.board.Walk(ctx, lane); err != nil {
		return "", err
	}
	if err := s.atRest(ctx); err != nil {
		return "", err
	}
	passage, err := s.journal.next(ctx, "passage")
	s.office.openings++
	return fmt.Sprintf("opened, event %d; %s", r.Event, passage.Passage), err
}

// replayCommand plays the order again, and then asks for something harmless: when that is answered the other was heard.
func replayCommand(ctx context.Context, s *stage) (string, error) {
	mark := s.board.Mark()
	if err := s.office.broker.Say(syncer.DownTopic(gate1, syncer.LeafCommand), false, s.office.order); err != nil {
		return "", err
	}
	r, err := s.command(ctx, centre.Order{Action: fleet.ActionResync, Reason: "to see what was heard"})
	if err != nil || !r.Done {
		return r.Code + ": " + r.Text, err
	}
	if s.board.Mark() != mark {
		return "obeyed twice", nil
	}
	return "not obeyed", nil
}
