// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/device/client"
	"gatehouse/entry"
)

func newExplain() *cobra.Command {
	var run, lane string
	var number uint64
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "Explain what a code is answered, step by step",
		Long: `Explain reads a code from standard input and has the running kiosk tell what it would be answered now: each question in
the order in which it is asked, up to the first that did not hold, and what it was answered from: documents with their
versions and ages, the key, the time, what each rule says of its age, of the hour and of an outage, former uses. Nothing is
recorded, no use is taken, no gate opens, and the code is neither logged nor shown. What would keep the lane from answering
at all is told beside it.

Two lines are two passes for one entry: the first is explained as if no pass waited at the lane, the second as if it were
shown right after it. One line is explained with the pass that waits at the lane now, if one does.

With --event it tells of a past event by its number, which gatehouse events shows, the questions that held then.

--json prints an object. Of codes: lane, clock (at, state, synced), obstacles, and answers, one for each code, with outcome,
reason, sentence, remedy, steps (each with step, held, note and inputs, which have name and value), rule, outage, any_holder
and pass (its short hash); a second code has no answer where the first is not asked for a second pass. Of an event: event,
as gatehouse events --json has it, sentence, and followed_by (the events about it). Fields may be added; those there stay.`,
		Example: `  gatehouse explain <code.txt
  cat health.txt travel.txt | gatehouse explain
  gatehouse decode pass.png | gatehouse explain --lane in-1
  gatehouse explain --event 1207`,
		Args: noCode,
		RunE: func(cmd *cobra.Command, _ []string) error {
			kiosk := client.Dial(run)
			if cmd.Flags().Changed("event") {
				return explainEvent(cmd.Context(), cmd.OutOrStdout(), kiosk, number, asJSON)
			}
			codes, err := readCodes(cmd.InOrStdin(), "explain", 2)
			if err != nil {
				return err
			}
			e, err := kiosk.Explain(cmd.Context(), client.Shown{Lane: lane, Codes: codes})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), e)
			}
			return printExplanation(cmd.OutOrStdout(), e, len(codes))
		},
	}
	addRun(cmd, &run)
	cmd.Flags().StringVar(&lane, "lane", "", "the `lane` where the code is shown; not needed where there is one")
	cmd.Flags().Uint64Var(&number, "event", 0, "explain the past event with this `number`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}

// noCode refuses arguments without repeating them.
func noCode(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("a code is never an argument, which others of this machine could see: gatehouse %s <FILE", cmd.Name())
	}
	return nil
}

func printExplanation(w io.Writer, e *client.Explanation, codes int) error {
	fmt.Fprintf(w, "lane %s at %s (clock %s)\n", e.Lane, local(e.Clock.At), clockText(e.Clock))
	for i, a := range e.Answers {
		if codes > 1 {
			fmt.Fprintf(w, "\ncode %d of %d", i+1, codes)
		}
		fmt.Fprintln(w)
		printAnswer(w, &a)
	}
	if len(e.Answers) < codes {
		fmt.Fprintln(w, "\nthe second code was not asked: the first is not asked for a second pass")
	}
	for _, o := range e.Obstacles {
		fmt.Fprintf(w, "but now: %s\n", plain(o))
	}
	_, err := fmt.Fprintln(w, "nothing was recorded and no use was taken")
	return err
}

func printAnswer(w io.Writer, a *client.Answer) {
	for i, s := range a.Steps {
		mark := "yes"
		if !s.Held {
			mark = "NO"
		}
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%d. %-11s %-4s%s", i+1, s.Step, mark, plain(s.Note)), " "))
		for _, in := range s.Inputs {
			fmt.Fprintf(w, "%14s %s: %s\n", "", in.Name, plain(in.Value))
		}
	}
	fmt.Fprintf(w, "\n%s: %s. %s\n", a.Outcome, a.Reason, a.Sentence)
	if a.Outage {
		fmt.Fprintln(w, "an emergency measure: the pass is older than max_age, and outage_max_age takes it")
	}
	if a.Remedy != "" {
		fmt.Fprintf(w, "what to do: %s\n", a.Remedy)
	}
	if a.Pass != "" {
		fmt.Fprintf(w, "in events this pass is %s\n", a.Pass)
	}
}

// pastEvent is what explain tells of an event.
type pastEvent struct {
	Event      client.Event   `json:"event"`
	Sentence   string         `json:"sentence,omitempty"`
	FollowedBy []client.Event `json:"followed_by,omitempty"`
}

func explainEvent(ctx context.Context, w io.Writer, kiosk *client.Client, number uint64, asJSON bool) error {
	page, err := kiosk.Events(ctx, client.Query{From: max(number, 1), Limit: 1})
	if err != nil {
		return err
	}
	switch {
	case page.Last == 0:
		return errors.New("the record has no event yet")
	case number > page.Last || number == 0:
		return fmt.Errorf("there is no event %d; the newest is %d: gatehouse events", number, page.Last)
	case number < page.First:
		return fmt.Errorf("event %d was pruned; the oldest that is kept is %d", number, page.First)
	case len(page.Events) != 1 || page.Events[0].Number != number:
		return fmt.Errorf("event %d was not given; look whether the record is whole: gatehouse ledger check", number)
	}
	past := pastEvent{Event: page.Events[0]}
	if past.Event.Reason != "" {
		past.Sentence = entry.Reason(past.Event.Reason).Staff(entry.English)
	}
	// What is about an event follows it within moments: one page is far enough.
	about, err := kiosk.Events(ctx, client.Query{From: number + 1, Of: number})
	if err != nil {
		return err
	}
	past.FollowedBy = about.Events
	if asJSON {
		return printJSON(w, past)
	}
	return printEvent(w, &past)
}

func printEvent(w io.Writer, past *pastEvent) error {
	ev := &past.Event
	clock := ""
	if ev.Clock != "" {
		clock = " (clock " + ev.Clock + ")"
	}
	fmt.Fprintf(w, "event %d at %s%s\n", ev.Number, local(ev.At), clock)
	for _, f := range []struct{ name, value string }{
		{"kind", ev.Kind}, {"lane", ev.Lane}, {"outcome", ev.Outcome}, {"reason", ev.Reason}, {"that is", past.Sentence},
		{"pass", ev.Pass}, {"format", ev.Format}, {"issuer", ev.Issuer}, {"key", ev.Key}, {"pass kind", ev.PassKind},
		{"level", ev.Level}, {"rule", ev.Rule}, {"passage", ev.Passage}, {"note", ev.Note},
	} {
		if f.value != "" {
			fmt.Fprintf(w, "  %-10s %s\n", f.name, plain(f.value))
		}
	}
	if len(ev.Steps) > 0 {
		fmt.Fprintf(w, "  %-10s %s\n", "held", strings.Join(ev.Steps, ", "))
	}
	if ev.Late {
		fmt.Fprintf(w, "  %-10s it was acted on before it was on the disk\n", "late")
	}
	if ev.Outage {
		fmt.Fprintf(w, "  %-10s it was older than max_age; outage_max_age took it\n", "outage")
	}
	if ev.AnyHolder {
		fmt.Fprintf(w, "  %-10s not compared: the rule's same_holder is off\n", "holders")
	}
	switch {
	case ev.Of != 0 && ev.Kind == string(entry.EventDecision):
		fmt.Fprintf(w, "  %-10s event %d was the first of the two passes: gatehouse explain --event %d\n", "after", ev.Of, ev.Of)
	case ev.Of != 0:
		fmt.Fprintf(w, "  %-10s event %d: gatehouse explain --event %d\n", "about", ev.Of, ev.Of)
	}
	for _, f := range past.FollowedBy {
		after := f.At.Sub(ev.At).Round(time.Millisecond)
		if _, err := fmt.Fprintf(w, "  %-10s event %d, %v later: %s\n", "then", f.Number, after, plain(happened(&f))); err != nil {
			return err
		}
	}
	return nil
}
