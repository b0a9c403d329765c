// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"cmp"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse/device/client"
	"gatehouse/device/condition"
)

// calm is how long a condition must have been over to be a new one when it comes back: one that comes and goes counts
// from its first coming, so that its delay does not hide it for ever.
const calm = time.Minute

// health holds what is wrong now. Rooms report upward by plain functions; only device knows health.
type health struct {
	clock Clock
	log   *slog.Logger

	mu    sync.Mutex
	known map[place]*state
}

// place is a condition of the kiosk, or of one lane.
type place struct {
	code condition.Code
	lane string
}

// state is how a condition is. Times are CLOCK_BOOTTIME: who sets the wall clock makes nothing last longer.
type state struct {
	wrong  bool
	text   string
	times  int           // how often it came since first
	first  time.Duration // when it came, the first time that it was not calm before
	raised time.Duration // when it came last
	over   time.Duration // when it went last
}

func newHealth(clock Clock, log *slog.Logger) *health {
	return &health{clock: clock, log: log, known: map[place]*state{}}
}

// elapsed is the time of the machine's run. Where the boot's id cannot be read it is told all the same.
func (h *health) elapsed() time.Duration {
	b, _ := h.clock.Boot()
	return b.Elapsed
}

// of is the health of one lane, "" for that of the kiosk.
func (h *health) of(lane string) laneHealth { return laneHealth{h, lane} }

func (h *health) set(c condition.Code, err error) { h.of("").set(c, err) }

// laneHealth is where conditions of one lane are told.
type laneHealth struct {
	*health
	lane string
}

// begin states what is not well yet at the start; it is nothing to warn of.
func (h laneHealth) begin(c condition.Code, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.elapsed()
	h.known[place{c, h.lane}] = &state{wrong: true, text: err.Error(), times: 1, first: now, raised: now}
}

// set raises a condition, changes its text, or lowers it with nil. Only a change is logged, and at once.
func (h laneHealth) set(c condition.Code, err error) {
	at := place{c, h.lane}
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.known[at]
	if s == nil {
		if err == nil {
			return
		}
		s = &state{}
		h.known[at] = s
	}
	now := h.elapsed()
	switch {
	case err == nil && s.wrong:
		s.wrong, s.over = false, now
		h.log.Info("condition over", "condition", at.name(), "code", c, "lasted", (now - s.raised).Round(time.Second))
	case err != nil && (!s.wrong || s.text != err.Error()):
		if !s.wrong {
			s.came(now)
		}
		s.text = err.Error()
		h.log.Warn("condition", "condition", at.name(), "code", c, "error", err)
	}
}

func (s *state) came(now time.Duration) {
	if s.times == 0 || now-s.over >= calm {
		s.first, s.times = now, 0
	}
	s.wrong, s.raised = true, now
	s.times++
}

// text is what is wrong with a part of the lane, or well. It is not delayed.
func (h laneHealth) text(well string, codes ...condition.Code) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range codes {
		if s := h.known[place{c, h.lane}]; s != nil && s.wrong {
			return oneLine(s.text)
		}
	}
	return well
}

// conditions lists what is wrong and has lasted for as long as its row says, by code and lane. One that follows from
// another is within that.
func (h *health) conditions() []client.Condition {
	h.mu.Lock()
	defer h.mu.Unlock()
	now, wall := h.elapsed(), h.clock.Wall()
	shown := map[place]client.Condition{}
	for at, s := range h.known {
		row, _ := condition.Of(at.code)
		if !s.wrong || now-s.first < row.Delay {
			continue
		}
		shown[at] = client.Condition{Code: string(at.code), Name: at.name(), Lane: at.lane, Severity: string(row.Severity),
			Text: oneLine(s.text), Since: wall.Add(s.first - now), Times: s.times}
	}
	under := map[place][]place{} // what follows from a condition; those of the kiosk itself are under place{}
	for at := range shown {
		cause := at.cause(shown)
		under[cause] = append(under[cause], at)
	}
	return gather(shown, under, place{})
}

// cause is the shown condition that this one follows from, or none. A lane's may follow from the kiosk's.
func (p place) cause(shown map[place]client.Condition) place {
	row, _ := condition.Of(p.code)
	for _, c := range row.DependsOn {
		for _, cause := range []place{{c, p.lane}, {c, ""}} {
			if _, ok := shown[cause]; ok {
				return cause
			}
		}
	}
	return place{}
}

func gather(shown map[place]client.Condition, under map[place][]place, cause place) []client.Condition {
	list := make([]client.Condition, 0, len(under[cause]))
	slices.SortFunc(under[cause], func(a, b place) int { return cmp.Or(cmp.Compare(a.code, b.code), cmp.Compare(a.lane, b.lane)) })
	for _, at := range under[cause] {
		c := shown[at]
		if len(under[at]) > 0 {
			c.LeadsTo = gather(shown, under, at)
		}
		list = append(list, c)
	}
	return list
}

// longestText bounds what the status says of a condition, in bytes: a panic's error has a stack, which the log has whole.
const longestText = 600

// oneLine puts the lines of several errors into one, of bounded length.
func oneLine(text string) string {
	text = strings.Join(strings.Split(strings.TrimSpace(text), "\n"), "; ")
	if len(text) > longestText {
		text = strings.ToValidUTF8(text[:longestText], "") + " …"
	}
	return text
}

// name is what the log and the status call it.
func (p place) name() string {
	row, _ := condition.Of(p.code)
	if p.lane == "" {
		return row.Name
	}
	return "lane " + p.lane + " " + row.Name
}
