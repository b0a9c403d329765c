// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"errors"
	"io/fs"
	"regexp"
	"slices"
	"time"

	"gatehouse/entry"
	"gatehouse/fleet"
)

// Duration is a length of time that is also written in days: "500ms", "24h", "30d".
type Duration = entry.Duration

// Warnings tell what is valid in the rules of a venue and probably not meant: an issuer that this fleet does not have, a
// kind of pass that it may not sign, or bands in fleet.yaml that kiosks cut short.
func (f *Folder) Warnings(venue string) (warnings []*Fault, err error) {
	if warnings, err = f.checkBands(venue); err != nil {
		return nil, err
	}
	for _, name := range []string{allLayer, venue} {
		path := f.path("venues", name+".yaml")
		var p entry.Policy
		text, err := readYAML(path, &p)
		if errors.Is(err, fs.ErrNotExist) && name == allLayer {
			continue
		}
		if err != nil {
			return nil, err
		}
		warnings = append(warnings, f.checkIssuers(path, text, &p)...)
	}
	return warnings, nil
}

// checkIssuers asks of each clause whether its issuers are there and may sign what it wants.
func (f *Folder) checkIssuers(path string, text []byte, p *entry.Policy) (warnings []*Fault) {
	for i, r := range p.Accept {
		for j, c := range r.All {
			warn := func(format string, args ...any) {
				w := faultAt(path, lineOf(text, "$.accept[%d].all[%d].issuers", i, j), "rule %q accepts "+format, append([]any{r.Name}, args...)...)
				w.Warning = true
				warnings = append(warnings, w)
			}
			for _, name := range c.Issuers {
				if !exists(f.path("issuers", name+".yaml")) {
					warn("passes of %s, which is no issuer of this fleet yet; add it with: gatehouse-fleet issuer add %s", name, name)
				} else if issuer, faults := f.readIssuer(name); len(faults) == 0 && !maySign(issuer, c.Kind) {
					warn("passes of kind %s of %s, and no key of it may sign that kind: they are all refused; look at kinds in %s", c.Kind, name, f.path("issuers", name+".yaml"))
				}
			}
		}
	}
	return warnings
}

func maySign(i fleet.Issuer, kind string) bool {
	kinds := kindsOf(i)
	return len(kinds) == 0 || slices.Contains(kinds, kind)
}

// checkBands compares what a bundle's head will say with what the venue's rule allows it.
func (f *Folder) checkBands(venue string) ([]*Fault, error) {
	s, err := f.settings()
	if err != nil {
		return nil, err
	}
	layers, err := f.layers(venue)
	if err != nil {
		return nil, err
	}
	wider := slices.DeleteFunc(layers, func(b body) bool { return b.scope.Kiosk() != "" })
	p, err := fleet.MergeLayers(layersOf(wider)...)
	if err != nil {
		return nil, err
	}
	said := entry.Bands{Signed: time.Time{}, FreshUntil: time.Time{}.Add(time.Duration(s.Bundle.Fresh)), HardAfter: time.Time{}.Add(time.Duration(s.Bundle.Hard))}
	most := p.Cap(said)
	text, err := readFile(f.path("fleet.yaml"))
	if err != nil {
		return nil, err
	}
	var warnings []*Fault
	for _, c := range []struct {
		key, cap   string
		said, most time.Time
	}{{"fresh", "max_fresh", said.FreshUntil, most.FreshUntil}, {"hard", "max_hard", said.HardAfter, most.HardAfter}} {
		if c.most.Before(c.said) {
			days := func(at time.Time) string { return durationText(entry.Duration(at.Sub(said.Signed))) }
			w := faultAt(f.path("fleet.yaml"), lineOf(text, "$.bundle.%s", c.key), "bundle.%s is %s, and kiosks of %s go by %s; to allow it write %s: %s in %s",
				c.key, days(c.said), venue, days(c.most), c.cap, days(c.said), f.path("venues", venue+".yaml"))
			w.Warning = true
			warnings = append(warnings, w)
		}
	}
	return warnings, nil
}

// durationText writes a length of time as a person does: 7d, 12h, 90s.
func durationText(d entry.Duration) string {
	b, _ := d.MarshalText() // never fails
	return shortened.ReplaceAllString(string(b), "$1")
}

// shortened finds the zeros that time.Duration writes behind a whole number: 12h0m0s, 20m0s.
var shortened = regexp.MustCompile(`^([0-9hm]*[1-9][0-9]*[hm])(?:0m)?0s$`)
