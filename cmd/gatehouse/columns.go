// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"io"
	"strings"
	"unicode"
)

// wide are the ranges of runes that take two columns of a terminal (Unicode Standard Annex 11, wide and fullwidth).
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{{0x1100, 0x115f, 1}, {0x2e80, 0x303e, 1}, {0x3041, 0xa4cf, 1}, {0xac00, 0xd7a3, 1}, {0xf900, 0xfaff, 1},
		{0xfe30, 0xfe6f, 1}, {0xff00, 0xff60, 1}, {0xffe0, 0xffe6, 1}},
	R32: []unicode.Range32{{0x1f300, 0x1faff, 1}, {0x20000, 0x3fffd, 1}},
}

// columns is how many columns of a terminal a rune takes.
func columns(r rune) int {
	switch {
	case unicode.Is(wide, r):
		return 2
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	}
	return 1
}

// plain replaces what could move a terminal's cursor: names and notes come from elsewhere.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, text)
}

// plainLines is plain for a text of several lines.
func plainLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = plain(l)
	}
	return strings.Join(lines, "\n")
}

// cut makes a text that can be shown in so many columns; where something is left out it ends in "…".
func cut(text string, width int) string {
	text = plain(text)
	used, fits := 0, 0
	for i, r := range text {
		used += columns(r)
		if used > width {
			if width < 1 {
				return ""
			}
			return text[:fits] + "…"
		}
		if used < width {
			fits = i + len(string(r))
		}
	}
	return text
}

// pad is a text in exactly so many columns.
func pad(text string, width int) string {
	text = cut(text, width)
	used := 0
	for _, r := range text {
		used += columns(r)
	}
	return text + strings.Repeat(" ", max(width-used, 0))
}

// printJSON prints an answer of the daemon as it is.
func printJSON(w io.Writer, answer any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(answer)
}
