// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gatehouse/fleet"
)

// Plan is what the next bundles bring that the last ones did not. Its JSON form is stable: fields may be added.
type Plan struct {
	Venues []VenuePlan `json:"venues"`
	// Keys are the roles that have something to sign.
	Keys []KeyNeed `json:"keys,omitempty"`
}

// VenuePlan is what the next bundle of a venue brings.
type VenuePlan struct {
	Venue  string   `json:"venue"`
	Kiosks []string `json:"kiosks"`         // that have a folder here
	Head   uint64   `json:"head,omitempty"` // sequence of the head that was signed last; 0 where none was
	// FreshUntil and HardAfter are the bands of that head.
	FreshUntil  *time.Time       `json:"fresh_until,omitempty"`
	HardAfter   *time.Time       `json:"hard_after,omitempty"`
	Documents   []DocumentChange `json:"documents"`
	Policies    []PolicyChange   `json:"policies"`
	Issuers     []string         `json:"issuers,omitempty"` // what is another in the trust list, in words
	Revocations []RevokedChange  `json:"revocations,omitempty"`
	Down        []Outage         `json:"down,omitempty"` // that the last head did not tell, or otherwise
	Up          []string         `json:"up,omitempty"`   // issuers that it called down
	Unknown     []string         `json:"unknown,omitempty"`
}

// DocumentChange is a document that the kiosks do not have.
type DocumentChange struct {
	Kind   string   `json:"kind"`
	Scope  string   `json:"scope"`
	From   uint64   `json:"from"` // version; 0 where there was none
	To     uint64   `json:"to"`
	Why    string   `json:"why"`    // new, changed, withdrawn, ahead or signatures; issued where it was signed for another venue already
	Kiosks []string `json:"kiosks"` // for which of them
}

// PolicyChange is what is another for some kiosks in who is admitted, and how, in words.
type PolicyChange struct {
	Kiosks  []string `json:"kiosks"`
	Changes []string `json:"changes"`
}

// RevokedChange is what is another in an issuer's revocations.
type RevokedChange struct {
	Issuer  string   `json:"issuer"`
	Revoked []string `json:"revoked,omitempty"` // ids
	Lifted  int      `json:"lifted,omitempty"`  // how many are not revoked any more; of them only hashes are kept
}

// Outage is an issuer whose servers are out of reach.
type Outage struct {
	Issuer string    `json:"issuer"`
	Since  time.Time `json:"since"`
}

// KeyNeed is a role that signs, and how many of its keys are in the folder.
type KeyNeed struct {
	Role  string   `json:"role"`
	Takes uint     `json:"takes"`
	Here  int      `json:"here"`
	Of    []string `json:"of"`
}

// Same tells whether the next bundle of the venue brings nothing but a new head.
func (v *VenuePlan) Same() bool {
	return len(v.Documents)+len(v.Down)+len(v.Up) == 0
}

// Missing tells which keys have to be brought, in words; "" where enough are here.
func (k *KeyNeed) Missing() string {
	if uint(k.Here) >= k.Takes {
		return ""
	}
	return fmt.Sprintf("%s takes %d of %s, and %d of them is in keys/", k.Role, k.Takes, strings.Join(k.Of, ", "), k.Here)
}

// Plan compares the folder, at a time, with what was signed last for each of the venues, or for all of them where none is
// named. It signs nothing and changes nothing. A folder with a fault has no plan; Inspect tells all of them.
func (f *Folder) Plan(at time.Time, venues ...string) (*Plan, error) {
	if len(venues) == 0 {
		names, err := f.list("venues")
		if err != nil {
			return nil, err
		}
		venues = names
	}
	roots, err := f.roots()
	if err != nil {
		return nil, err
	}
	plan := &Plan{Venues: []VenuePlan{}}
	roles := map[string]bool{}
	for _, venue := range venues {
		if err := f.checkVenue(venue); err != nil {
			return nil, err
		}
		p := &planning{Folder: f, at: at, venue: venue, root: roots[len(roots)-1], plan: &VenuePlan{Venue: venue}}
		if err := p.make(); err != nil {
			return nil, err
		}
		for _, d := range p.plan.Documents {
			if kind := fleet.Kind(d.Kind); kind != fleet.KindRoot && d.Why != WhyIssued {
				roles[kind.Role()] = true
			}
		}
		roles[fleet.KindHead.Role()] = true
		plan.Venues = append(plan.Venues, *p.plan)
	}
	plan.Keys, err = f.needs(slices.Sorted(maps.Keys(roles)))
	return plan, err
}

func (f *Folder) needs(roles []string) (needs []KeyNeed, err error) {
	r, err := f.roster()
	if err != nil {
		return nil, err
	}
	for _, role := range roles {
		listed := r.root.Roles[role]
		keys, err := f.here(r, listed.Keys, uint(len(listed.Keys)))
		if err != nil {
			return nil, err
		}
		needs = append(needs, KeyNeed{Role: role, Takes: listed.Threshold, Here: len(keys), Of: r.names(listed.Keys)})
	}
	return needs, nil
}
