// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"gatehouse/entry"
	"gatehouse/fleet"
)

// Replay is what the folder's policy makes of a kiosk's record. Its JSON form is stable: fields may be added.
type Replay struct {
	Venue      string    `json:"venue"`
	Kiosk      string    `json:"kiosk,omitempty"`
	Events     int       `json:"events"`     // that were read
	Admissions int       `json:"admissions"` // that the rules had made
	Refusals   int       `json:"refusals"`   // that the rules or the uses had made
	LeftOut    int       `json:"left_out"`   // decisions that ask neither: by hand, on the way out, a bad signature, …
	From       time.Time `json:"from"`       // of the first decision
	Until      time.Time `json:"until"`      // and the last
	// Believed: from some event on it is known by which of the signed configs the kiosk decided.
	Believed bool      `json:"believed"`
	Refused  []Another `json:"refused"`  // admissions that the policy would refuse
	Admitted []Another `json:"admitted"` // refusals that it would not
	Unknown  []Another `json:"unknown"`  // that cannot be told
}

// Another is a decision that would be another one, or may be.
type Another struct {
	Number  uint64    `json:"number"`
	At      time.Time `json:"at"`
	Lane    string    `json:"lane,omitempty"`
	Kind    string    `json:"pass_kind,omitempty"`
	Issuer  string    `json:"issuer,omitempty"`
	Pass    string    `json:"pass,omitempty"` // its short hash
	Was     string    `json:"was"`            // the recorded reason
	WasRule string    `json:"was_rule,omitempty"`
	Now     string    `json:"now,omitempty"` // the reason that it would have; none where it cannot be told
	Rule    string    `json:"rule,omitempty"`
	Missing []string  `json:"missing,omitempty"` // the facts that the record does not keep: level, age, holder, uses, pass
}

// Facts that Replay misses beside those of entry.
const (
	factUses = "uses" // the pass's own limit
	factPass = "pass" // none was read
)

// recordedEvent is what of a line of gatehouse events --json is needed.
type recordedEvent struct {
	Number    uint64    `json:"number"`
	At        time.Time `json:"at"`
	Clock     string    `json:"clock"`
	Kind      string    `json:"kind"`
	Lane      string    `json:"lane"`
	Outcome   string    `json:"outcome"`
	Reason    string    `json:"reason"`
	Pass      string    `json:"pass"`
	Issuer    string    `json:"issuer"`
	PassKind  string    `json:"pass_kind"`
	Level     string    `json:"level"`
	Rule      string    `json:"rule"`
	Steps     []string  `json:"steps"`
	Passage   string    `json:"passage"`
	Of        uint64    `json:"of"`
	Note      string    `json:"note"`
	Outage    bool      `json:"outage"`
	AnyHolder bool      `json:"any_holder"`
}

const maxEvents = 1 << 20 // in one replay

// Replay reads a kiosk's record as gatehouse events --json prints it, oldest first, and asks the folder's policy of that
// kiosk, or of the venue where kiosk is "", what it would have said of each entry. Keys, revocations and the age of data are
// taken as they were. What a decision needs and the record does not keep is not guessed: such decisions are Unknown.
func (f *Folder) Replay(p fleet.Place, events io.Reader) (*Replay, error) {
	list, err := readEvents(events)
	if err != nil {
		return nil, err
	}
	if err := f.checkVenue(p.Venue); err != nil {
		return nil, err
	}
	if p.Kiosk != "" && !exists(f.path("kiosks", p.Venue, p.Kiosk)) {
		return nil, fmt.Errorf("%w: kiosk %s; it has no folder in %s", ErrUnknown, p, f.path("kiosks", p.Venue))
	}
	bodies, err := f.layers(p.Venue)
	if err != nil {
		return nil, err
	}
	policy, err := mergedFor(p, bodies)
	if err != nil {
		return nil, err
	}
	r := &replaying{
		Replay:   &Replay{Venue: p.Venue, Kiosk: p.Kiosk, Refused: []Another{}, Admitted: []Another{}, Unknown: []Another{}},
		byNumber: map[uint64]*recordedEvent{}, completed: map[uint64]bool{}, returned: map[uint64]bool{}, used: map[string]uint{}, believes: map[string]string{},
	}
	if r.terms, err = termsOf(policy); err != nil {
		return nil, err
	}
	if r.former, r.signed, err = f.issued(p); err != nil {
		return nil, err
	}
	if r.former != nil {
		r.changed = r.without()
	}
	for _, ev := range list {
		r.byNumber[ev.Number] = ev
		if ev.Of != 0 && ev.Outcome == string(entry.Admit) {
			r.completed[ev.Of] = true
		}
	}
	for _, ev := range list {
		r.event(ev)
	}
	return r.Replay, nil
}

// termsOf are terms by which the age of data is never asked.
func termsOf(p *entry.Policy) (*entry.Terms, error) {
	zone, err := p.Zone()
	never := time.Unix(1<<40, 0)
	return &entry.Terms{Policy: p, Zone: zone, FreshUntil: never, HardAfter: never}, err
}

// issued is the policy that was signed last for a kiosk, and the versions of its layers by scope; nil where none was.
func (f *Folder) issued(p fleet.Place) (*entry.Policy, map[string]string, error) {
	signed := map[string]string{}
	var layers []fleet.Layer
	for _, scope := range scopesOf(p) {
		d, ok, err := f.published(body{kind: fleet.KindConfig, scope: scope})
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			continue
		}
		signed[string(scope)] = fmt.Sprint(d.Version())
		if d.Withdrawn() {
			continue
		}
		layer, err := fleet.ReadLayer(d)
		if err != nil {
			return nil, nil, err
		}
		layers = append(layers, layer)
	}
	if len(layers) == 0 {
		return nil, nil, nil
	}
	policy, err := fleet.MergeLayers(layers...)
	return policy, signed, err
}

// readEvents reads one JSON object a line. Numbers must rise: a record that is read backwards would give uses back before
// they are taken.
func readEvents(in io.Reader) (list []*recordedEvent, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		ev := &recordedEvent{}
		if err := json.Unmarshal(lines.Bytes(), ev); err != nil || ev.Kind == "" {
			return nil, fmt.Errorf("%w: line %d is no event; give what this printed: gatehouse events --count 0 --json", ErrEvents, n)
		}
		switch {
		case len(list) > 0 && ev.Number <= list[len(list)-1].Number:
			return nil, fmt.Errorf("%w: line %d: event %d comes after event %d; give one kiosk's record, oldest first", ErrEvents, n, ev.Number, list[len(list)-1].Number)
		case len(list) == maxEvents:
			return nil, fmt.Errorf("%w: more than %d events; give a part of them with --since", ErrEvents, maxEvents)
		}
		list = append(list, ev)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEvents, err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: there is none; give what this prints: gatehouse events --count 0 --json", ErrEvents)
	}
	return list, nil
}
