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
