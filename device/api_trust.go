// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/entry"
	"gatehouse/fleet"
)

func (a *api) getTrust(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, a.kiosk.believed())
}

// believed are the documents and issuers in force.
func (k *kiosk) believed() client.Trust {
	now := k.time.moment()
	out := client.Trust{Freshness: "none", Clock: clockOf(now), Documents: []client.DocumentAges{}, Issuers: []client.Issuer{}}
	belief, err := k.trust.Belief()
	if err != nil {
		return out
	}
	t := belief.Terms()
	out.Freshness, out.Incomplete = string(t.Freshness(now)), t.Incomplete
	for _, v := range t.Versions {
		out.Documents = append(out.Documents, agesOf(t, v, now))
	}
	roster := k.trust.Roster()
	for _, name := range slices.Sorted(maps.Keys(roster)) {
		i := client.Issuer{Name: name, Keys: []client.Key{}, Down: t.Down[name]}
		for _, key := range roster[name] {
			i.Keys = append(i.Keys, keyOf(key))
		}
		out.Issuers = append(out.Issuers, i)
	}
	return out
}

// downOf are the issuers that are down, by name.
func downOf(t *entry.Terms) (list []client.Outage) {
	for _, issuer := range slices.Sorted(maps.Keys(t.Down)) {
		list = append(list, client.Outage{Issuer: issuer, Since: t.Down[issuer]})
	}
	return list
}

func measuresOf(t *entry.Terms, now entry.Moment) (list []client.Measure) {
	length := func(d entry.Duration) string {
		text, _ := d.MarshalText() // never fails
		return string(text)
	}
	for _, m := range t.Measures(now) {
		list = append(list, client.Measure{Rule: m.Rule.Name, Kind: m.Clause.Kind, Issuers: m.Issuers,
			MaxAge: length(m.Clause.MaxAge), OutageMaxAge: length(m.Clause.OutageMaxAge)})
	}
	return list
}

func agesOf(t *entry.Terms, v entry.Version, now entry.Moment) client.DocumentAges {
	b := t.Bands(fleet.Kind(v.Kind).Issuer())
	return client.DocumentAges{Kind: v.Kind, Scope: v.Scope, Version: v.Version, Signed: b.Signed, FreshUntil: b.FreshUntil,
		HardAfter: b.HardAfter, Freshness: string(b.Freshness(now))}
}

func keyOf(k *credential.Key) client.Key {
	out := client.Key{ID: hex.EncodeToString(k.ID), Algorithm: k.Algorithm.String(), Kinds: k.Kinds, Scopes: k.Scopes,
		NotBefore: k.NotBefore, NotAfter: k.NotAfter}
	for _, f := range k.Formats {
		out.Formats = append(out.Formats, string(f))
	}
	return out
}

func (a *api) postRevoked(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked client.Asked
	if err := readJSON(w, r, &asked); err != nil {
		return nil, err
	}
	return a.kiosk.revoked(asked)
}

// revoked asks the lists in force for one pass. What a code or an id was is in no error.
func (k *kiosk) revoked(asked client.Asked) (*client.Revocation, error) {
	belief, err := k.trust.Belief()
	if err != nil {
		return nil, err
	}
	now := k.time.moment()
	pass, other, err := passOf(belief, asked, now)
	if err != nil {
		return nil, err
	}
	out := &client.Revocation{Now: now.At, Issuer: pass.Issuer, Other: string(other), Documents: []client.DocumentAges{}}
	t := belief.Terms()
	for _, v := range t.Versions {
		if fleet.Kind(v.Kind) == fleet.RevocationsOf(pass.Issuer) {
			out.Documents = append(out.Documents, agesOf(t, v, now))
		}
	}
	state, err := belief.Revoked(pass)
	switch {
	case err != nil:
		return nil, err
	case state == entry.NotRevoked:
		out.State = "not_revoked"
		return out, nil
	case state != entry.Revoked:
		out.State = "unknown"
		return out, nil
	}
	out.State, out.By = "revoked", "status_list"
	byID := *pass
	byID.Status = nil
	if state, err = belief.Revoked(&byID); err == nil && state == entry.Revoked {
		out.By = "id"
	}
	return out, err
}

// passOf is the pass that is asked about, and what else is wrong with it. Its time may be over: a revocation outlasts it.
func passOf(belief entry.Belief, asked client.Asked, now entry.Moment) (*credential.Pass, entry.Reason, error) {
	if asked.Code != "" {
		pass, err := credential.Verify(asked.Code, belief, now.At)
		switch {
		case pass == nil || err != nil && !errors.Is(err, credential.ErrExpired) && !errors.Is(err, credential.ErrNotYetValid):
			return nil, "", fmt.Errorf("device: the code is no pass that this kiosk believes (%s); gatehouse explain tells more", entry.ReasonOf(err))
		case err != nil:
			return pass, entry.ReasonOf(err), nil
		}
		return pass, "", nil
	}
	id, err := hex.DecodeString(asked.ID)
	if err != nil || len(id) < 8 || len(id) > 16 {
		return nil, "", errors.New("device: an id is 16 to 32 hexadecimal digits, the cti of a Gatehouse pass; give any other pass by its code")
	}
	if _, err := belief.Keys(credential.GH1, asked.Issuer, nil); err != nil {
		return nil, "", fmt.Errorf("device: %q is no issuer that this kiosk knows; gatehouse trust lists them", asked.Issuer)
	}
	return &credential.Pass{Format: credential.GH1, Issuer: asked.Issuer, ID: id}, "", nil
}

func (a *api) getLines(w http.ResponseWriter, _ *http.Request) {
	lines, err := a.kiosk.listLines()
	if err != nil {
		reply(w, http.StatusConflict, client.Failure{Error: err.Error()})
		return
	}
	reply(w, http.StatusOK, lines)
}

// listLines lists the chips of the board, with what the local config has their lines for.
func (k *kiosk) listLines() (*client.Lines, error) {
	if k.hw.Chips == nil {
		return nil, errors.New("device: this kiosk's board has no GPIO chips; its lines are simulated")
	}
	chips, err := k.hw.Chips()
	if err != nil {
		return nil, err
	}
	out := &client.Lines{Chips: []client.Chip{}}
	for _, c := range chips {
		chip := client.Chip{Name: c.Name, Label: c.Label, Path: c.Path, Lines: []client.Line{}}
		for _, l := range c.Lines {
			line := client.Line{Number: l.Number, Name: l.Name, Consumer: l.Consumer}
			for _, lane := range k.cfg.Lanes {
				if use := lane.GPIO.Wired(c, len(chips) == 1, l.Name); use != "" {
					line.Wired = lane.Name + " " + use
				}
			}
			chip.Lines = append(chip.Lines, line)
		}
		out.Chips = append(out.Chips, chip)
	}
	return out, nil
}
