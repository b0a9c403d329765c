// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/device/client"
	"gatehouse/fleet"
	"gatehouse/fleet/folder"
)

// tape is a record as gatehouse events --json prints it, made of the shape that it has there.
type tape struct {
	t    *testing.T
	text bytes.Buffer
	n    uint64
}

func (tp *tape) add(e client.Event) uint64 {
	tp.t.Helper()
	tp.n++
	e.Number = tp.n
	if e.At.IsZero() {
		e.At = morning.Add(time.Duration(tp.n) * time.Second)
	}
	e.Clock = "synced"
	check(tp.t, json.NewEncoder(&tp.text).Encode(e))
	return tp.n
}

var toTheRule = []string{"belief", "verify", "revocation", "freshness", "venue"}

func admitted(kind, issuer, rule string) client.Event {
	return client.Event{Kind: "decision", Lane: "in-1", Outcome: "admit", Reason: "ok", Issuer: issuer, PassKind: kind, Rule: rule, Steps: append(slices.Clone(toTheRule), "rule", "uses", "record")}
}

func refused(kind, issuer, reason string) client.Event {
	return client.Event{Kind: "decision", Lane: "in-1", Outcome: "deny", Reason: reason, Issuer: issuer, PassKind: kind, Steps: toTheRule}
}

func with(e client.Event, change func(*client.Event)) client.Event {
	change(&e)
	return e
}

func hashed(e client.Event, pass string) client.Event {
	e.Pass = pass
	return e
}

// believing is what a kiosk records when it puts a bundle in force.
func believing(version int) client.Event {
	return client.Event{Kind: "trust", Note: fmt.Sprintf("[root of all, version 1 head of arena, version 4 config of arena, version %d]", version)}
}

func (o *operator) replay(tp *tape) *folder.Replay {
	o.t.Helper()
	r, err := o.Replay(place, &tp.text)
	check(o.t, err)
	return r
}

func verdicts(list []folder.Another) (all []string) {
	for _, a := range list {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%d %s %s %s %s", a.Number, a.Was, a.Now, a.Rule, strings.Join(a.Missing, "+"))))
	}
	return all
}

func (r *replayed) expect(what string, list []folder.Another, want ...string) {
	r.t.Helper()
	if got := verdicts(list); !slices.Equal(got, want) {
		r.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

type replayed struct {
	t *testing.T
	*folder.Replay
}

func TestReplayOfTickets(t *testing.T) {
	o := plainOperator(t)
	tp := &tape{t: t}
	tp.add(hashed(admitted("ticket", "arena", "day ticket"), "aaaaaaaa"))                                                  // 1
	tp.add(hashed(admitted("ticket", "stadium", "guests"), "bbbbbbbb"))                                                    // 2: not of the new rule
	tp.add(hashed(refused("ticket", "rail", "not_accepted"), "cccccccc"))                                                  // 3
	tp.add(hashed(refused("ticket", "crew", "not_accepted"), "dddddddd"))                                                  // 4: taken by the new rule
	tp.add(client.Event{Kind: "decision", Lane: "in-1", Outcome: "deny", Reason: "bad_signature"})                         // 5: asks no rule
	tp.add(client.Event{Kind: "decision", Lane: "in-1", Outcome: "admit", Reason: "override", Note: "uid"})                // 6
	tp.add(hashed(refused("ticket", "arena", "already_used"), "aaaaaaaa"))                                                 // 7: still
	tp.add(client.Event{Kind: "passage", Lane: "in-1", Passage: "not_passed", Of: 1})                                      // 8
	tp.add(hashed(admitted("ticket", "arena", "day ticket"), "aaaaaaaa"))                                                  // 9: the use was given back
	tp.add(hashed(admitted("ticket", "arena", "day ticket"), "aaaaaaaa"))                                                  // 10: two uses then
	tp.add(with(hashed(admitted("ticket", "arena", "day ticket"), "eeeeeeee"), func(e *client.Event) { e.Lane = "in-2" })) // 11: a lane that is shut
	o.write("accept:\n  - name: day ticket\n    all: [{kind: ticket, issuers: [arena, crew]}]\nlanes:\n  in-2: {closed: [\"00:00-24:00\"]}\ntime_zone: UTC\n", "venues", "arena.yaml")
	r := &replayed{t, o.replay(tp)}
	r.expect("refused", r.Refused, "2 ok not_accepted", "10 ok already_used day ticket", "11 ok lane_closed")
	r.expect("admitted", r.Admitted, "4 not_accepted ok day ticket")
	r.expect("unknown", r.Unknown)
	if r.Events != 11 || r.Admissions != 5 || r.Refusals != 3 || r.LeftOut != 2 || !r.From.Equal(morning.Add(time.Second)) || r.Believed {
		t.Errorf("replay %+v", r.Replay)
	}
}

// Of a health pass the record keeps neither level nor age. What the rule wanted that took it is known only where the
// record shows that the kiosk had the config that was signed last.
func TestReplayOfPrivateKinds(t *testing.T) {
	rule := func(level, age string) string {
		return "accept:\n  - name: code\n    all: [{kind: health, issuers: [arena], level: [" + level + "], max_age: " + age + ", outage_max_age: 72h}]\n"
	}
	for _, c := range []struct {
		name, now string
		believed  bool
		outage    bool
		refused   []string
		unknown   []string
	}{
		{name: "the same rule", now: rule("green", "24h"), believed: true},
		{name: "the same rule, not known to be", now: rule("green", "24h"), unknown: []string{"2 ok   age+level"}},
		{name: "a wider one", now: rule("green, blue", "36h"), believed: true},
		{name: "an older rule before it", now: strings.Replace(rule("green", "24h"), "accept:\n", "accept:\n  - name: first\n    all: [{kind: health, issuers: [arena], level: [blue], max_age: 1h}]\n", 1), believed: true},
		{name: "a younger age", now: rule("green", "12h"), believed: true, unknown: []string{"2 ok   age"}},
		{name: "another level", now: rule("blue", "24h"), believed: true, refused: []string{"2 ok not_accepted"}},
		{name: "in an outage", now: rule("green", "24h"), believed: true, outage: true},
		{name: "in an outage, and no measure any more", now: strings.Replace(rule("green", "24h"), ", outage_max_age: 72h", "", 1), believed: true, outage: true, refused: []string{"2 ok too_old"}},
		{name: "at other hours", now: rule("green", "24h") + "    hours: [\"20:00-21:00\"]\ntime_zone: UTC\n", refused: []string{"2 ok outside_hours"}},
		{name: "not at all", now: dayTicket, refused: []string{"2 ok not_accepted"}},
		{name: "with a second one", now: strings.Replace(rule("green", "24h"), "}]", "}, {kind: travel, issuers: [arena], level: [green]}]", 1), refused: []string{"2 ok second_pass_needed"}},
		{name: "once", now: strings.Replace(rule("green", "24h"), "72h", "72h, uses: 1", 1), believed: true, unknown: []string{"2 ok   uses"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := plainOperator(t)
			o.write(rule("green", "24h"), "venues", "arena.yaml")
			o.deliver()
			tp := &tape{t: t}
			version := 1
			if !c.believed {
				version = 7
			}
			tp.add(believing(version))
			tp.add(with(admitted("health", "arena", "code"), func(e *client.Event) { e.Outage = c.outage }))
			o.write(c.now, "venues", "arena.yaml")
			r := &replayed{t, o.replay(tp)}
			r.expect("refused", r.Refused, c.refused...)
			r.expect("unknown", r.Unknown, c.unknown...)
			r.expect("admitted", r.Admitted)
			if r.Believed != c.believed {
				t.Errorf("believed %v", r.Believed)
			}
		})
	}
}

func TestReplayOfTwoPasses(t *testing.T) {
	const two = "accept:\n  - name: both\n    all:\n      - {kind: health, issuers: [arena], level: [green]}\n      - {kind: travel, issuers: [arena], level: [green]}\n"
	for _, c := range []struct {
		name, now                  string
		refused, admitted, unknown []string
	}{
		{name: "the same rule", now: two},
		{name: "whoever's", now: two + "    same_holder: false\n", admitted: []string{"5 different_holder ok both"}},
		{name: "one is enough", now: strings.Replace(two, "\n      - {kind: health, issuers: [arena], level: [green]}", "", 1), unknown: []string{"5 different_holder   level", "6 second_pass_needed   level"}},
		{name: "sooner", now: two + "    pair_within: 5s\n", refused: []string{"3 ok second_pass_needed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := plainOperator(t)
			o.write(two, "venues", "arena.yaml")
			o.deliver()
			tp := &tape{t: t}
			at := func(e client.Event, seconds int) client.Event {
				return with(e, func(e *client.Event) { e.At = morning.Add(time.Duration(seconds) * time.Second) })
			}
			tp.add(at(believing(1), 0))
			first := tp.add(at(with(refused("health", "arena", "second_pass_needed"), func(e *client.Event) { e.Outcome = "wait" }), 10))
			tp.add(at(with(admitted("travel", "arena", "both"), func(e *client.Event) { e.Of = first }), 20))
			first = tp.add(at(with(refused("health", "arena", "second_pass_needed"), func(e *client.Event) { e.Outcome = "wait" }), 30))
			tp.add(at(with(refused("travel", "arena", "different_holder"), func(e *client.Event) { e.Of = first }), 33))
			tp.add(at(with(refused("travel", "arena", "second_pass_needed"), func(e *client.Event) { e.Outcome = "wait" }), 60))
			o.write(c.now, "venues", "arena.yaml")
			r := &replayed{t, o.replay(tp)}
			r.expect("refused", r.Refused, c.refused...)
			if r.Admissions != 1 || r.Refusals != 3 { // the first pass of the admission is none
				t.Errorf("%d admissions, %d refusals", r.Admissions, r.Refusals)
			}
			if c.name == "whoever's" { // their levels are not known: nobody was admitted by them
				r.expect("unknown", r.Unknown, "5 different_holder   level")
				return
			}
			r.expect("admitted", r.Admitted, c.admitted...)
			r.expect("unknown", r.Unknown, c.unknown...)
		})
	}
}

// Where a pass could be either of a rule's two, nobody can tell what the rule wanted of it.
func TestReplayOfTwoPassesOfOneKind(t *testing.T) {
	const two = "accept:\n  - name: both\n    all:\n      - {kind: health, issuers: [arena], level: [green]}\n      - {kind: health, issuers: [arena], level: [blue]}\n"
	o := plainOperator(t)
	o.write(two, "venues", "arena.yaml")
	o.deliver()
	tp := &tape{t: t}
	tp.add(believing(1))
	first := tp.add(with(refused("health", "arena", "second_pass_needed"), func(e *client.Event) { e.Outcome = "wait" }))
	tp.add(with(admitted("health", "arena", "both"), func(e *client.Event) { e.Of = first }))
	o.write(strings.Replace(two, "blue", "green", 1), "venues", "arena.yaml")
	r := &replayed{t, o.replay(tp)}
	r.expect("refused", r.Refused)
	r.expect("unknown", r.Unknown, "3 ok   level")
}

// A rule that is as it was says what it said: of two passes in an outage, and of one that no rule took.
func TestReplayOfTheSameRule(t *testing.T) {
	const both = "accept:\n  - name: both\n    all:\n      - {kind: health, issuers: [arena], level: [green], max_age: 24h, outage_max_age: 72h}\n      - {kind: travel, issuers: [arena], level: [green], max_age: 24h, outage_max_age: 72h}\n"
	for _, c := range []struct {
		name, now string
		unknown   []string
	}{
		{name: "the same", now: both},
		{name: "and another", now: both + "  - name: tickets\n    all: [{kind: ticket, issuers: [arena]}]\n"},
		{name: "another one of the kind", now: both + "  - name: red\n    all: [{kind: health, issuers: [rail], level: [red]}]\n", unknown: []string{"4 not_accepted   level"}},
		{name: "a shorter measure", now: strings.ReplaceAll(both, "72h", "48h"), unknown: []string{"3 ok   age"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := plainOperator(t)
			o.write(both, "venues", "arena.yaml")
			o.deliver()
			tp := &tape{t: t}
			tp.add(believing(1))
			first := tp.add(with(refused("health", "arena", "second_pass_needed"), func(e *client.Event) { e.Outcome = "wait" }))
			tp.add(with(admitted("travel", "arena", "both"), func(e *client.Event) { e.Of, e.Outage = first, true }))
			tp.add(refused("health", "rail", "not_accepted"))
			o.write(c.now, "venues", "arena.yaml")
			r := &replayed{t, o.replay(tp)}
			r.expect("refused", r.Refused)
			r.expect("admitted", r.Admitted)
			r.expect("unknown", r.Unknown, c.unknown...)
		})
	}
}

// Which zones a pass is for is not recorded: a lane that leads elsewhere now cannot be replayed.
func TestReplayOfAnotherZone(t *testing.T) {
	o := plainOperator(t)
	o.deliver()
	tp := &tape{t: t}
	tp.add(believing(1))
	tp.add(hashed(admitted("ticket", "arena", "day ticket"), "aaaaaaaa"))
	o.write(dayTicket+"lanes:\n  in-1: {zone: north}\n", "venues", "arena.yaml")
	r := &replayed{t, o.replay(tp)}
	r.expect("unknown", r.Unknown, "2 ok   scope")
}

func TestReplayOfNoRecord(t *testing.T) {
	o := plainOperator(t)
	for name, text := range map[string]string{
		"nothing": "", "no JSON": "GH1:SECRET\n", "no event": "{}\n", "backwards": `{"number":2,"kind":"start"}` + "\n" + `{"number":1,"kind":"start"}` + "\n",
	} {
		if _, err := o.Replay(place, strings.NewReader(text)); !errors.Is(err, folder.ErrEvents) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := o.Replay(fleet.Place{Venue: "arena", Kiosk: "gate-9"}, strings.NewReader(`{"number":1,"kind":"start"}`)); !errors.Is(err, folder.ErrUnknown) {
		t.Error(err)
	}
}

func FuzzReplay(f *testing.F) {
	f.Add([]byte(`{"number":1,"kind":"decision","outcome":"admit","reason":"ok","issuer":"arena","pass_kind":"ticket","pass":"aaaaaaaa","of":1}`))
	f.Add([]byte(`{"number":1,"kind":"trust","note":"[config of arena, version 1]"}` + "\n" + `{"number":2,"kind":"passage","of":1,"passage":"not_passed"}`))
	o, err := folder.Init(f.TempDir(), morning, "arena")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := o.Replay(fleet.Place{Venue: "arena"}, bytes.NewReader(text))
		if err == nil && len(r.Refused)+len(r.Admitted)+len(r.Unknown) > r.Admissions+r.Refusals {
			t.Errorf("%+v", r)
		}
		if err != nil && !errors.Is(err, folder.ErrEvents) {
			t.Error(err)
		}
	})
}
