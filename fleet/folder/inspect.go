// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"gatehouse/fleet"
)

// allLayer is the name of the fleet's own layer among those of the venues.
const allLayer = "all"

// inspection is a look at the whole folder.
type inspection struct {
	*Folder
	at     time.Time
	faults []*Fault
}

// Inspect looks at every file of a folder as bundle will read it, at a time, and finds all faults and warnings, in the order
// of files and lines. It changes nothing, and needs neither the offline keys nor a whole folder: what cannot be read is a
// fault of its own.
func Inspect(dir string, at time.Time) []*Fault {
	i := &inspection{Folder: &Folder{dir: dir}, at: at}
	if !i.fleet() {
		return i.faults
	}
	i.root()
	i.keys()
	i.issuers()
	i.revoked()
	i.outages()
	i.venues()
	i.kiosks()
	i.certificates()
	i.published()
	sortFaults(i.faults)
	return i.faults
}

func (i *inspection) note(path string, err error) {
	if err != nil {
		i.faults = append(i.faults, faultOf(path, err))
	}
}

func (i *inspection) warn(path, format string, args ...any) {
	i.faults = append(i.faults, &Fault{File: path, Warning: true, Err: fmt.Errorf(format, args...)})
}

func (i *inspection) fleet() (there bool) {
	path := i.path("fleet.yaml")
	if !exists(path) {
		i.note(path, fmt.Errorf("it is missing, so this is no fleet's folder; make one with: gatehouse-fleet init %s", i.dir))
		return false
	}
	_, err := i.settings()
	i.note(path, err)
	return true
}

// soon is how long before its end a root is told of.
const soon = 180 * 24 * time.Hour

func (i *inspection) root() {
	roots, err := i.roots()
	if err != nil {
		i.note(i.path("root"), fmt.Errorf("%w; restore the folder from a copy", err))
		return
	}
	for n, d := range roots {
		path := i.path("root", fmt.Sprint(n+1))
		if n > 0 {
			i.note(path, fleet.Succeeds(roots[n-1], d))
		} else {
			i.note(path, fleet.Verify(d, d))
		}
	}
	newest := roots[len(roots)-1]
	path := i.path("root", fmt.Sprint(len(roots)))
	if err := checkClock(newest, i.at); err != nil {
		i.note(path, err)
	} else if r, err := fleet.ReadRoot(newest); err == nil {
		if _, until := r.Valid(); until.Sub(i.at) < soon {
			i.warn(path, "the root ends %s; make the next with: gatehouse-fleet root rotate --renew", until.Format(time.DateOnly))
		}
	}
	next, waits, err := i.pending(newest)
	i.note(i.nextPath(), err)
	if waits {
		i.warn(i.nextPath(), "root %d waits for signatures; finish it with gatehouse-fleet root accept, or give it up: remove this file", next.Version())
	}
}

func (i *inspection) keys() {
	for _, name := range i.files("keys", ".pem") {
		_, err := i.readKey(name)
		i.note(i.keyPath(name), err)
	}
}

func (i *inspection) issuers() {
	list := &fleet.Issuers{}
	for _, name := range i.named("issuers") {
		issuer, faults := i.readIssuer(name)
		i.faults = append(i.faults, faults...)
		if len(faults) == 0 {
			list.Issuers = append(list.Issuers, issuer)
		}
	}
	if _, err := list.Credentials(); err != nil {
		i.note(i.path("issuers"), err)
	}
}

// named are the names in a part of the folder whose files count. A file that would be passed over without a word is told:
// who has written a rule into arena.yml believes that it is in force.
func (i *inspection) named(part string) (names []string) {
	for _, e := range i.entries(part) {
		path := i.path(part, e.Name())
		name, isYAML := strings.CutSuffix(e.Name(), ".yaml")
		switch {
		case e.IsDir() || strings.HasPrefix(e.Name(), ".") || strings.HasSuffix(e.Name(), ".key"):
		case !isYAML:
			i.warn(path, "it is passed over; give the file the extension .yaml")
		case !fleet.ValidName(name) && name != allLayer || name == allLayer && part != "venues":
			i.warn(path, "it is passed over: %q is no name; use 1 to 32 of a-z, 0-9 and -", name)
		default:
			names = append(names, name)
		}
	}
	return names
}

func (i *inspection) entries(parts ...string) []fs.DirEntry {
	entries, err := readDir(i.path(parts...))
	i.note(i.path(parts...), err)
	return entries
}

func (i *inspection) revoked() {
	for _, e := range i.entries("revoked") {
		path := i.path("revoked", e.Name())
		issuer, ok := strings.CutSuffix(e.Name(), ".txt")
		if !ok || !exists(i.path("issuers", issuer+".yaml")) {
			i.warn(path, "it is passed over: it has the name of no issuer; there are: %s", i.Folder.names("issuers"))
			continue
		}
		text, err := readFile(path)
		i.note(path, err)
		_, faults := ParseIDs(path, text)
		i.faults = append(i.faults, faults...)
	}
	names, err := i.list("issuers")
	i.note(i.path("issuers"), err)
	for _, issuer := range names {
		if !exists(i.revokedPath(issuer)) {
			_, err := i.readRevoked(issuer)
			i.note(i.revokedPath(issuer), err)
		}
		_, err = i.readStatus(issuer)
		i.note(i.statusPath(issuer), err)
	}
}

func (i *inspection) outages() {
	for _, e := range i.entries("down") {
		path := i.path("down", e.Name())
		if !exists(i.path("issuers", e.Name()+".yaml")) {
			i.warn(path, "it is passed over: %s is no issuer of this fleet; remove this file", e.Name())
			continue
		}
		_, err := i.readDown(e.Name(), i.at)
		i.note(path, err)
	}
}

func (i *inspection) venues() {
	for _, name := range i.named("venues") {
		path := i.path("venues", name+".yaml")
		if name != allLayer {
			_, err := readPrivate(i.path("venues", name+".key"))
			i.note(i.path("venues", name+".key"), err)
		}
		if _, faults := readLayer(path); len(faults) > 0 {
			i.faults = append(i.faults, faults...)
			continue
		}
		if name == allLayer {
			continue
		}
		// What is wrong with a narrower layer, or a wider one, is told where that one is read.
		if warnings, err := i.Warnings(name); err == nil {
			i.faults = append(i.faults, warnings...)
		} else if _, err := i.together(name, ""); err != nil {
			i.note(path, err)
		}
	}
	i.faults = distinct(i.faults)
}

// together merges the layers of a venue, and those of one of its kiosks.
func (i *inspection) together(venue, kiosk string) (string, error) {
	paths := []string{i.path("venues", allLayer+".yaml"), i.path("venues", venue+".yaml")}
	if kiosk != "" {
		paths = append(paths, i.path("kiosks", venue, kiosk, "policy.yaml"))
	}
	var bodies []body
	for _, p := range paths {
		layer, faults := readLayer(p)
		if len(faults) == 0 {
			bodies = append(bodies, body{content: layer})
		} else if !errors.Is(faults[0], fs.ErrNotExist) {
			return p, nil // told already
		}
	}
	last := paths[len(paths)-1]
	return last, checkMerged(last, bodies)
}

// distinct leaves out what was told before: the fleet's own layer is one file of every venue.
func distinct(faults []*Fault) (rest []*Fault) {
	seen := map[string]bool{}
	for _, f := range faults {
		if text := f.Error(); !seen[text] {
			seen[text] = true
			rest = append(rest, f)
		}
	}
	return rest
}

func (i *inspection) kiosks() {
	for _, v := range i.entries("kiosks") {
		path := i.path("kiosks", v.Name())
		if !exists(i.path("venues", v.Name()+".yaml")) {
			i.warn(path, "it is passed over: %s is no venue of this fleet; there are: %s", v.Name(), i.Folder.names("venues"))
			continue
		}
		for _, k := range i.entries("kiosks", v.Name()) {
			p := fleet.Place{Venue: v.Name(), Kiosk: k.Name()}
			if err := p.Validate(); err != nil {
				i.warn(filepath.Join(path, k.Name()), "it is passed over: %v", err)
				continue
			}
			i.kiosk(p)
		}
	}
}

func (i *inspection) kiosk(p fleet.Place) {
	if last, err := i.together(p.Venue, p.Kiosk); err != nil {
		i.note(last, err)
	}
	if path := i.path("kiosks", p.Venue, p.Kiosk, "policy.yaml"); exists(path) {
		_, faults := readLayer(path)
		i.faults = append(i.faults, faults...)
	}
	i.local(p)
	path := i.path("kiosks", p.Venue, p.Kiosk, "venue.key")
	secret, err := readPrivate(path)
	i.note(path, err)
	if venue, err2 := readPrivate(i.path("venues", p.Venue+".key")); err == nil && err2 == nil && !bytes.Equal(secret, venue) {
		i.note(path, fmt.Errorf("it is not the venue's secret: the kiosk would know no pass that another has seen; copy %s to it", i.path("venues", p.Venue+".key")))
	}
}

// local looks at what a kiosk's own config says of the fleet. How it is wired is for gatehouse doctor to say, on the kiosk.
func (i *inspection) local(p fleet.Place) {
	path := i.path("kiosks", p.Venue, p.Kiosk, "gatehouse.yaml")
	text, err := readFile(path)
	if err != nil {
		i.note(path, fmt.Errorf("%w; remove the folder, and make it with: gatehouse-fleet kiosk add %s", err, p))
		return
	}
	var said struct{ Venue, Kiosk, Root string }
	if err := yaml.Unmarshal(text, &said); err != nil {
		i.note(path, decodeYAML(path, text, &map[string]any{}))
		return
	}
	want := func(key, have, want string) {
		if have != want {
			i.note(path, faultAt(path, lineOf(text, "$.%s", key), "%s is %q; write %s", key, have, want))
		}
	}
	want("venue", said.Venue, p.Venue)
	want("kiosk", said.Kiosk, p.Kiosk)
	if pin, err := i.Pin(); err == nil {
		want("root", said.Root, pin.String())
	}
}

func (i *inspection) published() {
	for _, e := range i.entries("published") {
		path := i.path("published", e.Name())
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if _, err := i.readDocument(path); err != nil {
			i.note(path, fmt.Errorf("%w; restore it from a copy: it holds a version that kiosks have seen", err))
		}
	}
}
