// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gatehouse/entry"
	"gatehouse/entry/entrytest"
)

// An emergency measure is told for whom it holds, and for no longer than it does.
func TestMeasures(t *testing.T) {
	d := newPairDesk(t)
	terms := d.know.Agreed
	plain := terms.Policy.Accept[0].All[0]
	plain.OutageMaxAge = plain.MaxAge // which changes nothing in an outage
	terms.Policy.Accept = append(terms.Policy.Accept, entry.Rule{Name: "plain", All: []entry.Clause{plain}})
	at := func(clock entry.ClockState, ago time.Duration) string {
		var told []string
		for _, m := range terms.Measures(entry.Moment{At: entrytest.Start.Add(ago), Clock: clock}) {
			told = append(told, fmt.Sprint(m.Rule.Name, " ", m.Clause.Kind, " ", m.Issuers))
		}
		return strings.Join(told, "; ")
	}
	const both = "both health [arena]; both travel [telecom]"
	if got := at(entry.ClockSynced, 0); got != "" {
		t.Errorf("fresh, nobody down: %q", got)
	}
	terms.Down = map[string]time.Time{"telecom": entrytest.Start}
	if got := at(entry.ClockSynced, 0); got != "both travel [telecom]" {
		t.Errorf("telecom down: %q", got)
	}
	if got := at(entry.ClockNeverSynced, 0); got != both {
		t.Errorf("with a clock that nothing keeps: %q", got)
	}
	if got := at(entry.ClockSynced, terms.FreshUntil.Sub(entrytest.Start)); got != both {
		t.Errorf("stale: %q", got)
	}
	if got := at(entry.ClockSynced, terms.HardAfter.Sub(entrytest.Start)); got != "" {
		t.Errorf("hard: %q", got)
	}
	if got := new(entry.Terms).Measures(entrytest.Now()); got != nil {
		t.Errorf("without a policy: %v", got)
	}
}
