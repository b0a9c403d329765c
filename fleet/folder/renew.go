// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"gatehouse/fleet"
)

// ErrUnpublished: nothing of a venue was published yet.
var ErrUnpublished = errors.New("folder: nothing was published yet")

// Renewed is what was published for a venue last, under a new head. Nothing that was edited since is in it: a file that
// somebody is in the middle of writing reaches no kiosk. Only which issuers are down is said anew, and a newer root.
//
// A document that another venue has a newer version of by now is named still and not brought: this venue's kiosks have it.
// The bundle is for publishing: it has no blobs, and kiosks ask for those that they lack.
func (f *Folder) Renewed(venue string, at time.Time) (*fleet.Bundle, error) {
	unlock, err := f.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	s, err := f.settings()
	if err != nil {
		return nil, err
	}
	b, root, former, err := f.last(venue, at)
	if err != nil {
		return nil, err
	}
	head, err := fleet.ReadHead(former)
	if err != nil {
		return nil, err
	}
	isRoot := func(e fleet.Entry) bool { return e.Kind == fleet.KindRoot }
	head.Documents = append([]fleet.Entry{fleet.EntryOf(root)}, slices.DeleteFunc(head.Documents, isRoot)...)
	return b, f.crown(b, root, venue, fleet.Head{Documents: head.Documents}, s.online(), at)
}

// Last is what was published for a venue last, as it was signed then: Renewed without a new head.
func (f *Folder) Last(venue string, at time.Time) (*fleet.Bundle, error) {
	unlock, err := f.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	b, _, head, err := f.last(venue, at)
	if err != nil {
		return nil, err
	}
	b.Documents = append(b.Documents, head)
	return b, nil
}

// last is the venue's newest head and, as a bundle, what it names. The folder is locked.
func (f *Folder) last(venue string, at time.Time) (b *fleet.Bundle, root, head fleet.Document, err error) {
	if b, root, err = f.chain(at); err != nil {
		return nil, root, head, err
	}
	head, ok, err := f.published(body{kind: fleet.KindHead, scope: fleet.Scope(venue)})
	if err == nil && !ok {
		err = fmt.Errorf("%w for venue %s; run gatehouse-fleet apply", ErrUnpublished, venue)
	}
	if err != nil {
		return nil, root, head, err
	}
	names, err := fleet.ReadHead(head)
	if err != nil {
		return nil, root, head, err
	}
	for _, e := range names.Documents {
		if e.Kind == fleet.KindRoot {
			continue
		}
		if err := f.bring(b, root, e); err != nil {
			return nil, root, head, err
		}
	}
	return b, root, head, nil
}

// bring adds the document that a head names to a bundle where it is still the newest of its name.
func (f *Folder) bring(b *fleet.Bundle, root fleet.Document, e fleet.Entry) error {
	d, ok, err := f.published(body{kind: e.Kind, scope: e.Scope})
	if err != nil || !ok || fleet.EntryOf(d) != e {
		return err
	}
	if err := fleet.Verify(root, d); err != nil {
		return fmt.Errorf("%w\nThe root has changed since; sign anew what it does not allow: gatehouse-fleet apply", err)
	}
	b.Documents = append(b.Documents, d)
	return nil
}
