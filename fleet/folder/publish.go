// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/fleet"
)

// Bundle signs what has changed, one version up, and a new head for the venue, and returns everything that the venue's
// kiosks need. The whole of it is checked before anything is signed. Documents that did not change are
// not signed again; the head always is, and its sequence always goes up.
//
// What is signed is stored in published/ before Bundle returns, so that no version is ever given twice.
func (f *Folder) Bundle(venue string, at time.Time) (*fleet.Bundle, error) {
	return f.bundle(venue, at, func(s *settings) bands { return s.Bundle.bands() })
}

// Online is Bundle with a head for kiosks that hear a new one every few minutes: fresh for as long as fleet.yaml says under
// online.
func (f *Folder) Online(venue string, at time.Time) (*fleet.Bundle, error) {
	return f.bundle(venue, at, (*settings).online)
}

func (f *Folder) bundle(venue string, at time.Time, age func(*settings) bands) (*fleet.Bundle, error) {
	if err := f.checkVenue(venue); err != nil {
		return nil, err
	}
	unlock, err := f.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	s, err := f.settings()
	if err != nil {
		return nil, err
	}
	bodies, err := f.bodies(venue)
	if err != nil {
		return nil, err
	}
	b, root, err := f.chain(at)
	if err != nil {
		return nil, err
	}
	head := fleet.Head{Documents: []fleet.Entry{fleet.EntryOf(root)}}
	for _, body := range bodies {
		d, err := f.publish(root, body, at)
		if err != nil {
			return nil, err
		}
		b.Documents = append(b.Documents, d)
		head.Documents = append(head.Documents, fleet.EntryOf(d))
		b.Blobs = append(b.Blobs, body.blobs...)
	}
	return b, f.crown(b, root, venue, head, age(s), at)
}

// chain begins a bundle with the roots, and returns the newest.
func (f *Folder) chain(at time.Time) (b *fleet.Bundle, root fleet.Document, err error) {
	roots, err := f.roots()
	if err != nil {
		return nil, root, err
	}
	root = roots[len(roots)-1]
	return &fleet.Bundle{Documents: roots}, root, checkClock(root, at)
}

// crown signs a bundle's head, with the times until which it counts and which issuers are down.
func (f *Folder) crown(b *fleet.Bundle, root fleet.Document, venue string, head fleet.Head, age bands, at time.Time) (err error) {
	if head.Down, err = f.down(at); err != nil {
		return err
	}
	head.FreshUntil = uint64(at.Add(time.Duration(age.Fresh)).Unix())
	head.HardAfter = uint64(at.Add(time.Duration(age.Hard)).Unix())
	head.Spread = uint64(time.Duration(age.Spread).Seconds())
	h, err := f.publish(root, body{kind: fleet.KindHead, scope: fleet.Scope(venue), content: head}, at)
	b.Documents = append(b.Documents, h)
	return err
}

// checkClock tells an operator whose clock is wrong, or whose root has ended, before anything bears that time.
func checkClock(root fleet.Document, at time.Time) error {
	r, err := fleet.ReadRoot(root)
	if err != nil {
		return err
	}
	from, until := r.Valid()
	if at.Before(from) || at.After(until) {
		return fmt.Errorf("folder: it is %s on this machine, and the root is valid from %s until %s: no kiosk would take this bundle; set the clock, or run gatehouse-fleet root rotate --renew",
			at.UTC().Format(time.RFC3339), from.Format(time.RFC3339), until.Format(time.RFC3339))
	}
	return nil
}

// body is a document before it is signed.
type body struct {
	kind    fleet.Kind
	scope   fleet.Scope
	content any
	blobs   [][]byte // of a revocation list's bases
}

// bodies gathers what the fleet has to say to a venue. Nothing that was ever said is left out: a kiosk takes a missing
// document for a withheld one. What is no more has a tombstone.
func (f *Folder) bodies(venue string) ([]body, error) {
	issuers, err := f.readIssuers()
	if err != nil {
		return nil, err
	}
	bodies := []body{{kind: fleet.KindIssuers, scope: fleet.ScopeAll, content: issuers}}
	layers, err := f.layers(venue)
	if err != nil {
		return nil, err
	}
	bodies = append(bodies, layers...)
	listed := map[string]bool{}
	for _, i := range issuers.Issuers {
		listed[i.Name] = true
	}
	former, err := f.publishedNames("revocations+", "@all")
	if err != nil {
		return nil, err
	}
	for _, name := range former {
		if !listed[name] {
			bodies = append(bodies, body{kind: fleet.RevocationsOf(name), scope: fleet.ScopeAll, content: fleet.Tombstone{}})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(listed)) {
		b, err := f.revocations(name)
		if err != nil {
			return nil, err
		}
		bodies = append(bodies, b)
	}
	return bodies, nil
}

func (f *Folder) readIssuers() (*fleet.Issuers, error) {
	names, err := f.list("issuers")
	if err != nil {
		return nil, err
	}
	list := &fleet.Issuers{Issuers: []fleet.Issuer{}}
	for _, name := range names {
		i, faults := f.readIssuer(name)
		if len(faults) > 0 {
			return nil, faults[0]
		}
		list.Issuers = append(list.Issuers, i)
	}
	_, err = list.Credentials()
	return list, err
}

// roots is the whole chain, which always travels together.
func (f *Folder) roots() ([]fleet.Document, error) {
	var roots []fleet.Document
	for v := 1; ; v++ {
		d, err := f.readDocument(f.path("root", strconv.Itoa(v)))
		if v > 1 && errors.Is(err, fs.ErrNotExist) {
			return roots, nil
		}
		if err != nil {
			return nil, err
		}
		roots = append(roots, d)
	}
}

func (f *Folder) readDocument(path string) (fleet.Document, error) {
	raw, err := readFile(path)
	if err != nil {
		return fleet.Document{}, err
	}
	d, err := fleet.ParseDocument(raw)
	if err != nil {
		return fleet.Document{}, fmt.Errorf("folder: %s: %w", path, err)
	}
	return d, nil
}

func (f *Folder) publishedPath(b body) string {
	return f.path("published", strings.ReplaceAll(string(b.kind)+"@"+string(b.scope), "/", "+"))
}

// published is the newest document of a kind and scope; not ok where there is none.
func (f *Folder) published(b body) (d fleet.Document, ok bool, err error) {
	d, err = f.readDocument(f.publishedPath(b))
	if errors.Is(err, fs.ErrNotExist) {
		return d, false, nil
	}
	if err == nil && (d.Kind() != b.kind || d.Scope() != b.scope) {
		err = fmt.Errorf("folder: %s is %s; published/ was changed by hand: restore it from a copy", f.publishedPath(b), d)
	}
	return d, err == nil, err
}

// maxAhead is how far a signed time may be ahead of a kiosk's clock.
const maxAhead = 24 * time.Hour

// publish returns the published document if it says this already, else signs and stores the next version. One that was
// signed while the clock was far ahead is signed anew: kiosks would refuse it until its time has come. So is one that
// bears too few signatures of keys that the newest root allows.
func (f *Folder) publish(root fleet.Document, b body, at time.Time) (fleet.Document, error) {
	former, d, why, err := f.due(root, b, at)
	if err != nil || why == "" {
		return former, err
	}
	keys, err := f.SigningKeys(b.kind.Role())
	if err != nil {
		return fleet.Document{}, err
	}
	if d, err = d.Cosign(keys...); err != nil {
		return fleet.Document{}, err
	}
	for _, blob := range b.blobs { // first: the document names them
		if path := f.blobPath(fleet.DigestOf(blob)); !exists(path) {
			if err := WriteFile(path, blob, readable); err != nil {
				return fleet.Document{}, err
			}
		}
	}
	return d, WriteFile(f.publishedPath(b), d.Bytes(), readable)
}

// Why a document is signed.
const (
	WhyNew        = "new"
	WhyChanged    = "changed"
	WhyWithdrawn  = "withdrawn"  // a tombstone takes its place
	WhyAhead      = "ahead"      // the former was signed by a clock that was far ahead, and kiosks refuse it
	WhyIssued     = "issued"     // it was, already, with the bundle of another venue
	WhySignatures = "signatures" // the newest root does not allow enough of its keys
)

// due gives the published document, the next one without a signature, and why that one is to be signed; "" where the
// published one serves. It is unsigned: as long as nothing changes, the offline keys can stay where they are.
func (f *Folder) due(root fleet.Document, b body, at time.Time) (former, next fleet.Document, why string, err error) {
	former, ok, err := f.published(b)
	if err != nil {
		return former, next, "", err
	}
	if next, err = fleet.Sign(b.kind, b.scope, former.Version()+1, at, b.content); err != nil {
		return former, next, "", err
	}
	same := ok && b.kind != fleet.KindHead && bytes.Equal(former.Body(), next.Body())
	switch {
	case !ok:
		why = WhyNew
	case !same && next.Withdrawn():
		why = WhyWithdrawn
	case !same:
		why = WhyChanged
	case former.Issued().After(at.Add(maxAhead)):
		why = WhyAhead
	case fleet.Verify(root, former) != nil:
		why = WhySignatures
	}
	return former, next, why, nil
}

// publishedNames are the names between prefix and suffix in the file names of published/: whatever has one was published.
func (f *Folder) publishedNames(prefix, suffix string) ([]string, error) {
	entries, err := readDir(f.path("published"))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if rest, ok := strings.CutPrefix(e.Name(), prefix); ok {
			if name, ok := strings.CutSuffix(rest, suffix); ok && fleet.ValidName(name) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}
