// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gatehouse/device/client"
	"gatehouse/entry"
	"gatehouse/fleet"
)

// inputList gathers what a step of a decision went by.
type inputList []client.Input

func (l *inputList) add(name, value string) {
	if value != "" {
		*l = append(*l, client.Input{Name: name, Value: value})
	}
}

// documents adds the documents of some kinds with their versions and ages.
func (l *inputList) documents(t *entry.Terms, now entry.Moment, kinds ...fleet.Kind) {
	for _, v := range t.Versions {
		if slices.Contains(kinds, fleet.Kind(v.Kind)) {
			l.add("document", documentText(t, v, now))
		}
	}
}

// inputs are what a step of a decision went by.
func inputs(step entry.StepCode, lane string, ex *entry.Explanation, now entry.Moment) []client.Input {
	var list inputList
	t := ex.Terms
	if t == nil {
		return nil
	}
	switch step {
	case entry.StepLane:
		list.hours(t, lane, now)
	case entry.StepBelief:
		list.documents(t, now, fleet.KindRoot, fleet.KindHead)
	case entry.StepVerify:
		list.add("format", string(ex.Format))
		list.add("issuer", ex.Issuer)
		list.add("key", hex.EncodeToString(ex.KeyID))
		list.add("kind", ex.Kind)
		list.add("time", utc(now.At)+", clock "+string(now.Clock))
		list.documents(t, now, fleet.KindIssuers)
	case entry.StepRevocation:
		list.documents(t, now, fleet.RevocationsOf(ex.Issuer))
	case entry.StepFreshness:
		bands := t.Bands(ex.Issuer)
		list.add("signed", utc(bands.Signed)+", "+entry.Duration(now.At.Sub(bands.Signed)).Rough()+" ago")
		list.add("stale from", utc(bands.FreshUntil))
		list.add("hard from", utc(bands.HardAfter))
	case entry.StepClock:
		list.add("clock", string(now.Clock))
	case entry.StepVenue:
		list.add("venue", t.Venue)
		if t.Policy != nil {
			list.add("zone", t.Policy.Lanes[lane].Zone)
		}
	case entry.StepRule:
		list.rules(ex, now)
	case entry.StepUses:
		for _, u := range ex.Uses {
			list.add("uses", strconv.FormatUint(uint64(u.Limit), 10)+" in all")
		}
		for _, u := range ex.Past {
			list.add("use", fmt.Sprintf("event %d, %s, %s ago, lane %s, %s", u.Seq, utc(u.At), entry.Duration(now.At.Sub(u.At)).Rough(), u.Lane, u.State))
		}
	case entry.StepSecond:
		list.add("holder", map[bool]string{true: "this pass names one", false: "this pass names nobody"}[ex.Named])
	}
	return list
}

// hours adds when the lane is closed and free by the signed config.
func (l *inputList) hours(t *entry.Terms, lane string, now entry.Moment) {
	if t.Policy == nil || t.Zone == nil {
		return
	}
	terms := t.Policy.Lanes[lane]
	for _, h := range terms.Closed {
		l.add("closed", hoursText(h))
	}
	for _, h := range terms.Free {
		l.add("free", hoursText(h))
	}
	l.add("hour", hourText(t, now))
}

func hoursText(h entry.Hours) string {
	text, _ := h.MarshalText() // never fails
	return string(text)
}

// hourText is the time of day by which hours count.
func hourText(t *entry.Terms, now entry.Moment) string {
	return now.At.In(t.Zone).Format("Mon 15:04") + " in " + t.Zone.String()
}

// rules adds what a pass is to the rules, and what each of them says of it.
func (l *inputList) rules(ex *entry.Explanation, now entry.Moment) {
	t := ex.Terms
	l.add("level", ex.Level)
	if !ex.Since.IsZero() {
		l.add("age", entry.Duration(now.At.Sub(ex.Since)).Rough()+", since "+utc(ex.Since))
	}
	if since, down := t.Down[ex.Issuer]; down {
		l.add("outage", ex.Issuer+" is down since "+utc(since)+", "+entry.Duration(now.At.Sub(since)).Rough())
	}
	hours, others := false, 0
	for _, said := range ex.Rules {
		if said.Clause == nil {
			others++
			continue
		}
		l.add("rule", ruleText(&said))
		hours = hours || len(said.Rule.Hours) > 0
	}
	if others > 0 {
		l.add("rules", fmt.Sprintf("%d more, for passes of another kind, issuer or level", others))
	}
	if hours && t.Zone != nil {
		l.add("hour", hourText(t, now))
	}
	l.documents(t, now, fleet.KindConfig)
}

// ruleText is what a rule says of a pass that it has a clause for, and the terms by which it does.
func ruleText(said *entry.RuleAnswer) string {
	var terms []string
	length := func(name string, d entry.Duration) {
		if d != 0 {
			terms = append(terms, name+" "+d.Rough())
		}
	}
	length("max_age", said.Clause.MaxAge)
	length("outage_max_age", said.Clause.OutageMaxAge)
	for _, h := range said.Rule.Hours {
		terms = append(terms, "hours "+hoursText(h))
	}
	if len(said.Rule.All) == 2 {
		terms = append(terms, "two passes")
	}
	length("pair_within", said.Rule.PairWithin)
	if len(terms) == 0 {
		return said.Rule.Name + ": " + string(said.Reason)
	}
	return said.Rule.Name + ": " + string(said.Reason) + " (" + strings.Join(terms, ", ") + ")"
}

// documentText names a document in force with its version and age.
func documentText(t *entry.Terms, v entry.Version, now entry.Moment) string {
	bands := t.Bands(fleet.Kind(v.Kind).Issuer())
	return fmt.Sprintf("%s of %s, version %d, signed %s, %s ago, %s", v.Kind, v.Scope, v.Version, utc(bands.Signed), entry.Duration(now.At.Sub(bands.Signed)).Rough(), bands.Freshness(now))
}
