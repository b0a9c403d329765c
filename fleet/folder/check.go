// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"errors"
	"fmt"
	"io/fs"

	"gatehouse/entry"
	"gatehouse/yamlfile"
)

// Duration is a length of time that is also written in days: "500ms", "24h", "30d".
type Duration = entry.Duration

// Check tells what is valid in the rules of a venue and probably not meant, each with its file and line: an issuer that
// this fleet does not have.
func (f *Folder) Check(venue string) (warnings []string, err error) {
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
