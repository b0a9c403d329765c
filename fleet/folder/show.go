// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"gatehouse/fleet"
)

// ShowRoot tells who may sign what in the newest root, by the names of the keys, and whether another waits.
func (f *Folder) ShowRoot() (string, error) {
	r, err := f.roster()
	if err != nil {
		return "", err
	}
	text := r.String(func(label string) bool { return exists(f.keyPath(label)) })
	next, waits, err := f.pending(r.doc)
	if waits {
		text += fmt.Sprintf("root %d, %s, waits in %s: %s\n", next.Version(), next.Digest(), f.nextPath(), fleet.Succeeds(r.doc, next))
	}
	return text, err
}

// ShowRootFile tells who may sign what in a root's file, by the names that this folder has for the keys, and what is another
// in it than in the folder's newest root.
func (f *Folder) ShowRootFile(path string) (string, error) {
	d, err := f.readDocument(path)
	if err != nil {
		return "", err
	}
	next, err := f.rosterOf(d)
	if err != nil {
		return "", err
	}
	newest, err := f.roster()
	if err != nil {
		return "", err
	}
	text := next.String(func(label string) bool { return exists(f.keyPath(label)) })
	for _, change := range next.changes(newest) {
		text += fmt.Sprintf("instead of root %d: %s\n", newest.doc.Version(), change)
	}
	return text, nil
}

// changes are what a root has that another has not, in words.
func (r *roster) changes(than *roster) (changes []string) {
	for _, role := range slices.Sorted(maps.Keys(r.root.Roles)) {
		has, had := r.root.Roles[role], than.root.Roles[role]
		text := func(o *roster, l fleet.Role) string {
			return fmt.Sprintf("%d of %s", l.Threshold, strings.Join(o.names(l.Keys), ", "))
		}
		if !slices.Equal(has.Keys, had.Keys) || has.Threshold != had.Threshold {
			changes = append(changes, fmt.Sprintf("%s takes %s, and took %s", role, text(r, has), text(than, had)))
		}
	}
	_, until := r.root.Valid()
	if _, before := than.root.Valid(); !until.Equal(before) {
		changes = append(changes, fmt.Sprintf("it ends %s, and ended %s", until.Format(time.DateOnly), before.Format(time.DateOnly)))
	}
	return changes
}

// ShowRoot tells who may sign what in a root's file, by the ids of the keys.
func ShowRoot(path string) (string, error) {
	f := &Folder{}
	d, err := f.readDocument(path)
	if err != nil {
		return "", err
	}
	root, err := fleet.ReadRoot(d)
	if err != nil {
		return "", fmt.Errorf("folder: %s: %w", path, err)
	}
	r := &roster{doc: d, root: root}
	return r.String(nil), nil
}

// String is a table for a person. here tells whether a key's private half is in the folder; nil where nobody knows.
func (r *roster) String(here func(label string) bool) string {
	from, until := r.root.Valid()
	var text strings.Builder
	fmt.Fprintf(&text, "root %d, %s\nvalid from %s until %s\nsigned by", r.doc.Version(), r.doc.Digest(), from.Format(time.RFC3339), until.Format(time.RFC3339))
	for _, id := range r.doc.Signers() {
		fmt.Fprintf(&text, " %s", r.label(id))
	}
	fmt.Fprintln(&text)
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ROLE\tTAKES\tKEYS")
	for _, role := range slices.Sorted(maps.Keys(r.root.Roles)) {
		listed := r.root.Roles[role]
		fmt.Fprintf(w, "%s\t%d\t%s\n", role, listed.Threshold, strings.Join(r.names(listed.Keys), " "))
	}
	fmt.Fprintln(w, "\nKEY\tID\tPRIVATE HALF")
	for _, id := range r.ids() {
		where := "-"
		if here != nil {
			where = map[bool]string{true: "here", false: "elsewhere"}[here(r.label(id))]
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.label(id), id, where)
	}
	_ = w.Flush() // a builder never fails
	return text.String()
}
