// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package scanner

import "strings"

// eciLen is the length of an ECI designator on the line: a backslash and six digits.
const eciLen = len(`\000001`)

// unwrap takes off what a scanner may put around the text of a code.
//
// An AIM symbology identifier (ISO/IEC 15424: "]", a letter, a letter or digit) is taken off and returned.
// No pass begins with "]". Where it says that the ECI protocol is on, every ECI designator is taken off
// and doubled backslashes are made single (AIM ITS/04-001); a backslash that begins neither stays. The
// character set that a designator names is not applied: passes are ASCII.
//
// Without one of those identifiers a leading designator of a registered character set, \0000nn, is still
// taken off, once, because identifiers can be turned off while ECI is on, and no pass begins with a backslash.
// Nothing further in the text is touched then: whether its backslashes were doubled is not known.
func unwrap(text string) (code, symbology string) {
	if hasAIM(text) {
		text, symbology = text[3:], text[:3]
	}
	if speaksECI(symbology) {
		return unescapeECI(text), symbology
	}
	if isECI(text) && strings.HasPrefix(text, `\0000`) {
		text = text[eciLen:]
	}
	return text, symbology
}

func hasAIM(s string) bool {
	return len(s) >= 3 && s[0] == ']' && isLetter(s[1]) && (isLetter(s[2]) || isDigit(s[2]))
}

// speaksECI reports whether the identifier says that the ECI protocol is on; those of QR Code do
// (ISO/IEC 18004), which is what passes are printed as.
func speaksECI(symbology string) bool {
	return symbology == "]Q2" || symbology == "]Q4" || symbology == "]Q6"
}

func unescapeECI(s string) string {
	at := strings.IndexByte(s, '\\')
	if at < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for ; at >= 0; at = strings.IndexByte(s, '\\') {
		b.WriteString(s[:at])
		s = s[at:]
		switch {
		case isECI(s):
			s = s[eciLen:]
		case strings.HasPrefix(s, `\\`):
			b.WriteByte('\\')
			s = s[2:]
		default:
			b.WriteByte('\\')
			s = s[1:]
		}
	}
	b.WriteString(s)
	return b.String()
}

// isECI reports whether s begins with an ECI designator.
func isECI(s string) bool {
	if len(s) < eciLen || s[0] != '\\' {
		return false
	}
	for i := 1; i < eciLen; i++ {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' }
