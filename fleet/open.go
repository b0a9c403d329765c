// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"errors"
	"fmt"
	"time"
)

// maxAhead is how far a signed time may be ahead of a clock that is synced.
const maxAhead = 24 * time.Hour

// Open verifies a bundle against what is known and returns the state of belief that follows. It is the only way to an
// Update. Any failure refuses the whole bundle; the error wraps one of the sentinels, and what was known stays true.
//
// The bundle may be whole or any part: what it does not bring is taken from known. With a nil bundle, Open verifies what
// was stored. The head in force is the newest whose documents are all here; a newer head that is not complete
// yet is kept, and Terms.Incomplete says what it waits for; it renews the freshness of those documents in force that it
// names, and of no other.
//
// at is the kiosk's clock and only serves to refuse what was signed more than a day ahead of it. Pass the zero time while
// the clock is not trusted: a kiosk without a clock must be able to import.
func Open(known Known, b *Bundle, at time.Time) (*Update, error) {
	if err := known.Place.Validate(); err != nil {
		return nil, err
	}
	o := newOpening(known, at)
	if err := o.gather(b); err != nil {
		return nil, err
	}
	if err := o.openChain(); err != nil {
		return nil, err
	}
	heads, err := o.openHeads()
	if err != nil {
		return nil, err
	}
	newest, err := o.assemble(heads[0])
	if err != nil {
		return nil, err
	}
	if err := o.checkBrought(newest); err != nil {
		return nil, err
	}
	inForce, err := o.fallBack(newest, heads)
	if err != nil {
		return nil, err
	}
	return o.update(newest, inForce, heads)
}

// opening is the state of one Open.
type opening struct {
	known   Known
	at      time.Time
	pool    map[name][]*candidate
	blobs   map[Digest][]byte // brought; made when one is wanted first
	held    map[Digest]bool   // stored already
	brought [][]byte
	marks   marks // that bind; a replaced role's are gone
	// others are documents of other kiosks of this venue: they travel in its bundle and are not kept.
	others []Document
	chain  []*authority // from the pinned root to the newest
	// headRoot is the newest root where it has replaced the keys of the heads that are known, else 0.
	headRoot uint64
}

// candidate is one payload with the envelopes that brought it.
type candidate struct {
	digest  Digest
	copies  []Document
	brought bool // by the bundle, not only known
}

func newOpening(known Known, at time.Time) *opening {
	o := &opening{
		known: known, at: at,
		pool: map[name][]*candidate{}, held: map[Digest]bool{},
	}
	for _, d := range known.Blobs {
		o.held[d] = true
	}
	return o
}

// gather sorts what is known and brought by name and digest. Nothing in it is believed yet.
func (o *opening) gather(b *Bundle) error {
	for _, d := range o.known.Documents {
		if !o.known.Place.has(d.Scope()) {
			return fmt.Errorf("%w: stored: %s; this kiosk is %s", ErrScope, d, o.known.Place)
		}
		o.add(d, false)
	}
	if b == nil {
		return nil
	}
	for _, d := range b.Documents {
		switch {
		case len(d.payload) == 0:
			return fmt.Errorf("%w: the bundle has an empty document", ErrMalformed)
		case o.known.Place.has(d.Scope()):
			o.add(d, true)
		case d.Scope().Venue() == o.known.Place.Venue:
			o.others = append(o.others, d)
		default:
			return fmt.Errorf("%w: %s; this kiosk is %s: import the bundle that was made with --venue %s", ErrScope, d, o.known.Place, o.known.Place.Venue)
		}
	}
	o.brought = b.Blobs
	return nil
}

// blob looks for a blob among those that were brought. They are hashed when the first is wanted: a bundle that says nothing
// new, as at each start, costs none of that.
func (o *opening) blob(d Digest) (blob []byte, ok bool) {
	if o.blobs == nil {
		o.blobs = map[Digest][]byte{}
		for _, b := range o.brought {
			o.blobs[DigestOf(b)] = b
		}
	}
	blob, ok = o.blobs[d]
	return blob, ok
}

func (o *opening) add(d Document, brought bool) {
	c := o.find(d.name(), d.Digest())
	if c == nil {
		c = &candidate{digest: d.Digest()}
		o.pool[d.name()] = append(o.pool[d.name()], c)
	}
	c.copies = append(c.copies, d)
	c.brought = c.brought || brought
}

func (o *opening) find(n name, digest Digest) *candidate {
	for _, c := range o.pool[n] {
		if c.digest == digest {
			return c
		}
	}
	return nil
}

// verified returns the first copy that all these roots allow: a copy without its signatures cannot spoil a whole one.
func (c *candidate) verified(roots ...*authority) (Document, error) {
	var first error
	for _, d := range c.copies {
		var errs []error
		for _, a := range roots {
			errs = append(errs, a.verify(d))
		}
		err := errors.Join(errs...)
		if err == nil {
			return d, nil
		}
		if first == nil {
			first = err
		}
	}
	return Document{}, first
}

// believe verifies a candidate under the newest root.
func (o *opening) believe(c *candidate) (Document, error) {
	d, err := c.verified(o.root())
	if err != nil {
		return Document{}, err
	}
	return d, o.checkTime(c, d)
}

// checkTime asks only of what is brought: what is stored must not be lost to a clock that went back.
func (o *opening) checkTime(c *candidate, d Document) error {
	if c.brought && !o.at.IsZero() && d.Issued().After(o.at.Add(maxAhead)) {
		return fmt.Errorf("%w: %s was signed at %s, and it is %s here", ErrTime, d, d.Issued().Format(time.RFC3339), o.at.UTC().Format(time.RFC3339))
	}
	return nil
}
