// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import "gatehouse/entry"

// ages finds the age of what is in force: that of the newest head that names it so. A newer head that waits for one
// issuer's revocations renews all but them.
type ages struct {
	heads   []verifiedHead // newest first, inForce among them
	inForce *assembly
	root    Document
	place   Place
}

// common is the newest head that names root, trust list and config as they are in force, and no layer beside them.
func (a ages) common() verifiedHead {
	for _, h := range a.heads {
		if a.speaksFor(h) {
			return h
		}
	}
	return a.inForce.verifiedHead
}

func (a ages) speaksFor(h verifiedHead) bool {
	for _, e := range h.head.Documents {
		switch {
		case e.Kind.Issuer() != "" || !a.place.has(e.Scope):
		case e.Kind == KindRoot:
			// One that names an older root speaks for the newer too: the chain went on, and not back.
			if e.Version > a.root.Version() {
				return false
			}
		case !e.names(a.inForce.documents[e.name()]):
			return false
		}
	}
	return true
}

// of is the newest head that names a revocation list as it is in force.
func (a ages) of(list Document) verifiedHead {
	for _, h := range a.heads {
		for _, e := range h.head.Documents {
			if e.names(list) {
				return h
			}
		}
	}
	return a.inForce.verifiedHead
}

// setBands gives the terms the bands of those heads, cut to what the config allows.
func (a ages) setBands(t *entry.Terms) {
	bandsOf := func(h verifiedHead) entry.Bands {
		b := entry.Bands{Signed: h.doc.Issued()}
		b.FreshUntil, b.HardAfter = h.head.Bands()
		return t.Policy.Cap(b)
	}
	common := bandsOf(a.common())
	t.Signed, t.FreshUntil, t.HardAfter = common.Signed, common.FreshUntil, common.HardAfter
	for issuer := range a.inForce.lists {
		list := bandsOf(a.of(a.inForce.documents[name{RevocationsOf(issuer), ScopeAll}]))
		if common.Older(list) == common {
			continue
		}
		if t.Lists == nil {
			t.Lists = map[string]entry.Bands{}
		}
		t.Lists[issuer] = list
	}
}

// needed are the heads to keep, newest first: the newest, the one in force, and each that an age is taken from.
func (a ages) needed() []Document {
	need := map[Digest]bool{a.inForce.doc.Digest(): true, a.common().doc.Digest(): true}
	for issuer := range a.inForce.lists {
		need[a.of(a.inForce.documents[name{RevocationsOf(issuer), ScopeAll}]).doc.Digest()] = true
	}
	var kept []Document
	for i, h := range a.heads {
		if i == 0 || need[h.doc.Digest()] {
			kept = append(kept, h.doc)
		}
	}
	return kept
}
