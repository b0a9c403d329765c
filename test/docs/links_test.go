// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// documents are the Markdown files of the project, by their paths from its top.
func documents(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	top := os.DirFS(filepath.Join("..", ".."))
	err := fs.WalkDir(top, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".md" {
			return err
		}
		text, err := fs.ReadFile(top, path)
		all[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README.md", "CHANGELOG.md", "docs/passes.md"} {
		if all[name] == "" {
			t.Fatalf("%s is not among the documents; the test would see nothing", name)
		}
	}
	return all
}

var (
	link    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)
	inline  = regexp.MustCompile("`[^`\n]*`")
	inLink  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	literal = regexp.MustCompile(`(?m)^    .*$`) // an indented block
)

// prose is a document without its code.
func prose(text string) string {
	return literal.ReplaceAllString(fenced.ReplaceAllString(text, ""), "")
}

// anchors are those that a forge gives the headings: lower case, without punctuation, a hyphen for each space, and a
// number behind the second of two.
func anchors(text string) map[string]bool {
	all := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(prose(text), -1) {
		title := inLink.ReplaceAllString(m[1], "$1")
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(title))
		name := anchor
		for n := 1; all[name]; n++ {
			name = fmt.Sprintf("%s-%d", anchor, n)
		}
		all[name] = true
	}
	return all
}

// TestLinks holds that what a document links to inside the project is there, with its anchor.
func TestLinks(t *testing.T) {
	all := documents(t)
	seen := 0
	for name, text := range all {
		for _, m := range link.FindAllStringSubmatch(inline.ReplaceAllString(prose(text), ""), -1) {
			target := m[1]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			seen++
			path, anchor, anchored := strings.Cut(target, "#")
			to := name
			if path != "" {
				to = filepath.ToSlash(filepath.Join(filepath.Dir(name), filepath.FromSlash(path)))
			}
			if strings.HasPrefix(path, "/") || strings.HasPrefix(to, "../") {
				t.Errorf("%s: the link %s leaves the project", name, target)
			} else if _, err := os.Stat(filepath.Join("..", "..", filepath.FromSlash(to))); err != nil {
				t.Errorf("%s: the link %s leads nowhere", name, target)
			} else if anchored && !anchors(all[to])[anchor] {
				t.Errorf("%s: the link %s: %s has no such heading", name, target, to)
			}
		}
	}
	if seen < 5 {
		t.Errorf("%d links found; the test sees nothing", seen)
	}
}

// TestLinksNoticeWhatIsWrong holds the test above to what it is for.
func TestLinksNoticeWhatIsWrong(t *testing.T) {
	text := "# A `code` and [a link](x.md): *done*, 2×\n\n## Again\n\n## Again\n\n```\n# no heading\n```\n"
	got := anchors(text)
	for _, want := range []string{"a-code-and-a-link-done-2", "again", "again-1"} {
		if !got[want] {
			t.Errorf("no anchor %s in %v", want, got)
		}
	}
	if len(got) != 3 {
		t.Errorf("%d anchors: %v", len(got), got)
	}
	if found := link.FindAllString(prose("[a](b.md) and\n\n    [c](d.md)\n"), -1); len(found) != 1 {
		t.Errorf("links found: %v", found)
	}
}

var (
	test     = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z0-9]\w*`)
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)[A-Z0-9]\w*)\(`)
)

// TestNamedTestsExist holds that every test that a document names is there.
func TestNamedTestsExist(t *testing.T) {
	there := map[string]bool{}
	top := os.DirFS(filepath.Join("..", ".."))
	err := fs.WalkDir(top, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(top, path)
		for _, m := range testFunc.FindAllStringSubmatch(string(text), -1) {
			there[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !there["TestNamedTestsExist"] {
		t.Fatal("this test was not found; it would find none")
	}
	for name, text := range documents(t) {
		for _, m := range test.FindAllString(text, -1) {
			if !there[m] {
				t.Errorf("%s names %s, and there is no such test", name, m)
			}
		}
	}
}
