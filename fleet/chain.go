// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import "fmt"

var rootName = name{KindRoot, ScopeAll}

// root is the newest root.
func (o *opening) root() *authority { return o.chain[len(o.chain)-1] }

// openChain walks from the pinned root to the newest, each signed by its own threshold and by its predecessor's.
func (o *opening) openChain() error {
	if len(o.pool[rootName]) == 0 {
		return fmt.Errorf("%w: import a whole bundle, made with gatehouse-fleet bundle", ErrNoRoot)
	}
	first := o.find(rootName, o.known.Pin)
	if first == nil {
		return fmt.Errorf("%w: the kiosk's config pins %s, and no root that is here has this digest", ErrRootMismatch, o.known.Pin)
	}
	a, err := readRoot(first.copies[0])
	if err != nil {
		return err
	}
	if a.doc, err = first.verified(a); err != nil {
		return err
	}
	for a != nil {
		o.chain = append(o.chain, a)
		if a, err = o.successor(a); err != nil {
			return err
		}
	}
	if err := o.checkLeftRoots(); err != nil {
		return err
	}
	return o.openMarks()
}

// successor finds the root that follows a, or nil. Two that both verify are a fork, which only the holders of the keys
// can make: none of them is followed.
func (o *opening) successor(a *authority) (*authority, error) {
	var next *authority
	for _, c := range o.pool[rootName] {
		d := c.copies[0]
		if d.Version() != a.doc.Version()+1 {
			continue
		}
		own, err := readRoot(d)
		if err != nil {
			return nil, err
		}
		if own.doc, err = c.verified(a, own); err != nil {
			return nil, err
		}
		if err := o.checkTime(c, own.doc); err != nil {
			return nil, err
		}
		if next != nil {
			return nil, fmt.Errorf("%w: %s is %s and %s", ErrConflict, d, next.doc.Digest(), c.digest)
		}
		next = own
	}
	return next, nil
}

// checkLeftRoots refuses roots that the chain did not reach. Those before the pinned one are of no concern.
func (o *opening) checkLeftRoots() error {
	pinned, newest := o.chain[0].doc, o.root().doc
	for _, c := range o.pool[rootName] {
		d := c.copies[0]
		if d.Version() == pinned.Version() && c.digest != o.known.Pin {
			return fmt.Errorf("%w: %s is %s; the kiosk's config pins %s", ErrRootMismatch, d, c.digest, o.known.Pin)
		}
		if d.Version() > newest.Version() {
			return fmt.Errorf("%w: %s is here, version %d is not: import a whole bundle", ErrNoRoot, d, newest.Version()+1)
		}
	}
	return nil
}
