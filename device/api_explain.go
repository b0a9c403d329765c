// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"gatehouse/device/client"
	"gatehouse/device/condition"
	"gatehouse/entry"
)

// readJSON reads the small body of a question. Its error tells nothing of the body, which may hold a code.
func readJSON(w http.ResponseWriter, r *http.Request, body any) error {
	if json.NewDecoder(http.MaxBytesReader(w, r.Body, 2*client.MaxCode)).Decode(body) != nil {
		return errors.New("device: the question cannot be read; are daemon and tool of one version?")
	}
	return nil
}

// discreet answers a question that holds a code: a panic's text, which the server would log, might hold a piece of it.
func (a *api) discreet(answer func(w http.ResponseWriter, r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				a.kiosk.log.Error("question panicked", "panic", panicText(p))
				reply(w, http.StatusInternalServerError, client.Failure{Error: "device: the question made the kiosk stumble; it works on"})
			}
		}()
		body, err := answer(w, r)
		if err != nil {
			reply(w, http.StatusUnprocessableEntity, client.Failure{Error: err.Error()})
			return
		}
		reply(w, http.StatusOK, body)
	}
}

func (a *api) postExplain(w http.ResponseWriter, r *http.Request) (any, error) {
	var shown client.Shown
	if err := readJSON(w, r, &shown); err != nil {
		return nil, err
	}
	l, err := a.kiosk.lane(shown.Lane)
	if err != nil {
		return nil, err
	}
	if n := len(shown.Codes); n != 1 && n != 2 {
		return nil, fmt.Errorf("device: %d codes; an entry takes one pass or two", n)
	}
	return a.kiosk.explain(l, shown.Codes), nil
}

// lane finds a lane by its name; the only one needs none.
func (k *kiosk) lane(name string) (*lane, error) {
	if name == "" && len(k.lanes) == 1 {
		return k.lanes[0], nil
	}
	var names []string
	for _, l := range k.lanes {
		if l.cfg.Name == name {
			return l, nil
		}
		names = append(names, l.cfg.Name)
	}
	if name == "" {
		return nil, fmt.Errorf("device: name the lane; there are %s", strings.Join(names, ", "))
	}
	return nil, fmt.Errorf("device: there is no lane %s; there are %s", name, strings.Join(names, ", "))
}

// explain is what codes would be answered at a lane now.
func (k *kiosk) explain(l *lane, codes []string) client.Explanation {
	now := k.time.moment()
	out := client.Explanation{Lane: l.cfg.Name, Clock: clockOf(now)}
	limited := false
	at := l.entryLane()
	at.Closed = false // that it is closed is told beside what the pass is worth
	for _, ex := range k.decider.Explain(at, now, codes...) {
		out.Answers = append(out.Answers, answerOf(l, &ex, now))
		limited = limited || len(ex.Uses) > 0
	}
	if !l.serving.Load() {
		out.Obstacles = append(out.Obstacles, "lane "+l.cfg.Name+" answers out_of_order: "+l.health.text("its gate is not in service", condition.Gate))
	}
	if l.out.burns() {
		out.Obstacles = append(out.Obstacles, "lane "+l.cfg.Name+" answers lane_closed: its fire contact is active")
	}
	if by := l.closing.by.Load(); by != nil {
		out.Obstacles = append(out.Obstacles, "lane "+l.cfg.Name+" answers lane_closed: closed "+closedText(by))
	}
	if limited && (k.ledger.lost.Load() || k.ledger.gone.Load()) {
		out.Obstacles = append(out.Obstacles, "passes of limited use are answered out_of_order: "+entry.ErrLedgerLost.Error())
	}
	return out
}

func answerOf(l *lane, ex *entry.Explanation, now entry.Moment) client.Answer {
	a := client.Answer{Outcome: string(ex.Outcome), Reason: string(ex.Reason), Sentence: ex.Reason.Staff(entry.English), Remedy: ex.Reason.Remedy(),
		Rule: ex.Rule, Outage: ex.Outage, AnyHolder: ex.AnyHolder, Pass: shortHash(ex.PassHash), Steps: []client.Step{}}
	for _, s := range ex.Steps {
		a.Steps = append(a.Steps, client.Step{Step: string(s.Code), Held: s.Held, Note: oneLine(s.Note), Inputs: inputs(s.Code, l.cfg.Name, ex, now)})
	}
	return a
}
