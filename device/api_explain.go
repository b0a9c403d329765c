// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gatehouse/device/client"
	"gatehouse/device/condition"
	"gatehouse/entry"
	"gatehouse/fleet"
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
	return a.kiosk.explain(l, shown.Code), nil
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

// explain is what a code would be answered at a lane now.
func (k *kiosk) explain(l *lane, code string) client.Explanation {
	now := k.time.moment()
	ex := k.decider.Explain(l.entryLane(), code, now)
	out := client.Explanation{
		Lane: l.cfg.Name, Clock: clockOf(now), Outcome: string(ex.Outcome), Reason: string(ex.Reason),
		Sentence: ex.Reason.Sentence(), Pass: shortHash(ex.PassHash),
	}
	for _, s := range ex.Steps {
		out.Steps = append(out.Steps, client.Step{Step: string(s.Code), Held: s.Held, Note: oneLine(s.Note), Inputs: inputs(s.Code, l.cfg.Name, &ex, now)})
	}
	if !l.serving.Load() {
		out.Obstacles = append(out.Obstacles, "lane "+l.cfg.Name+" answers out_of_order: "+l.health.text("its gate is not in service", condition.Gate))
	}
	if ex.Limit != 0 && (k.ledger.lost.Load() || k.ledger.gone.Load()) {
		out.Obstacles = append(out.Obstacles, "passes of limited use are answered out_of_order: "+entry.ErrLedgerLost.Error())
	}
	return out
}

// inputs are what a step of a decision went by.
func inputs(step entry.StepCode, lane string, ex *entry.Explanation, now entry.Moment) (list []client.Input) {
	add := func(name, value string) {
		if value != "" {
			list = append(list, client.Input{Name: name, Value: value})
		}
	}
	t := ex.Terms
	if t == nil {
		return nil
	}
	documents := func(of func(entry.Version) bool) {
		for _, v := range t.Versions {
			if of(v) {
				add("document", documentText(t, v, now))
			}
		}
	}
	kind := func(k fleet.Kind) func(entry.Version) bool {
		return func(v entry.Version) bool { return fleet.Kind(v.Kind) == k }
	}
	switch step {
	case entry.StepBelief:
		documents(func(v entry.Version) bool {
			return fleet.Kind(v.Kind) == fleet.KindRoot || fleet.Kind(v.Kind) == fleet.KindHead
		})
	case entry.StepVerify:
		add("format", string(ex.Format))
		add("issuer", ex.Issuer)
		add("key", hex.EncodeToString(ex.KeyID))
		add("kind", ex.Kind)
		add("time", utc(now.At)+", clock "+string(now.Clock))
		documents(kind(fleet.KindIssuers))
	case entry.StepRevocation:
		documents(kind(fleet.RevocationsOf(ex.Issuer)))
	case entry.StepFreshness:
		bands := t.Bands(ex.Issuer)
		add("signed", utc(bands.Signed)+", "+age(now.At.Sub(bands.Signed))+" ago")
		add("stale from", utc(bands.FreshUntil))
		add("hard from", utc(bands.HardAfter))
	case entry.StepClock:
		add("clock", string(now.Clock))
	case entry.StepVenue:
		add("venue", t.Venue)
		if t.Policy != nil {
			add("zone", t.Policy.Lanes[lane].Zone)
		}
	case entry.StepRule:
		add("level", ex.Level)
		documents(kind(fleet.KindConfig))
	case entry.StepUses:
		if ex.Limit != 0 {
			add("uses", strconv.FormatUint(uint64(ex.Limit), 10)+" in all")
		}
		for _, u := range ex.Past {
			add("use", fmt.Sprintf("event %d, %s, lane %s, %s", u.Seq, utc(u.At), u.Lane, u.State))
		}
	}
	return list
}

// documentText names a document in force with its version and age.
func documentText(t *entry.Terms, v entry.Version, now entry.Moment) string {
	bands := t.Bands(fleet.Kind(v.Kind).Issuer())
	return fmt.Sprintf("%s of %s, version %d, signed %s, %s ago, %s", v.Kind, v.Scope, v.Version, utc(bands.Signed), age(now.At.Sub(bands.Signed)), bands.Freshness(now))
}

// age is a duration in the two largest of its units.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 0:
		return "-" + age(-d)
	case d >= day:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return d.Truncate(time.Second).String()
}
