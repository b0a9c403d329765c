// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package scanner

import (
	"strings"
	"testing"
	"time"
)

// Who taps the line sees each frame as it came and what became of it, and the lane gets what it would get without.
func TestTap(t *testing.T) {
	r := started(t, "\r")
	type tapped struct {
		Frame
		fate Fate
	}
	seen := make(chan tapped, 9)
	next := func() tapped {
		t.Helper()
		select {
		case f := <-seen:
			return f
		case <-time.After(patience):
			t.Fatal("nothing was tapped")
			return tapped{}
		}
	}
	r.reader.Tap(func(f Frame, fate Fate) { seen <- tapped{f, fate} })
	r.scan("]Q1GH1:A", "]Q1GH1:A", strings.Repeat("x", MaxFrame+1))
	if f := next(); f.Raw != "]Q1GH1:A" || f.Code != "GH1:A" || f.Symbology != "]Q1" || f.End != '\r' || f.fate != Delivered {
		t.Errorf("%+v", f)
	}
	if f := next(); f.Raw != "]Q1GH1:A" || f.fate != Repeat {
		t.Errorf("the same again: %+v", f)
	}
	if f := next(); f.Raw != "" || f.fate != TooLong {
		t.Errorf("too long: %+v", f)
	}
	r.reader.Tap(nil)
	r.scan("B")
	r.expect("GH1:A", "B")
	if len(seen) != 0 {
		t.Error("it was tapped after that was ended")
	}
}
