// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"gatehouse/device/client"
	"gatehouse/entry"
)

// act is a part of the story.
type act struct {
	at     string // when it begins, by the story's clock
	title  string
	tells  string // what happens, for somebody who knows nothing of all this
	scenes []scene
}

// scene is one line of the script: a code is shown, or something is done, and one answer is right.
type scene struct {
	what  string
	later time.Duration // how much of the story goes by before

	// A code that is shown.
	paper  *paper
	times  int          // how often the scanner reads it in a row
	want   entry.Reason // the answer
	stale  bool         // decided on data past its fresh band
	outage bool         // taken by outage_max_age
	stays  bool         // who is admitted does not walk through
	effect bool         // by this is measured how soon what was published takes effect
	lost   bool         // the disk takes no record of it

	// Or something that is done; what comes of it, or the refusal of the kiosk, holds says.
	do      func(context.Context, *stage) (string, error)
	says    string
	refused bool

	crowd []scene // or many guests, who get one line together

	// Or scenes that go by what a sensor sees of nobody, which a machine that is busy with other things may not read in time.
	// Then the kiosk takes back nothing, as it must, and the scenes are played once more, with other codes.
	again func() []scene
}

// show is a scene in which a code is shown, and this is the answer.
func show(what string, want entry.Reason, p *paper) scene {
	return scene{what: what, paper: p, times: 1, want: want}
}

// pair is somebody who shows two codes of which the first is answered that the second is needed.
func pair(first, second string, want entry.Reason, one, two *paper) []scene {
	return []scene{show(first, entry.ReasonSecondPassNeeded, one), show(second, want, two)}
}

// byOutage says that the answer was only given because an issuer is down, or nobody can say whether it is.
func (s scene) byOutage() scene { s.outage = true; return s }

// onStale says that the answer was given on data past its fresh band.
func (s scene) onStale() scene { s.stale = true; return s }

// after lets time go by before.
func (s scene) after(d time.Duration) scene { s.later = d; return s }

// does is a scene in which something is done, and this comes of it.
func does(what, says string, do func(context.Context, *stage) (string, error)) scene {
	return scene{what: what, do: do, says: says}
}

// errScript says that the morning went otherwise than written.
var errScript = errors.New("the kiosk did not answer as the script wants")

const prologue = `A morning at one gate: a real kiosk (its own process), a scanner on a pty, a simulated turnstile.
The arena is in Shenzhen. It takes its day tickets; or a green health code and a green travel code of
the same person, together, neither older than a day. Each line has the kiosk's clock, which the story
moves on; what is shown or done; the verdict and its reason; and the µs from the last byte of the code to
the relay, or to the red lamp.
`

// play plays every act, prints each scene, and sums up.
func play(ctx context.Context, s *stage, w io.Writer) error {
	fmt.Fprint(w, prologue)
	t := tally{out: w}
	for i, a := range story() {
		at, err := timeOfDay(s.begin, a.at)
		if err != nil {
			return err
		}
		s.hands.pass(at.Sub(s.hands.now()))
		fmt.Fprintf(w, "\n%d · %s · %s\n%s\n\n", i+1, a.at, a.title, indent(a.tells))
		t.acts = append(t.acts, part{title: a.title})
		for _, sc := range a.scenes {
			if err := t.play(ctx, s, sc); err != nil {
				s.failed = true
				return fmt.Errorf("%s: %w", sc.what, err)
			}
		}
	}
	t.check(ctx, s)
	if t.print(s.begin); len(t.faults) > 0 {
		s.failed = true
		return fmt.Errorf("%w:\n  %s", errScript, strings.Join(t.faults, "\n  "))
	}
	return nil
}

func indent(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }

// play plays one scene.
func (t *tally) play(ctx context.Context, s *stage, sc scene) error {
	s.hands.pass(sc.later)
	now := s.hands.now()
	switch {
	case sc.crowd != nil:
		return t.playCrowd(ctx, s, sc)
	case sc.again != nil:
		return t.playAgain(ctx, s, sc)
	case sc.paper == nil:
		text, err := sc.do(ctx, s)
		refused := errors.Is(err, client.ErrRefused)
		if refused {
			_, text, _ = strings.Cut(err.Error(), client.ErrRefused.Error()+": ")
		} else if err != nil {
			return err
		}
		t.noteDone(now, sc, text, refused)
		return nil
	}
	a, err := s.show(ctx, sc)
	if err == nil {
		t.noteScan(now, sc, a)
	}
	return err
}

// playCrowd plays the scenes of many guests and prints one line for all of them; what goes wrong has its own.
func (t *tally) playCrowd(ctx context.Context, s *stage, crowd scene) error {
	began, act, before := s.hands.now(), t.act(), *t.act()
	out := t.out
	defer func() { t.out = out }()
	t.out = io.Discard
	for _, sc := range crowd.crowd {
		faults := len(t.faults)
		if err := t.play(ctx, s, sc); err != nil {
			return fmt.Errorf("%s: %w", sc.what, err)
		}
		for _, fault := range t.faults[faults:] {
			fmt.Fprintf(out, "         ← %s\n", fault)
		}
	}
	fmt.Fprintf(out, "  %s  %-52s %d admitted, %d refused; %d scans until %s\n", clock(began), crowd.what,
		act.admitted-before.admitted, act.refused-before.refused, act.scans-before.scans, clock(s.hands.now()))
	return nil
}

// tries is how often scenes are played for a sensor that was not read in time.
const tries = 5

// playAgain plays scenes until the sensor was read in time.
func (t *tally) playAgain(ctx context.Context, s *stage, sc scene) error {
	for try := range tries {
		t.unseen = false
		scenes := sc.again()
		if try > 0 { // who walks through has a sensor that tells of nobody for long believed again
			scenes = slices.Insert(scenes, 0, show("a guest who does walk through", entry.ReasonOK, ticket("arena")))
		}
		for _, one := range scenes {
			if err := t.play(ctx, s, one); err != nil {
				return fmt.Errorf("%s: %w", one.what, err)
			}
			if t.unseen {
				break
			}
		}
		if !t.unseen {
			return nil
		}
	}
	t.fault(sc, "in %d tries this machine was too busy to read a sensor every 120 ms", tries)
	return nil
}

// clock is a time of the story.
func clock(t time.Time) string { return t.In(china).Format("15:04") }
