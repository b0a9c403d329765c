// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package scanner

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestRepeats(t *testing.T) {
	type showing struct {
		after  time.Duration
		code   string
		repeat bool
	}
	const window = 3 * time.Second
	for _, c := range []struct {
		name  string
		shown []showing
	}{
		{"held in front for long is answered once", []showing{
			{0, "A", false}, {window - 1, "A", true}, {window - 1, "A", true}, {window - 1, "A", true}}},
		{"taken away for a window is shown anew", []showing{
			{0, "A", false}, {time.Second, "A", true}, {window, "A", false}}},
		{"two phones in sight are each answered once", []showing{
			{0, "A", false}, {1, "B", false}, {1, "A", true}, {1, "B", true}, {1, "A", true}}},
		{"another code does not lengthen the window", []showing{
			{0, "A", false}, {2 * time.Second, "B", false}, {time.Second, "A", false}, {1, "B", true}}},
		{"one byte differs", []showing{
			{0, "A", false}, {0, "A ", false}, {0, "a", false}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, now := newRepeats(window), time.Now()
			for i, s := range c.shown {
				now = now.Add(s.after)
				if got := r.again(s.code, now); got != s.repeat {
					t.Errorf("showing %d, %q: repeat %v, want %v", i, s.code, got, s.repeat)
				}
			}
		})
	}
}

func TestRepeatsForget(t *testing.T) {
	r, now := newRepeats(time.Second), time.Now()
	r.again("A", now)
	r.again("B", now)
	r.forget("")
	if r.again("A", now) || r.again("B", now) {
		t.Error("a forgotten code is a repeat")
	}
	if !r.again("A", now) {
		t.Error("a code seen since is none")
	}
	r.forget("A")
	if !r.again("A", now) || r.again("B", now) {
		t.Error("not every code but one was forgotten")
	}
}

func TestRepeatsTurnedOff(t *testing.T) {
	r, now := newRepeats(-1), time.Now()
	for range 2 {
		if r.again("A", now) {
			t.Error("a repeat without a window")
		}
	}
}

func TestRepeatsRemembersAFewCodesAndGivesUpTheOldest(t *testing.T) {
	r, now := newRepeats(time.Hour), time.Now()
	for i := range rememberedCodes {
		now = now.Add(1)
		r.again(fmt.Sprint(i), now)
	}
	if !r.again("0", now.Add(1)) { // 1 is now the oldest
		t.Error("a remembered code is no repeat")
	}
	r.again("one more", now.Add(2))
	if !r.again("0", now.Add(3)) || r.again("1", now.Add(3)) {
		t.Error("it did not give up the code that was not seen for longest")
	}
	for i := range 1000 {
		r.again(fmt.Sprint("flood", i), now.Add(4))
	}
	if len(r.seen) > rememberedCodes || cap(r.seen) > rememberedCodes {
		t.Errorf("it remembers %d codes, want at most %d", len(r.seen), rememberedCodes)
	}
}

// What stays in memory of a code is a hash.
func TestRepeatsKeepNoCode(t *testing.T) {
	r := newRepeats(time.Hour)
	r.again("HC1:a-holder", time.Now())
	if dump := fmt.Sprintf("%s %+v", reflect.TypeOf(r.seen), r.seen); strings.Contains(dump, "holder") || strings.Contains(dump, "string") {
		t.Errorf("it keeps %s", dump)
	}
}
