// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/entry"
	"gatehouse/entry/entrytest"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
)

// turnstile is a bench with a passage sensor.
type turnstile struct {
	*bench
	mu        sync.Mutex
	surprises []string
	sensor    []string
}

const awaited = 8 * time.Second

func onTurnstile(t *testing.T) *turnstile {
	t.Helper()
	s := &turnstile{bench: &bench{t: t, board: gatetest.New(gatetest.Config{}), began: time.Now(), ran: make(chan error, 1)}}
	s.start(gate.Config{
		Inputs: map[gate.Contact]gate.Input{gate.Passage: s.board.Input("north", gate.Passage)}, Passage: awaited,
		Surprised: func(x gate.Surprise, of *entry.Grant) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if (of == nil) != (x == gate.UnadmittedPassage || x == gate.HeldPassage) {
				t.Errorf("%s is about the admission of %p", x, of)
			}
			s.surprises = append(s.surprises, string(x))
		},
		InputState: func(_ gate.Contact, err error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.sensor = append(s.sensor, fmt.Sprint(err))
		},
	}, nil)
	time.Sleep(100 * time.Millisecond) // the contact's level is known
	return s
}

// walk has somebody in the passage for as long as a contact is active.
func (s *turnstile) walk() {
	s.board.SetPassing("north", true)
	time.Sleep(250 * time.Millisecond)
	s.board.SetPassing("north", false)
	time.Sleep(50 * time.Millisecond)
}

func (s *turnstile) enter() <-chan outcome {
	return s.admit(s.t.Context(), entrytest.Grant(s.t, "north"))
}

// want holds an admission to its passage and to how long it took, within a debounced reading.
func (s *turnstile) want(o outcome, p entry.Passage, began, took time.Duration) {
	s.t.Helper()
	if late := o.at - began - took; o.passage != p || o.err != nil || late < 0 || late > 30*time.Millisecond {
		s.t.Errorf("Admit returned %q, %v after %v; want %q after %v", o.passage, o.err, o.at-began, p, took)
	}
}

func (s *turnstile) wantSurprises(want ...string) {
	s.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.surprises, want) {
		s.t.Errorf("surprises %q, want %q", s.surprises, want)
	}
}

func (s *turnstile) wantSensor(part string) {
	s.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sensor) == 0 || !strings.Contains(s.sensor[len(s.sensor)-1], part) {
		s.t.Errorf("of the sensor was told %q, want %q", s.sensor, part)
	}
}

func (s *turnstile) now() time.Duration { return time.Since(s.began) }

// inTurnstile runs a test in a bubble, and ends the gate.
func inTurnstile(t *testing.T, f func(t *testing.T, s *turnstile)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := onTurnstile(t)
		f(t, s)
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestPassage(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration // from the admission to the passage; 0 is none
		want  entry.Passage
		took  time.Duration
	}{
		"while the relay is up":        {200 * time.Millisecond, entry.Passed, gate.DefaultPulse},
		"after the pulse":              {2 * time.Second, entry.Passed, 2 * time.Second},
		"at the last moment":           {awaited - 20*time.Millisecond, entry.Passed, awaited - 20*time.Millisecond},
		"nobody":                       {0, entry.NotPassed, awaited},
		"a moment after the last":      {awaited + 100*time.Millisecond, entry.NotPassed, awaited},
		"in the moment the relay rose": {time.Nanosecond, entry.Passed, gate.DefaultPulse},
	} {
		t.Run(name, func(t *testing.T) {
			inTurnstile(t, func(t *testing.T, s *turnstile) {
				began := s.now()
				done := s.enter()
				if c.after > 0 {
					time.Sleep(c.after)
					s.walk()
				}
				s.want(<-done, c.want, began, c.took)
				synctest.Wait() // the lamp follows the relay
				if edges := s.edges(); len(edges) != 4 {
					t.Errorf("edges %q", edges)
				}
				if c.want == entry.Passed {
					s.wantSurprises()
				}
			})
		})
	}
}

// Whoever walks through after the time is told of, once, and only for the admission that was called unused.
func TestLatePassage(t *testing.T) {
	inTurnstile(t, func(t *testing.T, s *turnstile) {
		began := s.now()
		s.want(<-s.enter(), entry.NotPassed, began, awaited)
		time.Sleep(10 * time.Second)
		s.walk()
		s.wantSurprises("late_passage")
		s.walk()
		s.wantSurprises("late_passage", "unadmitted_passage")
	})
}

func TestMuchLaterIsNobody(t *testing.T) {
	inTurnstile(t, func(t *testing.T, s *turnstile) {
		s.walk() // before anybody was admitted
		<-s.enter()
		time.Sleep(40 * time.Second)
		s.walk()
		s.wantSurprises("unadmitted_passage", "unadmitted_passage")
	})
}

func TestTwoPeopleOnOneAdmission(t *testing.T) {
	inTurnstile(t, func(t *testing.T, s *turnstile) {
		done := s.admit(t.Context(), signed(t, 3*time.Second))
		time.Sleep(100 * time.Millisecond)
		s.walk()
		s.walk()
		if o := <-done; o.passage != entry.Passed {
			t.Errorf("got %+v", o)
		}
		s.wantSurprises("second_passage")
	})
}

// The lane is the guest's until the passage is known.
func TestBusyWhilePassageIsAwaited(t *testing.T) {
	inTurnstile(t, func(t *testing.T, s *turnstile) {
		done := s.enter()
		time.Sleep(2 * time.Second)
		s.wantFault(<-s.enter(), gate.ErrBusy, s.now())
		if err := s.gate.Refuse(t.Context()); !errors.Is(err, gate.ErrBusy) {
			t.Errorf("refused: %v", err)
		}
		s.walk()
		if o := <-done; o.passage != entry.Passed {
			t.Errorf("got %+v", o)
		}
		next := s.enter()
		time.Sleep(time.Second)
		s.walk()
		if o := <-next; o.passage != entry.Passed {
			t.Errorf("the next guest: %+v", o)
		}
	})
}

// A guest who stands in the passage when the next is admitted is not the next one's passage.
func TestSomebodyStillInThePassage(t *testing.T) {
	inTurnstile(t, func(t *testing.T, s *turnstile) {
		done := s.enter()
		time.Sleep(time.Second)
		s.board.SetPassing("north", true)
		if o := <-done; o.passage != entry.Passed {
			t.Errorf("got %+v", o)
		}
		began := s.now()
		next := s.enter()
		time.Sleep(time.Second)
		s.board.SetPassing("north", false)
		s.want(<-next, entry.NotPassed, began, awaited)
		s.wantSurprises()
	})
}

// A sensor that cannot be relied on gives no use back.
func TestSensorThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		fail, mend func(b *gatetest.Board)
		told       error
	}{
		"cannot be read": {
			func(b *gatetest.Board) {
				b.Fail("north", gatetest.Passage, gatetest.FailNothingMoved, gatetest.Lasting)
			},
			func(b *gatetest.Board) { b.Clear("north", gatetest.Passage) }, gate.ErrInput,
		},
		"hangs": {
			func(b *gatetest.Board) { b.Fail("north", gatetest.Passage, gatetest.Hang, gatetest.Lasting) },
			func(b *gatetest.Board) { b.Clear("north", gatetest.Passage) }, gate.ErrInput,
		},
		"is stuck": {
			func(b *gatetest.Board) { b.SetPassing("north", true) },
			func(b *gatetest.Board) { b.SetPassing("north", false) }, gate.ErrInputStuck,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inTurnstile(t, func(t *testing.T, s *turnstile) {
				// In the middle of the waiting: not known at its end.
				began := s.now()
				done := s.enter()
				time.Sleep(time.Second)
				c.fail(s.board)
				o := <-done
				if name == "is stuck" { // at first that is a passage
					s.want(o, entry.Passed, began, time.Second)
					time.Sleep(11 * time.Second)
				} else {
					s.want(o, entry.PassageUnknown, began, awaited)
				}
				s.wantSensor(c.told.Error())
				// From before: there is nothing to wait for.
				began = s.now()
				s.want(<-s.enter(), entry.PassageUnknown, began, gate.DefaultPulse)

				c.mend(s.board)
				time.Sleep(time.Second)
				s.wantSensor("<nil>")
				began = s.now()
				s.want(<-s.enter(), entry.NotPassed, began, awaited)
			})
		})
	}
}

// A sensor that was blind for a moment may have missed the guest.
func TestSensorThatWasBlindForAMoment(t *testing.T) {
	for name, c := range map[string]struct {
		mode gatetest.Mode
		took time.Duration
	}{
		"failed once": {gatetest.FailNothingMoved, 20 * time.Millisecond}, "failed": {gatetest.FailNothingMoved, 2 * time.Second},
		"hung as long as a contact": {gatetest.Hang, 250 * time.Millisecond}, "hung": {gatetest.Hang, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inTurnstile(t, func(t *testing.T, s *turnstile) {
				began := s.now()
				done := s.enter()
				time.Sleep(time.Second)
				s.board.Fail("north", gatetest.Passage, c.mode, gatetest.Lasting)
				s.board.SetPassing("north", true)
				time.Sleep(c.took)
				s.board.SetPassing("north", false)
				s.board.Clear("north", gatetest.Passage)
				s.want(<-done, entry.PassageUnknown, began, awaited)
				began = s.now()
				s.want(<-s.enter(), entry.NotPassed, began, awaited)
			})
		})
	}
}

// Whoever is in the passage when the time is over is about to go through, also when nobody saw him enter it.
func TestSomebodyInThePassageAtTheEnd(t *testing.T) {
	inTurnstile(t, func(t *testing.T, s *turnstile) {
		s.board.SetPassing("north", true)
		time.Sleep(500 * time.Millisecond)
		began := s.now()
		s.want(<-s.enter(), entry.PassageUnknown, began, awaited)
	})
}

// A contact whose wire is cut and which is usually open tells of nobody, ever: it must not give every pass its use back.
func TestSilentSensorIsNotBelieved(t *testing.T) {
	inTurnstile(t, func(t *testing.T, s *turnstile) {
		for range 3 {
			began := s.now()
			s.want(<-s.enter(), entry.NotPassed, began, awaited)
		}
		time.Sleep(time.Second)
		s.wantSensor(gate.ErrSensorSilent.Error())
		began := s.now()
		s.want(<-s.enter(), entry.PassageUnknown, began, gate.DefaultPulse)
		time.Sleep(time.Second)
		s.walk() // within the time of the last admission: that guest, and the sensor is well after all
		time.Sleep(time.Second)
		s.wantSensor("<nil>")
		s.wantSurprises()
		began = s.now()
		s.want(<-s.enter(), entry.NotPassed, began, awaited)
	})
}

// When the guest's wait is cut short nobody knows whether somebody went through.
func TestEndWhilePassageIsAwaited(t *testing.T) {
	inTurnstile(t, func(t *testing.T, s *turnstile) {
		ctx, cancel := context.WithCancel(t.Context())
		began := s.now()
		done := s.admit(ctx, entrytest.Grant(t, "north"))
		time.Sleep(2 * time.Second)
		cancel()
		s.want(<-done, entry.PassageUnknown, began, 2*time.Second)

		done = s.enter()
		time.Sleep(2 * time.Second)
		s.stop()
		if o := <-done; o.passage != entry.PassageUnknown || o.err != nil {
			t.Errorf("at the end of Run: %+v", o)
		}
	})
	inTurnstile(t, func(t *testing.T, s *turnstile) {
		done := s.admit(t.Context(), signed(t, 3*time.Second))
		time.Sleep(time.Second)
		s.walk()
		s.stop()
		if o := <-done; o.passage != entry.Passed || o.err != nil {
			t.Errorf("stopped after the passage, within the pulse: %+v", o)
		}
	})
}

// A bounce of the contact is no passage, and one passage that bounces is not two.
func TestBouncingContact(t *testing.T) {
	inTurnstile(t, func(t *testing.T, s *turnstile) {
		bounce := func(times int) {
			for i := range times {
				s.board.SetPassing("north", i%2 == 0)
				time.Sleep(3 * time.Millisecond)
			}
			s.board.SetPassing("north", false)
		}
		began := s.now()
		done := s.enter()
		time.Sleep(time.Second)
		bounce(1)
		s.want(<-done, entry.NotPassed, began, awaited)
		done = s.enter()
		time.Sleep(time.Second)
		bounce(2)
		s.walk()
		bounce(2)
		if o := <-done; o.passage != entry.Passed {
			t.Errorf("got %+v", o)
		}
		time.Sleep(time.Second)
		s.wantSurprises()
	})
}

func TestSensorNeedsAPassageTime(t *testing.T) {
	board := gatetest.New(gatetest.Config{})
	for _, d := range []time.Duration{0, gate.MinPassage - 1, gate.MaxPassage + 1} {
		if _, err := gate.New(gate.Config{Lane: "north", Inputs: map[gate.Contact]gate.Input{gate.Passage: board.Input("north", gate.Passage)}, Passage: d}, board.Lines("north")); !errors.Is(err, gate.ErrConfig) {
			t.Errorf("%v: %v", d, err)
		}
	}
}
