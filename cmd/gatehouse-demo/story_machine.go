// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	"gatehouse/device/client"
	"gatehouse/device/condition"
	"gatehouse/entry"
	"gatehouse/gate"
)

func nobodyWalks() act {
	return act{
		at: "11:35", title: "Nobody walks through",
		tells: "The gate opens, and the guest has turned back. A sensor in the passage tells: the ticket was not used, and\n" +
			"works again, once. Twice in a row is a matter for a person.",
		scenes: []scene{{what: "somebody turns back", again: turnsBack}, {what: "nobody goes in", again: neverGoes}},
	}
}

func turnsBack() []scene {
	t := ticket("arena")
	return []scene{
		stays("a ticket; its guest turns back to look for a child", t),
		show("the same ticket; now guest and child are here", entry.ReasonOK, t),
		show("the same ticket, lent to a friend", entry.ReasonAlreadyUsed, t),
	}
}

func neverGoes() []scene {
	t := ticket("arena")
	return []scene{
		stays("another ticket; nobody goes in", t),
		stays("the same ticket; again nobody goes in", t),
		show("the same ticket a third time", entry.ReasonPassback, t),
	}
}

// stays is a scene whose guest is admitted and does not walk through.
func stays(what string, p *paper) scene {
	s := show(what, entry.ReasonOK, p)
	s.stays = true
	return s
}

func wear(withdrawn *paper) act {
	used := ticket("arena")
	return act{
		at: "11:40", title: "Wear and tear",
		tells: "The scanner's plug is pulled, then the kiosk dies in the middle of its work. It forgets neither uses nor revocations.",
		scenes: []scene{
			show("a ticket", entry.ReasonOK, used),
			does("the scanner is unplugged and plugged in again", "missed", replug),
			show("a ticket after that", entry.ReasonOK, ticket("arena")),
			does("the kiosk is killed (kill -9) and started again", "ready again", kill),
			show("the ticket that was used before", entry.ReasonAlreadyUsed, used),
			show("the ticket that was revoked", entry.ReasonRevoked, withdrawn),
			show("a fresh ticket", entry.ReasonOK, ticket("arena")),
		},
	}
}

// kill ends the kiosk as a power cut ends its process, and starts it again.
func kill(ctx context.Context, s *stage) (string, error) {
	s.kiosk.end(syscall.SIGKILL)
	if err := s.scanner.Release(); err != nil {
		return "", err
	}
	began := time.Now()
	if err := s.startKiosk(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("ready again after %d ms", time.Since(began).Milliseconds()), nil
}

// replug pulls the scanner out, waits until the kiosk misses it, and puts it back.
func replug(ctx context.Context, s *stage) (string, error) {
	if err := s.unplug(ctx); err != nil {
		return "", err
	}
	return "missed, said so, and found again", s.plug(ctx)
}

func (s *stage) unplug(ctx context.Context) error {
	if err := s.scanner.Unplug(); err != nil {
		return err
	}
	_, err := s.await(ctx, "the scanner to be missed", func(st *client.Status) bool {
		return strings.Contains(st.Lanes[0].Scanner, "plug the scanner in")
	})
	return err
}

func (s *stage) plug(ctx context.Context) error {
	if err := s.scanner.Plug(); err != nil {
		return err
	}
	_, err := s.await(ctx, "the scanner to be back", func(st *client.Status) bool { return st.Lanes[0].Scanner == "connected" })
	return err
}

// tenYears is how far the clock is torn.
const tenYears = 10 * 365 * 24 * time.Hour

func tornClock() act {
	return act{
		at: "11:45", title: "The clock is torn",
		tells: "The time server is lost, and somebody sets the clock ten years ahead: the kiosk goes by the time that it last\n" +
			"knew for certain. Then ten years back, with a power cut: it knows that it cannot be that early.",
		scenes: []scene{
			does("the clock is set ten years ahead", "", tear(tenYears)),
			show("a day ticket", entry.ReasonOK, ticket("arena")),
			show("yesterday's ticket", entry.ReasonExpired, ticketFor("arena", venue, -time.Minute)),
			does("the clock is set ten years back, the kiosk is killed", "ready again", tearAndKill),
			does("the kiosk says of its data", "stale at best", freshness),
			show("a day ticket", entry.ReasonOK, ticket("arena")).onStale(),
			show("yesterday's ticket", entry.ReasonExpired, ticketFor("arena", venue, -time.Minute)),
			does("the time server is back, and the clock right", "", right),
			show("a day ticket", entry.ReasonOK, ticket("arena")),
		},
	}
}

// tear sets the kiosk's wall clock wrong while nothing keeps it right.
func tear(wrong time.Duration) func(context.Context, *stage) (string, error) {
	return func(_ context.Context, s *stage) (string, error) {
		s.hands.tear(wrong, false)
		return "its clock says " + s.hands.now().Add(wrong).In(china).Format("2006"), nil
	}
}

func tearAndKill(ctx context.Context, s *stage) (string, error) {
	said, err := tear(-tenYears)(ctx, s)
	if err != nil {
		return "", err
	}
	started, err := kill(ctx, s)
	return said + "; " + started, err
}

func right(_ context.Context, s *stage) (string, error) {
	s.hands.tear(0, true)
	return "its clock says " + s.hands.now().In(china).Format("2006"), nil
}

func fullDisk() act {
	lost := show("a day ticket", entry.ReasonRecordFailed, ticket("arena"))
	lost.lost = true
	return act{
		at: "11:50", title: "The disk is full",
		tells: "Every byte that the kiosk writes is refused. An admission that cannot be recorded does not happen, or one\n" +
			"ticket would admit for ever: the guest is sent to the staff. Who wants out is let out first, and written down later.",
		scenes: []scene{
			does("the disk takes no more", "", diskFills),
			lost,
			does("somebody inside presses the button to leave", "the gate opened", leave),
			does("the kiosk says what is wrong", "GH-301", wrongNow),
			does("the disk has room again", "exit is written down", diskEmpties),
			show("the same day ticket", entry.ReasonOK, lost.paper),
		},
	}
}

func diskFills(_ context.Context, s *stage) (string, error) { return "", s.kiosk.fillDisk(true) }

// leave has somebody press the button and go out.
func leave(ctx context.Context, s *stage) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	mark, began := s.board.Mark(), time.Now()
	if err := s.board.Press(ctx, lane, gate.Exit); err != nil {
		return "", err
	}
	edge, err := s.board.WaitEdge(ctx, mark, lane, gate.Relay, true)
	if err != nil {
		return "", err
	}
	s.exits++
	if err := s.board.Walk(ctx, lane); err != nil {
		return "", err
	}
	return fmt.Sprintf("the gate opened after %d ms", edge.Time.Sub(began).Milliseconds()), s.atRest(ctx)
}

// diskEmpties gives the disk room, and waits until it is written down who left meanwhile.
func diskEmpties(ctx context.Context, s *stage) (string, error) {
	if err := s.kiosk.fillDisk(false); err != nil {
		return "", err
	}
	l, err := s.journal.next(ctx, "way out")
	return fmt.Sprintf("the %s is written down, as event %d", l.What, l.Event), err
}

// wrongNow are the kiosk's own words for what is wrong with it.
func wrongNow(ctx context.Context, s *stage) (string, error) {
	st, err := s.client.Status(ctx)
	if err != nil {
		return "", err
	}
	var lines []string
	for _, c := range st.Conditions {
		row, _ := condition.Of(condition.Code(c.Code))
		lines = append(lines, c.Code+" "+c.Name+": "+row.Meaning+"\n  what to do: "+row.Do)
	}
	return strings.Join(lines, "\n"), nil
}
