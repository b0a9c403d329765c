// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"gatehouse/entry"
	"gatehouse/fleet"
)

// ruleWords are a rule as a person says it. What the words do not tell is added as it is written.
func ruleWords(r entry.Rule) string {
	var passes, rest []string
	for _, c := range r.All {
		passes = append(passes, clauseWords(c))
	}
	text := strings.Join(passes, ", and ")
	if len(r.All) == 2 {
		holder := "of one holder"
		if r.SameHolder != nil && !*r.SameHolder {
			holder = "of whomever"
		}
		text += fmt.Sprintf(", both %s and within %s", holder, durationText(cmp.Or(r.PairWithin, entry.Duration(entry.DefaultPairWithin))))
	}
	for _, h := range r.Hours {
		b, _ := h.MarshalText() // never fails
		rest = append(rest, string(b))
	}
	if len(rest) > 0 {
		text += ", in the hours " + strings.Join(rest, " and ")
	}
	r.Name, r.All, r.SameHolder, r.PairWithin, r.Hours = "", nil, nil, 0, nil
	return text + written(r)
}

func clauseWords(c entry.Clause) string {
	what := "a " + c.Kind + " pass"
	if c.Kind == "ticket" {
		what = "a ticket"
	}
	text := what + " of " + strings.Join(c.Issuers, " or ")
	if len(c.Level) > 0 {
		text += " that says " + strings.Join(c.Level, " or ")
	}
	switch {
	case c.Uses != nil && *c.Uses == 1:
		text += ", once"
	case c.Uses != nil:
		text += fmt.Sprintf(", %d times", *c.Uses)
	}
	if c.MaxAge != 0 {
		text += ", at most " + durationText(c.MaxAge) + " old"
	}
	if c.OutageMaxAge != 0 {
		text += " (" + durationText(c.OutageMaxAge) + " in an outage)"
	}
	c.Kind, c.Issuers, c.Level, c.Uses, c.MaxAge, c.OutageMaxAge = "", nil, nil, nil, 0, 0
	return text + written(c)
}

// written is what of a value is not zero, as YAML on one line with ", " before it; "" where all of it is.
func written(v any) string {
	if reflect.ValueOf(v).IsZero() {
		return ""
	}
	return ", " + flow(v)
}

// flow is a value as YAML on one line.
func flow(v any) string {
	b, err := yaml.MarshalWithOptions(v, yaml.Flow(true), yaml.OmitZero())
	if err != nil {
		return fmt.Sprintf("%+v", v)
	}
	return wholeHours.ReplaceAllString(string(bytes.TrimSpace(b)), "$1")
}

// wholeHours finds the zeros of a length of time within a text.
var wholeHours = regexp.MustCompile(`\b(\d+h|\d+h[1-9]\d*m|[1-9]\d*m)(?:0m)?0s\b`)

// policyWords tell what is another in a policy. Rules are told by their names, as events name them.
func policyWords(before, now *entry.Policy) (changes []string) {
	find := func(p *entry.Policy, name string) *entry.Rule {
		for i := range p.Accept {
			if p.Accept[i].Name == name {
				return &p.Accept[i]
			}
		}
		return nil
	}
	var order, former []string
	for _, r := range now.Accept {
		switch was := find(before, r.Name); {
		case was == nil:
			changes = append(changes, fmt.Sprintf("rule %q is new: %s", r.Name, ruleWords(r)))
		case !reflect.DeepEqual(*was, r):
			changes = append(changes, fmt.Sprintf("rule %q is %s, instead of %s", r.Name, ruleWords(r), ruleWords(*was)))
			order = append(order, r.Name)
		default:
			order = append(order, r.Name)
		}
	}
	for _, r := range before.Accept {
		if find(now, r.Name) == nil {
			changes = append(changes, fmt.Sprintf("rule %q is gone: %s", r.Name, ruleWords(r)))
		} else {
			former = append(former, r.Name)
		}
	}
	if !slices.Equal(order, former) {
		changes = append(changes, fmt.Sprintf("the rules are asked in the order %s, instead of %s", strings.Join(order, ", "), strings.Join(former, ", ")))
	}
	return append(changes, otherWords(before, now)...)
}

// otherWords tell what is another beside the rules.
func otherWords(before, now *entry.Policy) (changes []string) {
	b, n := reflect.ValueOf(*before), reflect.ValueOf(*now)
	text := func(v reflect.Value) string {
		if v.IsZero() {
			return "nothing"
		}
		return flow(v.Interface())
	}
	for i := range n.NumField() {
		key, _, _ := strings.Cut(n.Type().Field(i).Tag.Get("yaml"), ",")
		if key != "accept" && !reflect.DeepEqual(b.Field(i).Interface(), n.Field(i).Interface()) {
			changes = append(changes, fmt.Sprintf("%s is %s, instead of %s", key, text(n.Field(i)), text(b.Field(i))))
		}
	}
	return changes
}

// issuerWords tell what is another in the trust list.
func issuerWords(before, now *fleet.Issuers) (changes []string) {
	former := map[string]fleet.Issuer{}
	for _, i := range before.Issuers {
		former[i.Name] = i
	}
	for _, i := range now.Issuers {
		was, known := former[i.Name]
		delete(former, i.Name)
		if !known {
			changes = append(changes, fmt.Sprintf("issuer %s is new: %s", i.Name, strings.Join(keysWords(i), "; ")))
			continue
		}
		have, had := keysWords(i), keysWords(was)
		for _, k := range have {
			if !slices.Contains(had, k) {
				changes = append(changes, fmt.Sprintf("issuer %s has the new %s", i.Name, k))
			}
		}
		for _, k := range had {
			if !slices.Contains(have, k) {
				changes = append(changes, fmt.Sprintf("issuer %s has no more the %s", i.Name, k))
			}
		}
	}
	for _, i := range before.Issuers {
		if _, gone := former[i.Name]; gone {
			changes = append(changes, fmt.Sprintf("issuer %s is gone: none of its passes is admitted", i.Name))
		}
	}
	return changes
}

// keysWords are the keys of an issuer, by id and by what they may sign.
func keysWords(i fleet.Issuer) (keys []string) {
	for _, k := range i.Keys {
		id := "of no use"
		if key, err := k.Credential(i.Name); err == nil {
			id = hex.EncodeToString(key.ID)
		}
		var formats []string
		for _, f := range k.Formats {
			formats = append(formats, string(f))
		}
		text := fmt.Sprintf("key %s (%s) for %s", id, k.Algorithm, strings.Join(formats, " and "))
		for _, bound := range []struct {
			what  string
			names []string
		}{{"kind", k.Kinds}, {"scope", k.Scopes}} {
			if len(bound.names) > 0 {
				text += fmt.Sprintf(", %s %s", bound.what, strings.Join(bound.names, " or "))
			}
		}
		for _, end := range []struct {
			what string
			at   uint64
		}{{"from", k.NotBefore}, {"until", k.NotAfter}} {
			if end.at != 0 {
				text += fmt.Sprintf(", %s %s", end.what, time.Unix(int64(end.at), 0).UTC().Format(time.RFC3339))
			}
		}
		keys = append(keys, text)
	}
	return keys
}
