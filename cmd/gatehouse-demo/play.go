// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"gatehouse/device/client"
	"gatehouse/entry"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
)

// act is one line of the script: something is shown or done, and one answer is right.
type act struct {
	what string
	do   func(context.Context, *stage) (answer, error)
	want entry.Reason // of a scan
	says string       // of what is to be refused: what the refusal must say
}

// answer is what came of an act.
type answer struct {
	scans  uint64 // how many answers the kiosk gave
	reason entry.Reason
	opened bool
	took   time.Duration // last byte to relay or red lamp
	// text is what came of an act that is no scan; refused tells that the kiosk refused it.
	text    string
	refused bool
}

// errScript says that the morning went otherwise than written.
var errScript = errors.New("the kiosk did not answer as the script wants")

// play plays every act, prints each, and sums up.
func play(ctx context.Context, s *stage, w io.Writer) error {
	acts, err := script(s)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "A morning at one gate: a real kiosk (its own process), a scanner on a pty, a simulated board.")
	fmt.Fprintln(w, "µs is from the last byte of the code to the relay, or to the red lamp.")
	fmt.Fprintf(w, "\n  %-58s %-9s %-15s %7s\n", "", "verdict", "reason", "µs")
	var t tally
	for _, a := range acts {
		got, err := a.do(ctx, s)
		if err != nil {
			s.failed = true
			return fmt.Errorf("%s: %w", a.what, err)
		}
		t.note(w, a, got)
	}
	t.check(ctx, s)
	if t.print(w); len(t.faults) > 0 {
		s.failed = true
		return fmt.Errorf("%w:\n  %s", errScript, strings.Join(t.faults, "\n  "))
	}
	return nil
}

// show is an act that scans a code.
func show(what string, want entry.Reason, code string) act {
	return act{what: what, want: want, do: func(ctx context.Context, s *stage) (answer, error) { return s.show(ctx, code, 1) }}
}

// show scans a code, several times in a row, and waits for its answer and for the gate to be at rest again.
func (s *stage) show(ctx context.Context, code string, times int) (a answer, err error) {
	before, err := s.client.Status(ctx)
	if err != nil {
		return a, err
	}
	s.shown = append(s.shown, code)
	mark := s.board.Mark()
	began := time.Now()
	for range times {
		if err := s.scanner.Scan(code); err != nil {
			return a, err
		}
	}
	wait, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	edge, err := s.board.Wait(wait, mark, func(e gatetest.Edge) bool {
		return e.Active && (e.Output == gate.Relay || e.Output == gate.Red)
	})
	if err != nil {
		return a, fmt.Errorf("no answer at the gate: %w", err)
	}
	a.took, a.opened = edge.Time.Sub(began), edge.Output == gate.Relay
	for _, o := range []gate.Output{gate.Relay, gate.Green, gate.Red} {
		if err := s.board.WaitLevel(wait, lane, o, false); err != nil {
			return a, err
		}
	}
	after, err := s.await(ctx, "the scan to be counted", func(st *client.Status) bool { return st.Lanes[0].Scans > before.Lanes[0].Scans })
	if err != nil {
		return a, err
	}
	a.scans, a.reason = after.Lanes[0].Scans-before.Lanes[0].Scans, entry.Reason(after.Lanes[0].Last)
	return a, nil
}

// tally compares answers with the script and remembers them.
type tally struct {
	reasons map[entry.Reason]int
	opened  int
	scans   int
	others  int             // acts that are no scan
	took    []time.Duration // of admissions
	faults  []string
}

func (t *tally) fault(format string, args ...any) {
	t.faults = append(t.faults, fmt.Sprintf(format, args...))
}

// note prints an act's answer and holds it to the script.
func (t *tally) note(w io.Writer, a act, got answer) {
	if a.want == "" {
		t.others++
		verdict := "done"
		if got.refused {
			verdict = "refused"
		}
		fmt.Fprintf(w, "  %-58s %-9s %s\n", a.what, verdict, got.text)
		if got.refused != (a.says != "") || !strings.Contains(got.text, a.says) {
			t.fault("%s: %s with %q, wanted %q", a.what, verdict, got.text, a.says)
		}
		return
	}
	if t.reasons == nil {
		t.reasons = map[entry.Reason]int{}
	}
	t.scans++
	t.reasons[got.reason]++
	verdict := string(got.reason.Outcome())
	if got.opened {
		t.opened++
		t.took = append(t.took, got.took)
	}
	mark := ""
	switch {
	case got.reason != a.want:
		mark = "  ← wanted " + string(a.want)
		t.fault("%s: answered %s, wanted %s", a.what, got.reason, a.want)
	case got.opened != (a.want.Outcome() == entry.Admit):
		t.fault("%s: the gate opened: %v", a.what, got.opened)
	case got.scans != 1:
		t.fault("%s: answered %d times", a.what, got.scans)
	}
	fmt.Fprintf(w, "  %-58s %-9s %-15s %7d%s\n", a.what, verdict, got.reason, got.took.Microseconds(), mark)
}

// check holds the counts to what the board and the ledger say.
func (t *tally) check(ctx context.Context, s *stage) {
	edges := 0
	for _, e := range s.board.Edges() {
		if e.Output == gate.Relay && e.Active {
			edges++
		}
	}
	if want := t.reasons[entry.ReasonOK]; edges != want || t.opened != want {
		t.fault("the relay rose %d times for %d admissions", edges, want)
	}
	st, err := s.client.Status(ctx)
	if err != nil {
		t.fault("no status at the end: %v", err)
		return
	}
	if want := uint64(t.scans + s.imports); st.Ledger.Events != want {
		t.fault("the ledger has %d events, wanted %d: %d scans and %d changes of trust", st.Ledger.Events, want, t.scans, s.imports)
	}
	if open, refused := s.levels(); open || refused {
		t.fault("the gate is not at rest at the end")
	}
}

// print sums up.
func (t *tally) print(w io.Writer) {
	fmt.Fprintf(w, "\nThe morning in figures\n\n")
	tab := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	for _, r := range slices.Sorted(maps.Keys(t.reasons)) {
		fmt.Fprintf(tab, "  %s\t%d\t%s\n", r, t.reasons[r], r.Staff(entry.English))
	}
	_ = tab.Flush() // to a terminal
	fmt.Fprintf(w, "\n  %d scans, %d admitted, the relay rose %d times; %d other acts\n", t.scans, t.reasons[entry.ReasonOK], t.opened, t.others)
	if n := len(t.took); n > 0 {
		slices.Sort(t.took)
		fmt.Fprintf(w, "  last byte to relay: median %d µs, slowest %d µs\n", t.took[n/2].Microseconds(), t.took[n-1].Microseconds())
	}
	if len(t.faults) == 0 {
		fmt.Fprintln(w, "  every answer was the script's")
	}
}

// kill ends the kiosk as a power cut ends its process, and starts it again.
func kill(ctx context.Context, s *stage) (answer, error) {
	s.kiosk.end(syscall.SIGKILL)
	if err := s.scanner.Release(); err != nil {
		return answer{}, err
	}
	began := time.Now()
	if err := s.startKiosk(ctx); err != nil {
		return answer{}, err
	}
	return answer{text: fmt.Sprintf("ready again after %d ms", time.Since(began).Milliseconds())}, nil
}

// replug pulls the scanner out, waits until the kiosk misses it, and puts it back.
func replug(ctx context.Context, s *stage) (answer, error) {
	if err := s.scanner.Unplug(); err != nil {
		return answer{}, err
	}
	if _, err := s.await(ctx, "the scanner to be missed", func(st *client.Status) bool {
		return strings.Contains(st.Lanes[0].Scanner, "plug the scanner in")
	}); err != nil {
		return answer{}, err
	}
	if err := s.scanner.Plug(); err != nil {
		return answer{}, err
	}
	_, err := s.await(ctx, "the scanner to be back", func(st *client.Status) bool { return st.Lanes[0].Scanner == "connected" })
	return answer{text: "missed, said so, and found again"}, err
}
