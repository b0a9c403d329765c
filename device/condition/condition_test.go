// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package condition

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// declared are the codes of table.go's constants.
func declared(t *testing.T) (codes []Code) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "table.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			if id, ok := v.Type.(*ast.Ident); ok && id.Name == "Code" {
				text, _ := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
				codes = append(codes, Code(text))
			}
		}
		return true
	})
	return codes
}

func TestEveryCodeHasOneWholeRow(t *testing.T) {
	codes := declared(t)
	if len(codes) == 0 || len(codes) != len(table) {
		t.Errorf("%d codes and %d rows", len(codes), len(table))
	}
	form, names := regexp.MustCompile(`^GH-[1-9][0-9]{2}$`), map[string]bool{}
	for i, r := range Table() {
		if !slices.Contains(codes, r.Code) || !form.MatchString(string(r.Code)) {
			t.Errorf("%s is no declared code of the form GH-123", r.Code)
		}
		if i > 0 && r.Code <= table[i-1].Code {
			t.Errorf("%s is not after %s", r.Code, table[i-1].Code)
		}
		if names[r.Name] || r.Name == "" {
			t.Errorf("%s: the name %q is not its own", r.Code, r.Name)
		}
		names[r.Name] = true
		if r.Severity != Error && r.Severity != Warning {
			t.Errorf("%s: severity %q", r.Code, r.Severity)
		}
		if r.Delay < 0 || r.Delay > 5*time.Minute {
			t.Errorf("%s: a delay of %v", r.Code, r.Delay)
		}
		if !slices.ContainsFunc(groups, func(g Group) bool { return g.In(r.Code) }) {
			t.Errorf("%s is of no group", r.Code)
		}
		for _, text := range []string{r.Meaning, r.Cause, r.Do} {
			if !strings.HasSuffix(text, ".") || strings.ContainsAny(text, "\n|") {
				t.Errorf("%s: %q is no line of sentences", r.Code, text)
			}
		}
	}
}

// A circle would hide all of its conditions under each other.
func TestNothingDependsOnItself(t *testing.T) {
	var below func(c Code, path []Code)
	below = func(c Code, path []Code) {
		row, ok := Of(c)
		if !ok {
			t.Errorf("%v depends on %s, which has no row", path, c)
		}
		if slices.Contains(path, c) {
			t.Fatalf("%s depends on itself: %v", c, path)
		}
		for _, cause := range row.DependsOn {
			if c, _ := Of(cause); c.PerLane && !row.PerLane {
				t.Errorf("%s of the kiosk depends on %s of a lane", row.Code, cause)
			}
			below(cause, append(path, c))
		}
	}
	for _, r := range table {
		below(r.Code, nil)
	}
}

func TestParse(t *testing.T) {
	for _, text := range []string{"GH-101", "gh-101", "gh101", "101", " 101 "} {
		if r, ok := Parse(text); !ok || r.Code != Scanner {
			t.Errorf("%q: %+v", text, r)
		}
	}
	for _, text := range []string{"", "GH-", "GH-999", "1", "scanner", "GH-GH-101"} {
		if r, ok := Parse(text); ok {
			t.Errorf("%q is taken for %s", text, r.Code)
		}
	}
}

// The runbook is the table. UPDATE=1 writes it.
func TestRunbookIsTheTable(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "runbook.md")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(Runbook()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != Runbook() {
		t.Errorf("docs/runbook.md is not the table; write it with: UPDATE=1 go test ./device/condition (%v)", err)
	}
}
