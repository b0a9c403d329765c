// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"cmp"
	"fmt"
	"slices"
)

// marks are the highest versions that were believed, by name.
type marks map[name]Mark

func marksOf(list []Mark) marks {
	m := marks{}
	for _, mark := range list {
		m[name{mark.Kind, mark.Scope}] = mark
	}
	return m
}

// check refuses what is older than what was believed, and the same version with other content.
func (ms marks) check(what fmt.Stringer, n name, version uint64, digest Digest) error {
	m, ok := ms[n]
	switch {
	case !ok || version > m.Version:
		return nil
	case version < m.Version:
		return fmt.Errorf("%w: %s; version %d was in force here", ErrOlder, what, m.Version)
	case m.Digest != Digest{} && m.Digest != digest:
		return fmt.Errorf("%w: %s is %s and was %s here", ErrConflict, what, digest, m.Digest)
	}
	return nil
}

// under checks the chain against the root that was believed when the marks were made, and lets go of the marks of each
// role whose keys were replaced since. Otherwise a thief who signed version 2^62 with a stolen key would have locked
// the kiosk for ever. It is safe because no document that the former keys signed can be brought back: too few of them
// count any more.
func (ms marks) under(chain []*authority) error {
	m, ok := ms[rootName]
	if !ok {
		return nil
	}
	newest := chain[len(chain)-1]
	if newest.doc.Version() < m.Version {
		return fmt.Errorf("%w: %s; version %d was in force here", ErrOlder, newest.doc, m.Version)
	}
	var former []*authority
	for _, r := range chain {
		if r.doc.Version() == m.Version {
			if err := ms.check(r.doc, rootName, m.Version, r.doc.Digest()); err != nil {
				return err
			}
		}
		if r.doc.Version() <= m.Version {
			former = append(former, r)
		}
	}
	for n := range ms {
		if n != rootName && len(former) > 0 && !newest.shares(former, n.kind.Role()) {
			delete(ms, n)
		}
	}
	return nil
}

// join takes the higher of each mark. Marks of one version that name different documents tell of two pasts, and neither
// is believed over the other.
func (ms marks) join(other marks) error {
	for n, m := range other {
		mine, ok := ms[n]
		switch {
		case !ok || m.Version > mine.Version || m.Version == mine.Version && mine.Digest == (Digest{}):
			ms[n] = m
		case m.Version == mine.Version && m.Digest != mine.Digest && m.Digest != (Digest{}):
			return fmt.Errorf("%w: version %d of %s was %s and %s here", ErrConflict, m.Version, n, mine.Digest, m.Digest)
		}
	}
	return nil
}

// openMarks settles what binds this Open. The floor's marks may be older than the stored ones, by more than one root:
// each set is judged under the root of its own time.
func (o *opening) openMarks() error {
	o.marks = marksOf(o.known.Marks)
	floor := marksOf(o.known.Floor)
	for _, ms := range []marks{o.marks, floor} {
		bound := ms.hasHead()
		if err := ms.under(o.chain); err != nil {
			return err
		}
		if bound && !ms.hasHead() {
			o.headRoot = o.root().doc.Version()
		}
	}
	return o.marks.join(floor)
}

// hasHead tells whether a head binds, of this venue or of one where the kiosk was before: one role signs them all.
func (ms marks) hasHead() bool {
	for n := range ms {
		if n.kind == KindHead {
			return true
		}
	}
	return false
}

// elsewhere are the marks of other places, in order. A kiosk that is moved, and later moved back, has not been there
// before otherwise.
func (ms marks) elsewhere(p Place) (list []Mark) {
	for n, m := range ms {
		if !p.has(n.scope) {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(x, y Mark) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Scope, y.Scope))
	})
	return list
}

// everMarked tells of each name that was in force here once, whoever signs for it now.
func (o *opening) everMarked() []Mark { return slices.Concat(o.known.Marks, o.known.Floor) }
