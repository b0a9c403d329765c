// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package scanner

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const testGap = 100 * time.Millisecond

// line drives a framer with a clock that only it moves.
type line struct {
	framer Framer
	now    time.Time
	frames []Frame
}

func newLine() *line {
	return &line{framer: NewText(testGap), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func (l *line) found(f Frame)        { l.frames = append(l.frames, f) }
func (l *line) feed(p string)        { l.framer.Feed([]byte(p), l.now, l.found) }
func (l *line) idle()                { l.framer.Idle(l.now, l.found) }
func (l *line) pass(d time.Duration) { l.now = l.now.Add(d) }

// codes lists what was found; an oversized frame is "OVERSIZED".
func (l *line) codes() []string {
	codes := []string{}
	for _, f := range l.frames {
		if f.Oversized {
			codes = append(codes, "OVERSIZED")
		} else {
			codes = append(codes, f.Code)
		}
	}
	return codes
}

func TestText(t *testing.T) {
	full := strings.Repeat("x", MaxFrame)
	for _, c := range []struct {
		name, sent string
		want       []string
	}{
		{"CR", "A\rB\r", []string{"A", "B"}},
		{"LF", "A\nB\n", []string{"A", "B"}},
		{"CR LF", "A\r\nB\r\n", []string{"A", "B"}},
		{"mixed terminators", "A\rB\nC\r\n", []string{"A", "B", "C"}},
		{"no terminator yet", "A", nil},
		{"empty frames", "\r\n\n\r\r\rA\r\n\r\n", []string{"A"}},
		{"base45 keeps its spaces", "HC1: %A B \r", []string{"HC1: %A B "}},
		{"only spaces are a code too", "  \r", []string{"  "}},
		{"other bytes are passed on", "\x00A\t\x1d\xff\x80\r", []string{"\x00A\t\x1d\xff\x80"}},
		{"the longest", full + "\r", []string{full}},
		{"one too long", full + "x\rA\r", []string{"OVERSIZED", "A"}},
		{"far too long", full + full + full + "\rA\r", []string{"OVERSIZED", "A"}},
		{"two too long", full + "x\r" + full + "x\rA\r", []string{"OVERSIZED", "OVERSIZED", "A"}},
		{"too long, ended by CR LF", full + "x\r\nA\r\n", []string{"OVERSIZED", "A"}},
		{"AIM identifier and nothing else", "]Q1\rA\r", []string{"A"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLine()
			l.feed(c.sent)
			if got := l.codes(); !slices.Equal(got, c.want) {
				t.Errorf("found %.80q, want %.80q", got, c.want)
			}
		})
	}
}

func TestTextIdleGapEndsACode(t *testing.T) {
	l := newLine()
	l.feed("AB")
	l.pass(testGap / 2)
	l.idle()
	l.feed("C")
	last := l.now
	l.pass(testGap - 1)
	l.idle()
	if len(l.frames) != 0 {
		t.Fatalf("found %q before the gap", l.codes())
	}
	l.pass(1)
	l.idle()
	want := []Frame{{Code: "ABC", Raw: "ABC", At: last}}
	if !slices.Equal(l.frames, want) {
		t.Fatalf("found %+v, want %+v: the time is of the last byte, not of the gap's end", l.frames, want)
	}
	l.pass(testGap)
	l.idle()
	l.feed("\r\nD\r") // a terminator that comes late is an empty frame
	if got := l.codes(); !slices.Equal(got, []string{"ABC", "D"}) {
		t.Errorf("found %q", got)
	}
}

func TestTextIdleGapEndsAnOversizedFrame(t *testing.T) {
	l := newLine()
	l.feed(strings.Repeat("x", MaxFrame+1))
	l.pass(testGap / 2)
	l.feed("still the same")
	l.pass(testGap / 2)
	l.idle() // the gap counts from the last byte dropped
	l.feed("and still")
	l.pass(testGap)
	l.idle()
	l.feed("A\r")
	if got := l.codes(); !slices.Equal(got, []string{"OVERSIZED", "A"}) {
		t.Errorf("found %q", got)
	}
}

// A program that was stopped for a while in the middle of a code finds the rest of it waiting.
func TestTextLateBytesAreNotANewCode(t *testing.T) {
	l := newLine()
	l.feed("A")
	l.pass(10 * testGap)
	l.feed("B\r")
	if want := []Frame{{Code: "AB", Raw: "AB", End: '\r', At: l.now}}; !slices.Equal(l.frames, want) {
		t.Errorf("found %+v, want %+v", l.frames, want)
	}
}

func TestTextTimeIsOfTheTerminator(t *testing.T) {
	l := newLine()
	l.feed("A")
	l.pass(time.Millisecond)
	l.feed("\rB")
	first := l.now
	l.pass(time.Millisecond)
	l.feed("C\n")
	if want := []Frame{{Code: "A", Raw: "A", End: '\r', At: first}, {Code: "BC", Raw: "BC", End: '\n', At: l.now}}; !slices.Equal(l.frames, want) {
		t.Errorf("found %+v, want %+v", l.frames, want)
	}
}

func TestUnwrap(t *testing.T) {
	for _, c := range []struct{ name, text, code, symbology string }{
		{"bare", "HC1:A B", "HC1:A B", ""},
		{"empty", "", "", ""},
		{"QR Code", "]Q1HC1:A", "HC1:A", "]Q1"},
		{"Aztec", "]z0HC1:A", "HC1:A", "]z0"},
		{"letter as modifier", "]zAX", "X", "]zA"},
		{"GS1 keeps its separators", "]Q301095\x1d21", "01095\x1d21", "]Q3"},
		{"identifier alone", "]Q1", "", "]Q1"},
		{"half an identifier", "]Q", "]Q", ""},
		{"bracket in front of something else", "]]Q1A", "]]Q1A", ""},
		{"not an identifier", "]1QA", "]1QA", ""},
		{"identifier inside", "A]Q1B", "A]Q1B", ""},
		{"only one identifier", "]Q1]Q1A", "]Q1A", "]Q1"},

		{"ECI: prefix", `]Q2\000026HC1:A`, "HC1:A", "]Q2"},
		{"ECI: no prefix", `]Q2HC1:A`, "HC1:A", "]Q2"},
		{"ECI: doubled backslash", `]Q2A\\B`, `A\B`, "]Q2"},
		{"ECI: doubled backslash before digits", `]Q2\\000001A`, `\000001A`, "]Q2"},
		{"ECI: three backslashes", `]Q2\\\000003A`, `\A`, "]Q2"},
		{"ECI: prefix within", `]Q4A\000003B\000026C`, "ABC", "]Q4"},
		{"ECI: prefix alone", `]Q6\000003`, "", "]Q6"},
		{"ECI: lone backslash stays", `]Q2A\B`, `A\B`, "]Q2"},
		{"ECI: cut off", `]Q2A\00002`, `A\00002`, "]Q2"},
		{"ECI: ends in a backslash", `]Q2A\`, `A\`, "]Q2"},
		{"other symbology: prefix only", `]z3\000026A\\B`, `A\\B`, "]z3"},

		{"identifier says no ECI: backslashes are the code's", `]Q1A\\B`, `A\\B`, "]Q1"},
		{"identifier says no ECI, a prefix all the same", `]Q1\000026A`, "A", "]Q1"},
		{"no identifier: prefix", `\000026HC1:A`, "HC1:A", ""},
		{"no identifier: one prefix only", `\000026\000003A`, `\000003A`, ""},
		{"no identifier: backslashes stay", `\000026A\\B`, `A\\B`, ""},
		{"no identifier: not a character set", `\123456A`, `\123456A`, ""},
		{"no identifier: within it is text", `A\000026B`, `A\000026B`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if code, symbology := unwrap(c.text); code != c.code || symbology != c.symbology {
				t.Errorf("unwrap(%q) = %q, %q; want %q, %q", c.text, code, symbology, c.code, c.symbology)
			}
		})
	}
}

// However the driver cuts the bytes into reads, the codes are the same.
func TestTextPortionsDoNotMatter(t *testing.T) {
	piece := rapid.OneOf(
		rapid.StringMatching(`[A-Z0-9 %:]{0,40}`),
		rapid.SampledFrom([]string{"\r", "\n", "\r\n", "]Q1", "]Q2", `\000026`, `\\`, "\x00", "\xff",
			strings.Repeat("y", MaxFrame-1), strings.Repeat("z", MaxFrame)}),
	)
	rapid.Check(t, func(t *rapid.T) {
		sent := strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), "")
		whole := newLine()
		whole.feed(sent)

		cut := newLine()
		for rest := sent; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "portion")
			cut.feed(rest[:n])
			rest = rest[n:]
			cut.pass(time.Duration(rapid.IntRange(0, int(testGap)-1).Draw(t, "pause")))
			cut.idle() // less than a gap since the last byte
		}
		if got, want := cut.codes(), whole.codes(); !slices.Equal(got, want) {
			t.Fatalf("cut up: %.60q, whole: %.60q", got, want)
		}
	})
}

// Whatever is on the line, frames keep their bounds, do not depend on how it is cut, and the next good
// code is read.
func FuzzFramer(f *testing.F) {
	f.Add([]byte("HC1:6BF+70790T9WJWG.FKY*4GO0\r\n"), uint16(5), true)
	f.Add([]byte("A\rB\nC"), uint16(1), false)
	f.Add([]byte("]Q2\\000026A\\\\B\r"), uint16(4), true)
	f.Add([]byte("\\000026]Q1\r\n\n"), uint16(3), false)
	f.Add([]byte("\x16\xfe\x00\x00\r\xff\x00"), uint16(2), true)
	f.Add([]byte(strings.Repeat("x", MaxFrame+1)), uint16(MaxFrame), false)
	f.Fuzz(func(t *testing.T, sent []byte, at uint16, gap bool) {
		cut := min(int(at), len(sent))
		run := func(portions ...[]byte) *line {
			l := newLine()
			for _, p := range portions {
				l.feed(string(p))
				l.idle()
			}
			return l
		}
		whole, parts := run(sent), run(sent[:cut], sent[cut:])
		if !slices.Equal(whole.codes(), parts.codes()) {
			t.Errorf("cut at %d: %q, whole: %q", cut, parts.codes(), whole.codes())
		}
		if gap {
			whole.pass(testGap)
			whole.idle()
		} else {
			whole.feed("\r")
		}
		whole.feed("GOOD\r")
		codes := whole.codes()
		if len(codes) == 0 || codes[len(codes)-1] != "GOOD" {
			t.Errorf("the next code was not read: %q", codes)
		}
		for _, f := range whole.frames {
			if f.Oversized {
				continue
			}
			if f.Code == "" || len(f.Code) > MaxFrame || strings.ContainsAny(f.Code, "\r\n") {
				t.Errorf("a frame of %d bytes: %.40q", len(f.Code), f.Code)
			}
		}
	})
}

func BenchmarkFramer(b *testing.B) {
	code := []byte(strings.Repeat("HC1:6BF+70790T9WJWG.FKY*4GO0.", 14)[:400] + "\r")
	framer, at := NewText(testGap), time.Now()
	frames := 0
	found := func(Frame) { frames++ }
	b.SetBytes(int64(len(code)))
	b.ReportAllocs()
	for b.Loop() {
		for p := code; len(p) > 0; p = p[min(64, len(p)):] { // a USB packet
			framer.Feed(p[:min(64, len(p))], at, found)
		}
	}
	if frames == 0 {
		b.Fatal("no frame found")
	}
}
