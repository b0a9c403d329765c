// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxYAML bounds a file that a person writes.
const maxYAML = 1 << 20

// readYAML reads a file strictly into v: an unknown key, a key twice or another type is an error with its line.
func readYAML(path string, v any) ([]byte, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return text, decodeYAML(path, text, v)
}

func decodeYAML(path string, text []byte, v any) error {
	if len(text) > maxYAML {
		return fmt.Errorf("%w: %s is larger than %d bytes", ErrConfig, path, maxYAML)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return fmt.Errorf("%w: %s:1: the file is empty", ErrConfig, path)
	}
	err := yaml.UnmarshalWithOptions(text, v, yaml.Strict())
	if err == nil {
		return nil
	}
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil {
		return fmt.Errorf("%w: %s:%d: %s", ErrConfig, path, at.GetToken().Position.Line, at.GetMessage())
	}
	return fmt.Errorf("%w: %s:%d: %w", ErrConfig, path, quotedLine(text, err), err)
}

// quotedLine finds the line of the value that an error quotes: the decoder gives no place to the errors of types that
// read themselves from text.
func quotedLine(text []byte, fault error) int {
	q := quoted{fault: fault.Error(), line: 1}
	if file, err := parser.ParseBytes(text, 0); err == nil {
		for _, doc := range file.Docs {
			ast.Walk(&q, doc)
		}
	}
	return q.line
}

type quoted struct {
	fault string
	line  int
	found bool
}

// Visit implements ast.Visitor.
func (q *quoted) Visit(n ast.Node) ast.Visitor {
	if s, ok := n.(*ast.StringNode); ok && !q.found && strings.Contains(q.fault, strconv.Quote(s.Value)) {
		q.line, q.found = s.GetToken().Position.Line, true
	}
	return q
}

// pathLine finds the line of a YAML path ("$.accept[1].all[0]"), or of its nearest parent that is there.
func pathLine(text []byte, path string) int {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return 1
	}
	for len(path) > 1 {
		if p, err := yaml.PathString(path); err == nil {
			if n, err := p.FilterFile(file); err == nil && n != nil && n.GetToken() != nil {
				return n.GetToken().Position.Line
			}
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 1)]
	}
	return 1
}

// place is how entry.Policy.Validate names where a fault is: accept[1] "day ticket": all[0]: …
var place = regexp.MustCompile(`(accept\[\d+\])(?: "[^"]*": (all\[\d+\]))?|lanes\.([a-z0-9-]+)`)

// policyLine finds the line of a fault that entry.Policy.Validate named.
func policyLine(text []byte, fault error) int {
	m := place.FindStringSubmatch(fault.Error())
	switch {
	case m == nil:
		return 1
	case m[3] != "":
		return pathLine(text, "$.lanes."+m[3])
	case m[2] != "":
		return pathLine(text, "$."+m[1]+"."+m[2])
	}
	return pathLine(text, "$."+m[1])
}
