// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry_test

import (
	"strings"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/entry/entrytest"
)

const hour = time.Hour

// greenFor is a rule for health passes up to an age.
func greenFor(age, outage time.Duration) []entry.Rule {
	return []entry.Rule{{Name: "health", All: []entry.Clause{{Kind: "health", Issuers: []string{"arena"}, Level: []string{"green"},
		MaxAge: entry.Duration(age), OutageMaxAge: entry.Duration(outage)}}}}
}

func TestAges(t *testing.T) {
	down := func(d *desk) { d.know.Agreed.Down = map[string]time.Time{"arena": entrytest.Start.Add(-hour)} }
	stale := func(d *desk) { d.know.Agreed.FreshUntil = entrytest.Start }
	for _, c := range []struct {
		name    string
		age     time.Duration
		setup   func(*desk)
		expires time.Duration
		want    entry.Reason
		outage  bool
	}{
		{"young", hour, nil, hour, "ok", false},
		{"issued this moment", 0, nil, hour, "ok", false},
		{"as old as may be", 24 * hour, nil, hour, "ok", false},
		{"a second older", 24*hour + time.Second, nil, hour, "too_old", false},
		{"issued in the future", -time.Second, nil, hour, "not_yet_valid", false},
		{"old while its issuer is down", 25 * hour, down, hour, "ok", true},
		{"as old as may be while its issuer is down", 72 * hour, down, hour, "ok", true},
		{"too old even then", 72*hour + time.Second, down, hour, "too_old", false},
		{"young while its issuer is down", hour, down, hour, "ok", false},
		{"old while data is stale", 25 * hour, stale, hour, "ok", true},
		{"issued in the future while its issuer is down", -time.Second, down, hour, "not_yet_valid", false},
		{"old while another issuer is down", 25 * hour, func(d *desk) {
			d.know.Agreed.Down = map[string]time.Time{"telecom": entrytest.Start}
		}, hour, "too_old", false},
		{"old while its issuer's revocations are stale", 25 * hour, func(d *desk) {
			d.know.Agreed.Lists = map[string]entry.Bands{"arena": {FreshUntil: entrytest.Start, HardAfter: entrytest.Start.Add(hour)}}
		}, hour, "ok", true},
		{"old while another issuer's revocations are stale", 25 * hour, func(d *desk) {
			d.know.Agreed.Lists = map[string]entry.Bands{"telecom": {FreshUntil: entrytest.Start, HardAfter: entrytest.Start}}
		}, hour, "too_old", false},
		{"hard ends it", 25 * hour, func(d *desk) { down(d); d.know.Agreed.HardAfter = entrytest.Start }, hour, "stale_data", false},
		{"it never overrides the pass's own end", 25 * hour, down, 0, "expired", false},
		{"a rule without an outage age", 25 * hour, func(d *desk) { down(d); d.know.Agreed.Policy.Accept = greenFor(24*hour, 0) }, hour, "too_old", false},
		{"a rule without an age", 1000 * hour, func(d *desk) { d.know.Agreed.Policy.Accept = greenFor(0, 0) }, hour, "ok", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			d.know.Agreed.Policy.Accept = greenFor(24*hour, 72*hour)
			if c.setup != nil {
				c.setup(d)
			}
			code := d.issuer.Pass(credential.Claims{Kind: "health", Level: "green", Issued: entrytest.Start.Add(-c.age), Expires: entrytest.Start.Add(c.expires)})
			dec := d.decide(t, code)
			if dec.Reason != c.want || dec.Outage != c.outage {
				t.Fatalf("%s, outage %v; want %s, %v; steps %+v", dec.Reason, dec.Outage, c.want, c.outage, dec.Steps)
			}
			events := d.ledger.Events()
			if last := events[len(events)-1]; last.Reason != c.want || last.Outage != c.outage {
				t.Errorf("recorded as %s, outage %v", last.Reason, last.Outage)
			}
			said := false
			for _, s := range dec.Steps {
				said = said || s.Code == entry.StepRule && strings.Contains(s.Note, "outage_max_age, for ")
			}
			if said != c.outage {
				t.Errorf("the steps say that it was outage_max_age: %v; %+v", said, dec.Steps)
			}
		})
	}
}

// A clock that nothing keeps right makes data stale at best, so nobody can be told to bring a younger pass.
func TestAgeByAnUntrustedClock(t *testing.T) {
	d := newDesk(t)
	d.know.Agreed.Policy.Accept = greenFor(24*hour, 72*hour)
	code := d.issuer.Pass(credential.Claims{Kind: "health", Level: "green", Issued: entrytest.Start.Add(-25 * hour)})
	dec := d.Decide(t.Context(), in1, code, entry.Moment{At: entrytest.Start, Clock: entry.ClockNeverSynced})
	if dec.Reason != entry.ReasonOK || !dec.Outage || !dec.Stale {
		t.Errorf("%s, outage %v, stale %v", dec.Reason, dec.Outage, dec.Stale)
	}
}

// The guest is told of the rule that came nearest, and a later rule may take what an earlier one finds too old.
func TestAgeWithSeveralRules(t *testing.T) {
	d := newDesk(t)
	old := d.issuer.Pass(credential.Claims{Kind: "health", Level: "green", Issued: entrytest.Start.Add(-25 * hour)})
	d.know.Agreed.Policy.Accept = append(greenFor(24*hour, 0), entry.Rule{Name: "ticket", All: []entry.Clause{{Kind: "ticket", Issuers: []string{"arena"}}}})
	if dec := d.decide(t, old); dec.Reason != entry.ReasonTooOld {
		t.Errorf("%s", dec.Reason)
	}
	later := greenFor(48*hour, 0)[0]
	later.Name = "health for longer"
	d.know.Agreed.Policy.Accept = append(d.know.Agreed.Policy.Accept, later)
	if dec := d.decide(t, old); dec.Reason != entry.ReasonOK || dec.Rule != "health for longer" {
		t.Errorf("%s by %q", dec.Reason, dec.Rule)
	}
}
