// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"slices"
	"time"
)

// Select picks, of documents that came from anywhere, those that Open can take together: roots that follow the ones that
// are known, the newest head under them, and what that head names. All else is left: whoever can put rubbish beside good
// documents must not be able to keep these from being believed. It puts nothing in force, and Open verifies all of it again.
// The result is nil where nothing of it is new.
func Select(known Known, heap []Document, at time.Time) *Bundle {
	o := newOpening(known, at)
	if o.gather(nil) != nil {
		return nil
	}
	s := &selection{opening: o, heap: heap}
	if !s.selectRoots() {
		return nil
	}
	head := s.selectHead()
	if head != nil {
		s.selectNamed(head)
	}
	if len(s.picked) == 0 {
		return nil
	}
	return &Bundle{Documents: s.picked}
}

type selection struct {
	*opening
	heap   []Document
	picked []Document
}

func (s *selection) pick(d Document) {
	if c := s.find(d.name(), d.Digest()); c == nil {
		s.picked = append(s.picked, d)
	}
}

// timely tells what checkTime asks of what is brought.
func (s *selection) timely(d Document) bool {
	return s.checkTime(&candidate{brought: true}, d) == nil
}

// all are the documents of a name, known and on the heap.
func (s *selection) all(n name) (docs []Document) {
	for _, c := range s.pool[n] {
		docs = append(docs, c.copies...)
	}
	for _, d := range s.heap {
		if d.name() == n {
			docs = append(docs, d)
		}
	}
	return docs
}

// selectRoots follows the chain from the pin as far as it goes. At a fork, which only the keys' holders can make, it ends.
func (s *selection) selectRoots() bool {
	roots := s.all(rootName)
	i := slices.IndexFunc(roots, func(d Document) bool {
		a, err := readRoot(d)
		return err == nil && d.Digest() == s.known.Pin && a.verify(d) == nil
	})
	if i < 0 {
		return false
	}
	for d := roots[i]; ; {
		a, err := readRoot(d)
		if err != nil {
			return false
		}
		s.chain = append(s.chain, a)
		s.pick(d)
		var next []Document
		for _, r := range roots {
			if s.succeeds(a, r) && !slices.ContainsFunc(next, func(n Document) bool { return n.Digest() == r.Digest() }) {
				next = append(next, r)
			}
		}
		if len(next) != 1 {
			return true
		}
		d = next[0]
	}
}

func (s *selection) succeeds(a *authority, d Document) bool {
	if d.Version() != a.doc.Version()+1 || !s.timely(d) && s.find(d.name(), d.Digest()) == nil {
		return false
	}
	own, err := readRoot(d)
	return err == nil && own.verify(d) == nil && a.verify(d) == nil
}

// selectHead finds the newest head that the newest root allows.
func (s *selection) selectHead() *Head {
	var newest Document
	var head *Head
	for _, d := range s.all(name{KindHead, Scope(s.known.Place.Venue)}) {
		if head != nil && d.Version() <= newest.Version() || s.root().verify(d) != nil || !s.timely(d) {
			continue
		}
		if h, err := ReadHead(d); err == nil {
			newest, head = d, h
		}
	}
	if head != nil {
		s.pick(newest)
	}
	return head
}

// selectNamed picks what the head names for this place.
func (s *selection) selectNamed(head *Head) {
	for _, e := range head.Documents {
		if e.Kind == KindRoot || !s.known.Place.has(e.Scope) || s.find(e.name(), e.Digest) != nil {
			continue
		}
		for _, d := range s.heap {
			if e.names(d) && s.root().verify(d) == nil {
				s.pick(d)
				break
			}
		}
	}
}
