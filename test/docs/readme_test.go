// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// bones are what a README and its translation have in common: the ranks of its headings, its indented lines without
// comments, how many rows and points it has, and its links.
type bones struct{ ranks, code, rows, links []string }

var (
	rank    = regexp.MustCompile(`(?m)^#+ `)
	row     = regexp.MustCompile(`(?m)^(?:\||- )`)
	comment = regexp.MustCompile(`\s+# .*$`)
)

func bonesOf(text string) (b bones) {
	b.ranks = rank.FindAllString(prose(text), -1)
	b.rows = row.FindAllString(prose(text), -1)
	for _, line := range literal.FindAllString(text, -1) {
		b.code = append(b.code, comment.ReplaceAllString(line, ""))
	}
	for _, m := range link.FindAllStringSubmatch(prose(text), -1) {
		if !strings.HasPrefix(m[1], "README") {
			b.links = append(b.links, m[1])
		}
	}
	slices.Sort(b.links) // sentences have another order
	return b
}

// TestTranslation holds the Chinese README to the English one: whoever adds a chapter, a command, a row or a link to one
// adds it to the other.
func TestTranslation(t *testing.T) {
	all := documents(t)
	english, chinese := bonesOf(all["README.md"]), bonesOf(all["README.zh-CN.md"])
	if len(english.code) < 30 || len(english.ranks) < 8 {
		t.Fatalf("%d lines of code and %d headings; the test sees too little", len(english.code), len(english.ranks))
	}
	for _, c := range []struct {
		what       string
		one, other []string
	}{
		{"headings", english.ranks, chinese.ranks}, {"indented lines", english.code, chinese.code},
		{"rows and points", english.rows, chinese.rows}, {"links", english.links, chinese.links},
	} {
		for i := range max(len(c.one), len(c.other)) {
			if i >= len(c.one) || i >= len(c.other) || c.one[i] != c.other[i] {
				t.Errorf("the %s of README.md and README.zh-CN.md differ from number %d on:\n%q\n%q", c.what, i+1, c.one[min(i, len(c.one)):min(i+1, len(c.one))], c.other[min(i, len(c.other)):min(i+1, len(c.other))])
				break
			}
		}
	}
}
