// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"errors"
	"regexp"

	"gatehouse/yamlfile"
)

// readYAML reads a file strictly into v: an unknown key, a key twice or another type is an error with its line.
func readYAML(path string, v any) ([]byte, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return text, decodeYAML(path, text, v)
}

func decodeYAML(path string, text []byte, v any) error {
	err := yamlfile.Decode(text, v)
	var f *yamlfile.Fault
	if errors.As(err, &f) {
		return &Fault{File: path, Line: f.Line, Err: f.Err}
	}
	return err
}

// place is how entry.Policy.Validate names where a fault is: accept[1] "day ticket": all[0]: …
var place = regexp.MustCompile(`(accept\[\d+\])(?: "[^"]*": (all\[\d+\]))?|lanes\.([a-z0-9-]+)|(time_zone)`)

// policyLine finds the line of a fault that entry.Policy.Validate named.
func policyLine(text []byte, fault error) int {
	m := place.FindStringSubmatch(fault.Error())
	switch {
	case m == nil:
		return 1
	case m[4] != "":
		return yamlfile.Line(text, "$."+m[4])
	case m[3] != "":
		return yamlfile.Line(text, "$.lanes."+m[3])
	case m[2] != "":
		return yamlfile.Line(text, "$."+m[1]+"."+m[2])
	}
	return yamlfile.Line(text, "$."+m[1])
}
