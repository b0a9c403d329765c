// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/device"
	"gatehouse/device/client"
	"gatehouse/entry"
)

func technician() act {
	return act{
		at: "11:55", title: "The technician asks",
		tells: "Why was somebody refused? What is wrong with the gate? The kiosk tells, with what it went by and what to do.\n" +
			"To explain records nothing and opens nothing. (The commands are gatehouse explain and gatehouse doctor.)",
		scenes: []scene{
			does("explain: a travel code of mobile, 30 hours old", "deny: too_old", explain(oldTravel("mobile", "Xu", old))),
			does("explain: a health code, then a new travel code", "admit: ok", explain(health("guangdong", "He"), travel("mobile", "He"))),
			does("a new bundle of the operator arrives", "documents new", renew),
			does("doctor, while all is well", "ok: daemon, trust store, ledger, scanner of in-1, gate of in-1", doctor),
			does("doctor, while the scanner is unplugged", "fail: scanner of in-1, GH-101", doctorUnplugged),
			show("a day ticket, when it is plugged in again", entry.ReasonOK, ticket("arena")),
		},
	}
}

// explain has the kiosk tell what a guest's codes would be answered, and why: the last step of each, with the verdict.
func explain(papers ...*paper) func(context.Context, *stage) (string, error) {
	return func(ctx context.Context, s *stage) (string, error) {
		var codes []string
		for _, p := range papers {
			issued, err := p.issued(s)
			if err != nil {
				return "", err
			}
			codes = append(codes, issued.Code)
		}
		s.explained = append(s.explained, codes...)
		e, err := s.client.Explain(ctx, client.Shown{Codes: codes})
		if err != nil {
			return "", err
		}
		var lines []string
		for _, a := range e.Answers {
			lines = append(lines, questions(a.Steps), a.Outcome+": "+a.Reason+". "+a.Sentence)
			if a.Remedy != "" {
				lines = append(lines, "what to do: "+a.Remedy)
			}
		}
		return strings.Join(lines, "\n"), nil
	}
}

// questions are the steps of an answer on one line: those that held, and the one that did not.
func questions(steps []client.Step) string {
	var all []string
	for _, s := range steps {
		answer := " yes"
		if !s.Held {
			answer = " NO"
		}
		if s.Note != "" && (!s.Held || s.Step == string(entry.StepRule)) {
			answer += " (" + s.Note + ")"
		}
		all = append(all, s.Step+answer)
	}
	return strings.Join(all, ", ")
}

// doctor is what gatehouse doctor finds about the kiosk; what it finds about this machine is none of the story's.
func doctor(ctx context.Context, s *stage) (string, error) {
	var well, unwell []string
	for _, c := range device.Doctor(ctx, s.config).Checks {
		if !slices.Contains([]string{"daemon", "trust store", "ledger", "scanner", "gate"}, c.Name) {
			continue
		}
		what := c.Name
		if c.Lane != "" {
			what += " of " + c.Lane
		}
		if c.Verdict == device.CheckOK {
			well = append(well, what)
			continue
		}
		unwell = append(unwell, fmt.Sprintf("%s: %s, %s: %s\n  what to do: %s", c.Verdict, what, c.Code, c.Text, c.Do))
	}
	return strings.Join(append([]string{"ok: " + strings.Join(well, ", ")}, unwell...), "\n"), nil
}

// doctorUnplugged pulls the scanner's plug, asks the doctor, and puts it back.
func doctorUnplugged(ctx context.Context, s *stage) (found string, err error) {
	if err := s.unplug(ctx); err != nil {
		return "", err
	}
	s.hands.pass(time.Minute) // what lasts is worth a word
	if found, err = doctor(ctx, s); err != nil {
		return "", err
	}
	return found, s.plug(ctx)
}
