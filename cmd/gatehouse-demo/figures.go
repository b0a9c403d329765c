// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"gatehouse/entry"
)

// When the centre is out of reach in the story.
const (
	centreGone = "08:10"
	centreBack = "11:30"
)

// print sums up.
func (t *tally) print(day time.Time) {
	w := t.out
	fmt.Fprint(w, "\nThe morning in figures\n\n")
	tab := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "  \tscans\tadmitted\trefused\tother code asked for\tother scenes")
	all := part{title: "all"}
	for i, a := range t.acts {
		fmt.Fprintf(tab, "  %d %s\t%d\t%d\t%d\t%d\t%d\n", i+1, a.title, a.scans, a.admitted, a.refused, a.waited, a.other)
		all.scans, all.admitted, all.refused = all.scans+a.scans, all.admitted+a.admitted, all.refused+a.refused
		all.waited, all.other = all.waited+a.waited, all.other+a.other
	}
	fmt.Fprintf(tab, "  %s\t%d\t%d\t%d\t%d\t%d\n", all.title, all.scans, all.admitted, all.refused, all.waited, all.other)
	_ = tab.Flush() // to a terminal
	fmt.Fprintln(w)
	for _, r := range slices.Sorted(maps.Keys(t.reasons)) {
		fmt.Fprintf(tab, "  %s\t%d\t%s\n", r, t.reasons[r], r.Staff(entry.English))
	}
	_ = tab.Flush() // to a terminal

	slices.Sort(t.took)
	fmt.Fprintf(w, "\n  last byte to relay, of %d admissions: p50 %d µs, p99 %d µs, slowest %d µs\n", len(t.took),
		percentile(t.took, 50).Microseconds(), percentile(t.took, 99).Microseconds(), percentile(t.took, 100).Microseconds())
	fmt.Fprintf(w, "  admitted by outage grace: %d; on data past its fresh band: %d\n", t.byOutage, t.onStale)
	fmt.Fprintf(w, "  revoked and published → refused at the gate: %d ms\n", t.effect.Milliseconds())
	fmt.Fprintf(w, "  events delivered over the broker: %d of %d, in order; duplicates %d\n", t.delivered.events, t.recorded, t.delivered.twice)
	t.printCentral(day)
	if len(t.faults) == 0 {
		fmt.Fprint(w, "\nEvery answer was the script's.\n")
	}
}

// printCentral says what a check at the centre would have done.
func (t *tally) printCentral(day time.Time) {
	gone, _ := timeOfDay(day, centreGone) // constants of the story, which a test plays
	back, _ := timeOfDay(day, centreBack)
	c := central(t.people, gone, back)
	fmt.Fprintf(t.out, `
The same morning with a check at the centre (a model, not a measurement)

  The same people come at the same minutes, and every code is asked about at the centre. Nothing answers
  from %s to %s: whoever comes then stands outside until it does. At all other times both gates answer alike.
  (A centre that can be reached knows of a withdrawn pass at once, and this gate with its next bundle.)

  people who came in that time        %3d
  let in by this gate                 %3d
  refused by this gate, with a reason %3d
  let in by a check at the centre       0
  the first of them stands outside for %d minutes, with %d people behind
`, centreGone, centreBack, c.came, c.admitted, c.came-c.admitted, int(c.longest.Minutes()), max(c.came-1, 0))
}

// outside are the people who come while a central check has nobody to ask.
type outside struct {
	came, admitted int // admitted: by the gate that needs no centre
	longest        time.Duration
}

// central is the model: no queue, no retries, no mistakes; who comes from gone until back stands outside until back.
func central(people []arrival, gone, back time.Time) (o outside) {
	for _, p := range people {
		if p.at.Before(gone) || !p.at.Before(back) {
			continue
		}
		o.came++
		o.longest = max(o.longest, back.Sub(p.at))
		if p.admitted {
			o.admitted++
		}
	}
	return o
}

// percentile is the nearest rank of sorted durations; 0 where there are none.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*p+99)/100-1]
}
