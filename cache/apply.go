// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"gatehouse/fleet"
)

// Apply verifies a bundle against what is known and puts it in force, in one transaction. Apply and Offer are the only
// writers of trust. What is large, the bases of revocation lists, they build before that, beside what is in force and in
// small steps, so that lanes work on. It returns what is in force now and was not before; a bundle that says nothing new
// is not written. at is the time that the kiosk believes, zero while it trusts no clock.
//
// On any error what was in force stays. The errors are those of fleet.Open, ErrFull, and those of a file.
func (t *Trust) Apply(ctx context.Context, b *fleet.Bundle, at time.Time) (changed []string, err error) {
	return t.change(ctx, at, func(fleet.Known) *fleet.Bundle { return b })
}

// Offer puts in force what belongs together of documents of any origin, and tells what the newest head still waits for.
// Documents that fit nothing are no error: they may only have come too early. The rest is as with Apply.
func (t *Trust) Offer(ctx context.Context, heap []fleet.Document, blobs [][]byte, at time.Time) (missing fleet.Missing, changed []string, err error) {
	changed, err = t.change(ctx, at, func(known fleet.Known) *fleet.Bundle {
		b := fleet.Select(known, heap, at)
		if b == nil && (len(blobs) == 0 || len(known.Documents) == 0) {
			return nil
		}
		if b == nil {
			b = &fleet.Bundle{}
		}
		b.Blobs = blobs
		return b
	})
	var incomplete *fleet.IncompleteError
	if errors.As(err, &incomplete) {
		return incomplete.Missing, nil, nil
	}
	if b := t.current.Load(); b != nil {
		missing = b.missing
	}
	return missing, changed, err
}

// change applies the bundle that is chosen once it is certain what is known; nil is none.
func (t *Trust) change(ctx context.Context, at time.Time, choose func(fleet.Known) *fleet.Bundle) (changed []string, err error) {
	<-t.checked
	t.apply.Lock()
	defer t.apply.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("cache: the bundle was not applied: %w", err)
	}
	known, err := t.known(func(_ blobKind, _ *bbolt.Tx, name []byte) bool { return t.stored[string(name)] })
	if err != nil {
		return nil, err
	}
	b := choose(known)
	if b == nil {
		return nil, nil
	}
	u, err := fleet.Open(known, b, at)
	if err != nil {
		return nil, err
	}
	if !u.Usable() {
		return nil, ErrNoBelief
	}
	if nothingNew(known, u) {
		return nil, nil
	}
	if err := t.build(ctx, u.Revocations()); err != nil {
		return nil, err
	}
	next, err := t.putInForce(u)
	if err != nil {
		return nil, err
	}
	// A floor that could not be written since must still learn of a replaced key from a later belief.
	next.believed.HeadRoot = max(next.believed.HeadRoot, t.Believed().HeadRoot)
	t.current.Store(next)
	t.floor = nil // the store's own marks are as high from here on
	return u.Changed(), nil
}

// Root is the newest root in force, nil before the first bundle.
func (t *Trust) Root() *fleet.Root {
	if b := t.current.Load(); b != nil {
		return b.root
	}
	return nil
}
