// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"gatehouse/entry"
	"gatehouse/fleet"
	"gatehouse/yamlfile"
)

// Duration is a length of time that is also written in days: "500ms", "24h", "30d".
type Duration = entry.Duration

// Check tells what is valid in the rules of a venue and probably not meant, each with its file and line: an issuer that
// this fleet does not have, or bands in fleet.yaml that kiosks cut short.
func (f *Folder) Check(venue string) (warnings []string, err error) {
	if warnings, err = f.checkBands(venue); err != nil {
		return nil, err
	}
	for _, name := range []string{"all", venue} {
		var p entry.Policy
		path := f.path("venues", name+".yaml")
		text, err := readYAML(path, &p)
		if errors.Is(err, fs.ErrNotExist) && name == "all" {
			continue
		}
		if err != nil {
			return nil, err
		}
		for i, r := range p.Accept {
			for j, c := range r.All {
				for _, issuer := range c.Issuers {
					if exists(f.path("issuers", issuer+".yaml")) {
						continue
					}
					line := yamlfile.Line(text, fmt.Sprintf("$.accept[%d].all[%d].issuers", i, j))
					warnings = append(warnings, fmt.Sprintf("%s:%d: rule %q accepts passes of %s, which is no issuer of this fleet yet; add it with: gatehouse-fleet issuer add %s", path, line, r.Name, issuer, issuer))
				}
			}
		}
	}
	return warnings, nil
}

// checkBands compares what a bundle's head will say with what the venue's rule allows it.
func (f *Folder) checkBands(venue string) ([]string, error) {
	s, err := f.settings()
	if err != nil {
		return nil, err
	}
	layers, err := f.layers(venue)
	if err != nil {
		return nil, err
	}
	var wider []fleet.Layer
	for _, b := range layers {
		if l, ok := b.content.(fleet.Layer); ok && b.scope.Kiosk() == "" {
			wider = append(wider, l)
		}
	}
	p, err := fleet.MergeLayers(wider...)
	if err != nil {
		return nil, err
	}
	said := entry.Bands{Signed: time.Time{}, FreshUntil: time.Time{}.Add(time.Duration(s.Bundle.Fresh)), HardAfter: time.Time{}.Add(time.Duration(s.Bundle.Hard))}
	most := p.Cap(said)
	var warnings []string
	for _, c := range []struct {
		key, cap   string
		said, most time.Time
	}{{"fresh", "max_fresh", said.FreshUntil, most.FreshUntil}, {"hard", "max_hard", said.HardAfter, most.HardAfter}} {
		if c.most.Before(c.said) {
			text := func(at time.Time) string {
				b, _ := entry.Duration(at.Sub(said.Signed)).MarshalText() // never fails
				return string(b)
			}
			warnings = append(warnings, fmt.Sprintf("%s: bundle.%s is %s, and kiosks of %s go by %s; to allow it write %s: %s in %s",
				f.path("fleet.yaml"), c.key, text(c.said), venue, text(c.most), c.cap, text(c.said), f.path("venues", venue+".yaml")))
		}
	}
	return warnings, nil
}
