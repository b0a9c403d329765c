// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"gatehouse/fleet"
)

// roster is the newest root with the names of its keys.
type roster struct {
	doc    fleet.Document
	root   *fleet.Root
	labels map[fleet.KeyID]string
}

// label is the name of a key, or its id where nobody knows the name.
func (r *roster) label(id fleet.KeyID) string {
	if l, ok := r.labels[id]; ok {
		return l
	}
	return id.String()
}

func (r *roster) names(ids []fleet.KeyID) []string {
	var names []string
	for _, id := range ids {
		names = append(names, r.label(id))
	}
	return names
}

// ids are the ids of all its keys.
func (r *roster) ids() []fleet.KeyID {
	var ids []fleet.KeyID
	for _, k := range r.root.Keys {
		if id, err := fleet.KeyIDOf(k.Public); err == nil { // a root that was read has good keys
			ids = append(ids, id)
		}
	}
	return ids
}

// roster reads the newest root of the folder.
func (f *Folder) roster() (*roster, error) {
	roots, err := f.roots()
	if err != nil {
		return nil, err
	}
	return f.rosterOf(roots[len(roots)-1])
}

func (f *Folder) rosterOf(doc fleet.Document) (*roster, error) {
	root, err := fleet.ReadRoot(doc)
	if err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	labels, err := f.labels()
	return &roster{doc: doc, root: root, labels: labels}, err
}

// labels are the names of all keys that have a file here. A folder from before public halves were kept is read by its
// private ones.
func (f *Folder) labels() (map[fleet.KeyID]string, error) {
	labels := map[fleet.KeyID]string{}
	note := func(label string, public ed25519.PublicKey) error {
		id, err := fleet.KeyIDOf(public)
		labels[id] = label
		return err
	}
	for _, label := range f.files("root", ".pub") {
		text, err := readFile(f.publicPath(label))
		if err != nil {
			return nil, err
		}
		public, err := readPublic(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.publicPath(label), err)
		}
		if err := note(label, public); err != nil {
			return nil, err
		}
	}
	for _, label := range f.files("keys", ".pem") {
		if strings.HasPrefix(label, issuerKeyName("")) || exists(f.publicPath(label)) {
			continue
		}
		k, err := f.signingKey(label)
		if err != nil {
			return nil, err
		}
		labels[k.ID()] = label
	}
	return labels, nil
}

// files are the names in a part of the folder that have this extension, without it.
func (f *Folder) files(part, extension string) []string {
	entries, err := os.ReadDir(f.path(part))
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), extension); ok && !strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
	}
	return names
}

// here returns those of the keys whose private halves are in the folder, at most so many.
func (f *Folder) here(r *roster, ids []fleet.KeyID, most uint) ([]fleet.SigningKey, error) {
	var keys []fleet.SigningKey
	for _, id := range ids {
		label, ok := r.labels[id]
		if uint(len(keys)) == most {
			break
		}
		if !ok || !exists(f.keyPath(label)) {
			continue
		}
		k, err := f.signingKey(label)
		if err != nil {
			return nil, err
		}
		if k.ID() != id {
			return nil, fmt.Errorf("folder: %s is not the key that the root has under this name; bring that one back", f.keyPath(label))
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// SigningKeys are the keys that sign for a role under the newest root: as many as it takes, of those whose files are here.
func (f *Folder) SigningKeys(role string) ([]fleet.SigningKey, error) {
	r, err := f.roster()
	if err != nil {
		return nil, err
	}
	listed, ok := r.root.Roles[role]
	if !ok {
		return nil, fmt.Errorf("folder: the root has no role %q; add it with: gatehouse-fleet root rotate --replace %s", role, role)
	}
	keys, err := f.here(r, listed.Keys, listed.Threshold)
	if err != nil {
		return nil, err
	}
	if uint(len(keys)) < listed.Threshold {
		return nil, fmt.Errorf("folder: the role %q takes %d keys of %v, and of these %s has %d; bring the missing ones back", role, listed.Threshold, r.names(listed.Keys), f.path("keys"), len(keys))
	}
	return keys, nil
}

var numbered = regexp.MustCompile(`-[0-9]+$`)

// resolve finds the keys of the root that a person means: by role where it has a key of its own, by name with or without
// the number of the root that brought it, or by id.
func (r *roster) resolve(what string) (id fleet.KeyID, ok bool) {
	for _, id := range r.ids() {
		label := r.label(id)
		if label == what || numbered.ReplaceAllString(label, "") == what || id.String() == what {
			return id, true
		}
	}
	if listed := r.root.Roles[what]; slices.Contains(online[:], what) && len(listed.Keys) == 1 {
		return listed.Keys[0], true
	}
	return id, false
}

// makeRoot makes the fleet's keys and its first root.
func (f *Folder) makeRoot(at time.Time) error {
	body := fleet.Root{
		NotBefore: uint64(at.AddDate(0, 0, -1).Unix()), // kiosks and operators may disagree by some hours
		NotAfter:  validUntil(at),
		Roles:     map[string]fleet.Role{},
	}
	ids := map[string]fleet.KeyID{}
	for _, label := range slices.Concat(offline[:], online[:]) {
		public, err := f.makeKey(label)
		if err != nil {
			return err
		}
		if ids[label], err = fleet.KeyIDOf(public); err != nil {
			return err
		}
		body.Keys = append(body.Keys, fleet.RootKey{Public: public})
	}
	for role, threshold := range thresholds {
		labels := offline[:]
		if slices.Contains(online[:], role) {
			labels = []string{role}
		}
		listed := fleet.Role{Threshold: threshold}
		for _, label := range labels {
			listed.Keys = append(listed.Keys, ids[label])
		}
		body.Roles[role] = listed
	}
	var keys []fleet.SigningKey
	for _, label := range offline[:thresholds["root"]] {
		k, err := f.signingKey(label)
		if err != nil {
			return err
		}
		keys = append(keys, k)
	}
	root, err := fleet.Sign(fleet.KindRoot, fleet.ScopeAll, 1, at, body, keys...)
	if err != nil {
		return err
	}
	return writeNew(f.path("root", "1"), root.Bytes(), readable)
}

// validUntil is the end of a root that is made now.
func validUntil(at time.Time) uint64 { return uint64(at.AddDate(10, 0, 0).Unix()) }

// pending is the root that waits for signatures. One that is in force already was left by a crash.
func (f *Folder) pending(newest fleet.Document) (d fleet.Document, ok bool, err error) {
	d, err = f.readDocument(f.nextPath())
	if errors.Is(err, fs.ErrNotExist) {
		return d, false, nil
	}
	return d, err == nil && d.Version() > newest.Version(), err
}

func (f *Folder) nextPath() string { return f.path("root", "next") }
