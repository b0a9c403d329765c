// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"gatehouse/credential"
	"gatehouse/fleet"
)

// statusList is a status list of an issuer: the ids of the passes that have a place in it, by index.
type statusList struct {
	uri string
	ids []string
}

// minStatusSize is how many entries a list has at least.
const minStatusSize = 1 << 17

// size is how many entries the list is published with: a power of two, and twice as many as are given away, so that passes
// of before the next bundle are in a list that kiosks have already. Unused entries cost nothing on the wire.
func (l *statusList) size() uint64 {
	size := uint64(minStatusSize)
	for size < 2*uint64(len(l.ids)) && size < fleet.MaxStatusEntries {
		size *= 2
	}
	return size
}

// bits are the list as a base has it: as short as the last revoked entry lets it be.
func (l *statusList) bits(revoked map[string]bool) *bitSet {
	b := &bitSet{}
	for i, id := range l.ids {
		if revoked[id] {
			b.flip(uint32(i))
		}
	}
	return b
}

// IssueListed signs passes as Issue does and gives each the next free index of a status list of the issuer, which the first
// pass begins. The indexes are stored before IssueListed returns, so that none is given to two passes.
func (f *Folder) IssueListed(issuer, uri string, c credential.Claims, count int) ([]Issued, error) {
	if !statusURI.MatchString(uri) {
		return nil, fmt.Errorf("%w: status list %q; write a URI of up to 256 characters without spaces, and a short one: it is in every code", ErrName, uri)
	}
	if err := f.checkIssuer(issuer); err != nil {
		return nil, err
	}
	unlock, err := f.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	lists, err := f.readStatus(issuer)
	if err != nil {
		return nil, err
	}
	list := lists.find(uri)
	if list == nil {
		list = &statusList{uri: uri}
		lists = append(lists, list)
	}
	if len(lists) > fleet.MaxStatusLists || len(list.ids)+count > fleet.MaxStatusEntries {
		return nil, fmt.Errorf("%w: status list %q; an issuer has at most %d lists of %d entries", ErrName, uri, fleet.MaxStatusLists, fleet.MaxStatusEntries)
	}
	var passes []Issued
	for range count {
		c.Status = &credential.StatusRef{Index: uint64(len(list.ids)), URI: uri}
		p, err := f.Issue(issuer, c)
		if err != nil {
			return nil, err
		}
		passes = append(passes, p)
		list.ids = append(list.ids, p.ID)
	}
	return passes, WriteFile(f.statusPath(issuer), lists.text(issuer), private)
}

// ListedIDs are the ids of passes by their places in a status list of an issuer: "7", "0-499", or several with commas
// between them. A place that was never given to a pass is an error.
func (f *Folder) ListedIDs(issuer, uri, places string) ([]string, error) {
	if err := f.checkIssuer(issuer); err != nil {
		return nil, err
	}
	lists, err := f.readStatus(issuer)
	if err != nil {
		return nil, err
	}
	list := lists.find(uri)
	if list == nil {
		var known []string
		for _, l := range lists {
			known = append(known, l.uri)
		}
		return nil, fmt.Errorf("%w: status list %q of issuer %s; there are: %s", ErrUnknown, uri, issuer, cmp.Or(strings.Join(known, ", "), "none"))
	}
	var ids []string
	for run := range strings.SplitSeq(places, ",") {
		from, to, ok := readRun(run)
		switch {
		case !ok:
			return nil, fmt.Errorf("%w: places %q; write 7, 0-499 or 3,10-19", ErrName, run)
		case to >= len(list.ids):
			return nil, fmt.Errorf("%w: place %d of the status list %s; its passes have the places 0 to %d", ErrUnknown, to, uri, len(list.ids)-1)
		}
		ids = append(ids, list.ids[from:to+1]...)
	}
	return ids, nil
}

// readRun reads "7" and "0-499".
func readRun(text string) (from, to int, ok bool) {
	first, last, several := strings.Cut(strings.TrimSpace(text), "-")
	if !several {
		last = first
	}
	a, err := strconv.ParseUint(first, 10, 31)
	b, err2 := strconv.ParseUint(last, 10, 31)
	return int(a), int(b), err == nil && err2 == nil && a <= b
}

var (
	statusURI  = regexp.MustCompile(`^[!-~]{1,256}$`)
	statusLine = regexp.MustCompile(`^([0-9]{1,9}) (([0-9a-f]{2}){8,16})$`)
)

type statusLists []*statusList

func (l statusLists) find(uri string) *statusList {
	for _, list := range l {
		if list.uri == uri {
			return list
		}
	}
	return nil
}

func (f *Folder) statusPath(issuer string) string { return f.path("status", issuer+".txt") }

func (l statusLists) text(issuer string) []byte {
	var text bytes.Buffer
	fmt.Fprintf(&text, "# Places in the status lists of issuer %s: index and id of each pass. Never change or take out a line: an index\n# that is given twice revokes two passes.\n", issuer)
	for _, list := range l {
		fmt.Fprintf(&text, "list %s\n", list.uri)
		for i, id := range list.ids {
			fmt.Fprintf(&text, "%d %s\n", i, id)
		}
	}
	return text.Bytes()
}

// readStatus reads an issuer's status lists. What was published and is not there any more is an error: its indexes would
// be given again, and its revoked passes lifted.
func (f *Folder) readStatus(issuer string) (statusLists, error) {
	path := f.statusPath(issuer)
	text, err := readFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var lists statusLists
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if uri, ok := strings.CutPrefix(line, "list "); ok && statusURI.MatchString(uri) && lists.find(uri) == nil {
			lists = append(lists, &statusList{uri: uri})
			continue
		}
		m := statusLine.FindStringSubmatch(line)
		if m == nil || len(lists) == 0 {
			return nil, faultAt(path, n, "not an index and an id")
		}
		list := lists[len(lists)-1]
		if m[1] != strconv.Itoa(len(list.ids)) {
			return nil, faultAt(path, n, "index %s, and %d is the next; lines were lost: restore the file from a copy", m[1], len(list.ids))
		}
		list.ids = append(list.ids, m[2])
	}
	former, err := f.publishedList(issuer)
	if err != nil {
		return nil, err
	}
	for _, l := range former.Lists {
		if now := lists.find(l.URI); now == nil || now.size() < l.Size {
			return nil, faultAt(path, 0, "places of the list %s are lost, which is in force at the kiosks; restore it from a copy", l.URI)
		}
	}
	return lists, nil
}

// bitSet are bits of which the last is 1.
type bitSet struct{ bytes []byte }

func (b *bitSet) has(i uint32) bool {
	return int(i/8) < len(b.bytes) && b.bytes[i/8]>>(i%8)&1 == 1
}

func (b *bitSet) flip(i uint32) {
	for int(i/8) >= len(b.bytes) {
		b.bytes = append(b.bytes, 0)
	}
	b.bytes[i/8] ^= 1 << (i % 8)
}

// differs are the indexes at which two sets differ.
func (b *bitSet) differs(o *bitSet) (indexes []uint32) {
	for i := range uint32(max(len(b.bytes), len(o.bytes)) * 8) {
		if b.has(i) != o.has(i) {
			indexes = append(indexes, i)
		}
	}
	return indexes
}
