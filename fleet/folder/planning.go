// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"gatehouse/entry"
	"gatehouse/fleet"
)

// planning is the making of one venue's plan.
type planning struct {
	*Folder
	at     time.Time
	venue  string
	root   fleet.Document
	bodies []body
	head   *fleet.Head
	in     map[string]fleet.Entry // what that head names, by kind and scope
	plan   *VenuePlan
}

func (p *planning) make() (err error) {
	if _, err := p.settings(); err != nil {
		return err
	}
	if p.bodies, err = p.Folder.bodies(p.venue); err != nil {
		return err
	}
	if p.plan.Kiosks, err = p.kiosksOf(p.venue); err != nil {
		return err
	}
	if err := p.readHead(); err != nil {
		return err
	}
	p.entered(body{kind: fleet.KindRoot, scope: fleet.ScopeAll}, p.root.Version(), WhyChanged)
	for _, b := range p.bodies {
		if err := p.document(b); err != nil {
			return err
		}
	}
	if p.plan.Documents == nil {
		p.plan.Documents = []DocumentChange{}
	}
	if err := p.policies(); err != nil {
		return err
	}
	return p.outages()
}

// kiosksOf are the kiosks of a venue that have a folder.
func (f *Folder) kiosksOf(venue string) ([]string, error) {
	dirs, err := readDir(f.path("kiosks", venue))
	names := []string{}
	for _, d := range dirs {
		if (fleet.Place{Venue: venue, Kiosk: d.Name()}).Validate() == nil {
			names = append(names, d.Name())
		}
	}
	return names, err
}

func (p *planning) readHead() error {
	p.in, p.head = map[string]fleet.Entry{}, &fleet.Head{}
	d, ok, err := p.Folder.published(body{kind: fleet.KindHead, scope: fleet.Scope(p.venue)})
	if err != nil || !ok {
		return err
	}
	if p.head, err = fleet.ReadHead(d); err != nil {
		return err
	}
	fresh, hard := p.head.Bands()
	p.plan.Head, p.plan.FreshUntil, p.plan.HardAfter = d.Version(), &fresh, &hard
	for _, e := range p.head.Documents {
		p.in[entryName(e.Kind, e.Scope)] = e
	}
	return nil
}

func entryName(k fleet.Kind, s fleet.Scope) string { return string(k) + "@" + string(s) }

// document compares one document with the head's, and notes what is another in it.
func (p *planning) document(b body) error {
	former, next, why, err := p.due(p.root, b, p.at)
	if err != nil {
		return err
	}
	had, known := p.in[entryName(b.kind, b.scope)]
	version := next.Version()
	if why == "" {
		if version = former.Version(); version == had.Version {
			return nil
		}
		why = WhyIssued
	}
	p.entered(b, version, why)
	if known && had.Version != former.Version() && b.kind != fleet.KindConfig {
		p.plan.Unknown = append(p.plan.Unknown, fmt.Sprintf("%s: version %d is not kept here any more, so what has changed since is not told", entryName(b.kind, b.scope), had.Version))
		return nil
	}
	if !known {
		former = fleet.Document{}
	}
	return p.content(b, former)
}

// entered notes a document whose version is not the head's.
func (p *planning) entered(b body, version uint64, why string) {
	had := p.in[entryName(b.kind, b.scope)]
	if had.Version == version {
		return
	}
	if had.Version == 0 && why != WhyIssued {
		why = WhyNew
	}
	kiosks := p.plan.Kiosks
	if k := b.scope.Kiosk(); k != "" {
		kiosks = []string{k}
	}
	p.plan.Documents = append(p.plan.Documents, DocumentChange{string(b.kind), string(b.scope), had.Version, version, why, kiosks})
}

// content tells what is another in a trust list or in revocations. former is zero where the kiosks have none.
func (p *planning) content(b body, former fleet.Document) (err error) {
	switch content := b.content.(type) {
	case *fleet.Issuers:
		before := &fleet.Issuers{}
		if former.Version() != 0 {
			if before, err = fleet.ReadIssuers(former); err != nil {
				return err
			}
		}
		p.plan.Issuers = issuerWords(before, content)
	case fleet.RevocationList:
		before := &fleet.RevocationList{}
		if former.Version() != 0 && !former.Withdrawn() {
			if before, err = fleet.ReadRevocations(former); err != nil {
				return err
			}
		}
		return p.revoked(b.kind.Issuer(), before)
	}
	return nil
}

// revoked compares the ids of an issuer with a manifest.
func (p *planning) revoked(issuer string, former *fleet.RevocationList) error {
	before := idSet{}
	if former.Base != nil {
		blob, err := p.Blob(former.Base.Digest)
		if err != nil {
			return err
		}
		before = splitIDs(blob)
	}
	overlay := former.Overlay()
	for id := range splitIDs(overlay.Add) {
		before[id] = true
	}
	for id := range splitIDs(overlay.Remove) {
		delete(before, id)
	}
	texts, err := p.readRevoked(issuer)
	if err != nil {
		return err
	}
	change := RevokedChange{Issuer: issuer}
	for _, t := range texts {
		id := fleet.RevocationID(t)
		if !before[id] {
			change.Revoked = append(change.Revoked, t)
		}
		delete(before, id)
	}
	if change.Lifted = len(before); change.Lifted+len(change.Revoked) > 0 {
		p.plan.Revocations = append(p.plan.Revocations, change)
	}
	return nil
}

// policies compares the policy of each kiosk as it puts it together. A change is told once, with
// the kiosks for which it is one.
func (p *planning) policies() error {
	p.plan.Policies = []PolicyChange{}
	var order []string
	forWhom := map[string][]string{}
	kiosks := p.plan.Kiosks
	if len(kiosks) == 0 {
		kiosks = []string{""} // the venue's own layers, for the kiosks to come
	}
	for _, kiosk := range kiosks {
		now, err := p.policyOf(kiosk)
		if err != nil {
			return err
		}
		before, known, err := p.formerPolicy(kiosk)
		if err != nil {
			return err
		}
		if !known {
			p.plan.Unknown = append(p.plan.Unknown, fmt.Sprintf("config of %s: a layer that it has is not kept here any more, so what changes in its rules is not told", fleet.Place{Venue: p.venue, Kiosk: kiosk}))
			continue
		}
		for _, change := range policyWords(before, now) {
			if forWhom[change] == nil {
				order, forWhom[change] = append(order, change), []string{}
			}
			if kiosk != "" {
				forWhom[change] = append(forWhom[change], kiosk)
			}
		}
	}
	for _, change := range order {
		kiosks := forWhom[change]
		same := slices.IndexFunc(p.plan.Policies, func(c PolicyChange) bool { return slices.Equal(c.Kiosks, kiosks) })
		if same < 0 {
			p.plan.Policies, same = append(p.plan.Policies, PolicyChange{Kiosks: kiosks}), len(p.plan.Policies)
		}
		p.plan.Policies[same].Changes = append(p.plan.Policies[same].Changes, change)
	}
	return nil
}

// policyOf is the policy of a kiosk as the folder has it; with "" that of the venue.
func (p *planning) policyOf(kiosk string) (*entry.Policy, error) {
	return mergedFor(fleet.Place{Venue: p.venue, Kiosk: kiosk}, p.bodies)
}

// formerPolicy is the policy that a kiosk was given last. It is not known where a layer was signed anew since, for another
// venue.
func (p *planning) formerPolicy(kiosk string) (_ *entry.Policy, known bool, err error) {
	var layers []fleet.Layer
	for _, scope := range scopesOf(fleet.Place{Venue: p.venue, Kiosk: kiosk}) {
		had, ok := p.in[entryName(fleet.KindConfig, scope)]
		if !ok {
			continue
		}
		d, ok, err := p.Folder.published(body{kind: fleet.KindConfig, scope: scope})
		if err != nil || !ok || d.Version() != had.Version {
			return nil, false, err
		}
		if d.Withdrawn() {
			continue
		}
		layer, err := fleet.ReadLayer(d)
		if err != nil {
			return nil, false, err
		}
		layers = append(layers, layer)
	}
	if len(layers) == 0 {
		return &entry.Policy{}, true, nil
	}
	policy, err := fleet.MergeLayers(layers...)
	return policy, err == nil, err
}

// outages compares who is down with what the last head says.
func (p *planning) outages() error {
	now, err := p.down(p.at)
	if err != nil {
		return err
	}
	for _, issuer := range slices.Sorted(maps.Keys(now)) {
		if p.head.Down[issuer] != now[issuer] {
			p.plan.Down = append(p.plan.Down, Outage{issuer, time.Unix(int64(now[issuer]), 0).UTC()})
		}
	}
	for _, issuer := range slices.Sorted(maps.Keys(p.head.Down)) {
		if _, still := now[issuer]; !still {
			p.plan.Up = append(p.plan.Up, issuer)
		}
	}
	return nil
}
