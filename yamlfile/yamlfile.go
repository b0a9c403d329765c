// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package yamlfile reads YAML that a person wrote: strictly, and every fault with its line. It knows no file system and
// nothing of what the text means.
package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// MaxSize bounds a text, in bytes.
const MaxSize = 1 << 20

// Fault is what is wrong with a text, and where.
type Fault struct {
	Line int // from 1
	Err  error
}

// Error gives "LINE: what is wrong", to be put behind the file's name and a colon.
func (f *Fault) Error() string { return fmt.Sprintf("%d: %v", f.Line, f.Err) }

// Unwrap gives what is wrong.
func (f *Fault) Unwrap() error { return f.Err }

// Decode reads text into v. An unknown key, a key twice or a value of another type is a *Fault, as is an empty text.
func Decode(text []byte, v any) error {
	if len(text) > MaxSize {
		return &Fault{1, fmt.Errorf("the file is larger than %d bytes", MaxSize)}
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return &Fault{1, errors.New("the file is empty")}
	}
	if f := moreDocuments(text); f != nil {
		return f
	}
	err := yaml.UnmarshalWithOptions(text, v, yaml.Strict())
	if err == nil {
		return nil
	}
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil {
		return &Fault{at.GetToken().Position.Line, errors.New(at.GetMessage())}
	}
	return &Fault{quotedLine(text, err), err}
}

// moreDocuments is the fault of a text that goes on after its first document: the decoder would read that one and drop
// the rest without a word. A marker at the start of a line is never content (YAML 1.2.2, rule c-forbidden).
func moreDocuments(text []byte) *Fault {
	var content, marked, ended bool
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimRight(line, " \t\r\n")
		switch {
		case len(line) == 0 || bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("#")):
			continue
		case isMarker(line, "---"):
			if content || marked || ended {
				return &Fault{number, errMoreDocuments}
			}
			marked = true
		case isMarker(line, "..."):
			ended = true
		case ended:
			return &Fault{number, errMoreDocuments}
		default:
			content = true
		}
	}
	return nil
}

var errMoreDocuments = errors.New("a second document begins here; a file has one: take the line out that begins it, or make it a file of its own")

func isMarker(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(rest) == 0 || rest[0] == ' ' || rest[0] == '\t')
}

// Line finds the line of a YAML path such as "$.accept[1].all[0]", or of its nearest parent that is there; 1 if none is.
func Line(text []byte, path string) int {
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
