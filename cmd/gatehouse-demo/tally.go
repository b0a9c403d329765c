// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"gatehouse/entry"
	"gatehouse/gate"
)

// tally compares answers with the script and remembers them.
type tally struct {
	out    io.Writer
	acts   []part
	people []arrival
	faults []string
	unseen bool // nobody walked through, and the sensor was not read in time to tell

	reasons   map[entry.Reason]int
	took      []time.Duration // of admissions
	byOutage  int             // admissions that outage_max_age gave
	onStale   int             // admissions on data past its fresh band
	effect    time.Duration   // from what was published last to the answer that it made
	delivered delivered
	recorded  uint64 // events in the ledger of the kiosk
	events    int    // that the ledger must have of all this, without the changes of trust
}

// part is what one act had.
type part struct {
	title                                   string
	scans, admitted, refused, waited, other int
}

// arrival is somebody who came to the gate.
type arrival struct {
	at       time.Time
	admitted bool
}

// act is the present one.
func (t *tally) act() *part {
	if len(t.acts) == 0 {
		t.acts = append(t.acts, part{})
	}
	return &t.acts[len(t.acts)-1]
}

func (t *tally) fault(sc scene, format string, args ...any) string {
	text := fmt.Sprintf(format, args...)
	t.faults = append(t.faults, sc.what+": "+text)
	return text
}

// noteDone prints what came of a scene that is no scan, and holds it to the script.
func (t *tally) noteDone(at time.Time, sc scene, text string, refused bool) {
	t.act().other++
	verdict := "done"
	if refused {
		verdict = "refused"
	}
	first, more, _ := strings.Cut(text, "\n")
	if more != "" || len(first) > 40 {
		first, more = "", text
	}
	fmt.Fprintln(t.out, strings.TrimRight(fmt.Sprintf("  %s  %-52s %-7s %s", clock(at), sc.what, verdict, first), " "))
	if more != "" {
		fmt.Fprintf(t.out, "           %s\n", strings.ReplaceAll(more, "\n", "\n           "))
	}
	if refused != sc.refused || !strings.Contains(text, sc.says) {
		t.fault(sc, "%s with %q, wanted %q", verdict, text, sc.says)
	}
}

// noteScan prints an answer and holds it to the script.
func (t *tally) noteScan(at time.Time, sc scene, a answer) {
	t.count(at, a)
	var notes []string
	if a.outage {
		notes = append(notes, "outage grace")
	}
	if a.stale {
		notes = append(notes, "stale data")
	}
	if a.passage == entry.NotPassed {
		notes = append(notes, "nobody walked through")
	}
	if t.unseen = sc.stays && a.opened && a.passage == entry.PassageUnknown; t.unseen {
		notes = append(notes, "this machine was too busy to see that; once more")
	} else if wrong := wrong(sc, a); wrong != "" {
		notes = append(notes, "← "+t.fault(sc, "%s", wrong))
	} else if sc.effect {
		t.effect = a.at.Sub(a.published)
		notes = append(notes, fmt.Sprintf("%d ms after apply", t.effect.Milliseconds()))
	}
	fmt.Fprintln(t.out, strings.TrimRight(fmt.Sprintf("  %s  %-52s %-7s %-18s %6d  %s", clock(at), sc.what, a.reason.Outcome(), a.reason,
		a.took.Microseconds(), strings.Join(notes, ", ")), " "))
}

// count remembers an answer.
func (t *tally) count(at time.Time, a answer) {
	if t.reasons == nil {
		t.reasons = map[entry.Reason]int{}
	}
	t.reasons[a.reason]++
	if a.recorded {
		t.events++
	}
	act := t.act()
	act.scans++
	switch {
	case a.opened:
		act.admitted++
		t.events++ // of the passage
		t.took = append(t.took, a.took)
		if a.outage {
			t.byOutage++
		}
		if a.stale {
			t.onStale++
		}
	case a.reason == entry.ReasonSecondPassNeeded:
		act.waited++
		return // who has another code to show is still there
	default:
		act.refused++
	}
	t.people = append(t.people, arrival{at, a.opened})
}

// wrong tells how an answer is not the script's; "" where it is.
func wrong(sc scene, a answer) string {
	walked := entry.Passed
	if sc.stays {
		walked = entry.NotPassed
	}
	switch admit := sc.want.Outcome() == entry.Admit; {
	case a.reason != sc.want:
		return fmt.Sprintf("answered %s, wanted %s", a.reason, sc.want)
	case a.opened != admit:
		return fmt.Sprintf("the gate opened: %v", a.opened)
	case a.surplus > 0:
		return fmt.Sprintf("the kiosk told of %d things before that nobody did", a.surplus)
	case a.outage != sc.outage:
		return fmt.Sprintf("by outage grace: %v, wanted %v", a.outage, sc.outage)
	case a.stale != sc.stale:
		return fmt.Sprintf("on stale data: %v, wanted %v", a.stale, sc.stale)
	case a.recorded == sc.lost:
		return fmt.Sprintf("recorded: %v", a.recorded)
	case admit && a.passage != walked:
		return fmt.Sprintf("the passage ended as %s, wanted %s", a.passage, walked)
	}
	return ""
}

// check holds the counts to what the board and the ledger say.
func (t *tally) check(ctx context.Context, s *stage) {
	end := scene{what: "at the end"}
	rose := 0
	for _, e := range s.board.Edges() {
		if e.Output == gate.Relay && e.Active {
			rose++
		}
	}
	if admitted := t.reasons[entry.ReasonOK]; admitted != t.opened() || admitted+s.exits+s.orders != rose {
		t.fault(end, "the relay rose %d times for %d admissions, %d exits and %d orders", rose, admitted, s.exits, s.orders)
	}
	if l, more := s.journal.take(); more {
		t.fault(end, "the kiosk tells of a %s that nobody caused", l.Message)
	}
	st, err := s.client.Status(ctx)
	if err != nil {
		t.fault(end, "no status: %v", err)
		return
	}
	if want := uint64(t.events + s.exits + s.imports + 2*s.orders); st.Ledger.Events != want {
		t.fault(end, "the ledger has %d events, wanted %d: %d of guests, %d exits, %d orders, each with its passage, and %d changes of trust",
			st.Ledger.Events, want, t.events, s.exits, s.orders, s.imports)
	}
	t.recorded = st.Ledger.Events
	if t.delivered, err = s.delivery(ctx); err != nil {
		t.fault(end, "the events at the collector: %v", err)
	} else if uint64(t.delivered.events) != st.Ledger.Events {
		t.fault(end, "the collector has %d events of %d", t.delivered.events, st.Ledger.Events)
	}
	if open, refused := s.levels(); open || refused {
		t.fault(end, "the gate is not at rest")
	}
}

// opened is how often the relay rose for an admission.
func (t *tally) opened() (n int) {
	for _, a := range t.acts {
		n += a.admitted
	}
	return n
}
