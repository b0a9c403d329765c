// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/entry"
	"gatehouse/scanner"
)

// tapping is a technician who looks at the frames of the lane.
type tapping struct {
	frames chan client.Tapped
	leave  context.CancelFunc
	ended  chan error
}

func (b *bench) tap(whole bool) *tapping {
	b.tb.Helper()
	ctx, leave := context.WithCancel(b.ctx())
	t := &tapping{make(chan client.Tapped, 9), leave, make(chan error, 1)}
	go func() {
		t.ended <- b.client.Tap(ctx, "", whole, func(f client.Tapped) error { t.frames <- f; return nil })
	}()
	b.waitStatus("a tap", func(s *client.Status) bool { return s.Lanes[0].Tapped })
	return t
}

func (t *tapping) next(b *bench) client.Tapped {
	b.tb.Helper()
	select {
	case f := <-t.frames:
		return f
	case err := <-t.ended:
		b.tb.Fatalf("the tap ended: %v", err)
	case <-b.ctx().Done():
		b.tb.Fatal("no frame was shown")
	}
	return client.Tapped{}
}

func (t *tapping) end(b *bench) {
	b.tb.Helper()
	t.leave()
	if err := <-t.ended; err != nil {
		b.tb.Error(err)
	}
	b.waitStatus("the end of the tap", func(s *client.Status) bool { return !s.Lanes[0].Tapped })
}

// A technician sees what the scanner sends, masked, and the lane decides as ever.
func TestTap(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	tap := b.tap(false)
	ticket := b.pass(credential.Claims{})
	b.expect("ok", ticket)
	f := tap.next(b)
	if f.Bytes != len(ticket) || f.End != "CR" || f.Fate != "delivered" || f.Raw != nil || f.At.IsZero() || !strings.HasPrefix(f.Shape, "GH1:") {
		t.Errorf("%+v", f)
	}
	text, _ := json.Marshal(f)
	if strings.Contains(string(text), ticket[4:12]) || strings.Contains(b.log.String(), ticket[4:12]) {
		t.Error("a piece of the code was shown")
	}
	if err := b.client.Tap(b.ctx(), "in-1", false, nil); !errors.Is(err, client.ErrRefused) || !strings.Contains(err.Error(), "somebody else looks") {
		t.Errorf("a second one: %v", err)
	}
	if err := b.client.Tap(b.ctx(), "in-2", false, nil); !errors.Is(err, client.ErrRefused) || !strings.Contains(err.Error(), "there are in-1") {
		t.Errorf("another lane: %v", err)
	}
	tap.end(b)
	b.expect("already_used", ticket)
	if len(tap.frames) != 0 {
		t.Error("it was shown after the end")
	}
	page, err := b.client.Events(b.ctx(), client.Query{Kind: "incident"})
	if err != nil || len(page.Events) != 0 {
		t.Errorf("looking at masked frames was recorded: %+v, %v", page, err)
	}
}

// Whole frames are shown to who may act, and the record says to whom.
func TestTapWholeFrames(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	tap := b.tap(true)
	page, err := b.client.Events(b.ctx(), client.Query{Kind: "incident"})
	if err != nil || len(page.Events) != 1 || !strings.HasSuffix(page.Events[0].Note, ": whole frames shown") || page.Events[0].Lane != "in-1" {
		t.Errorf("recorded %+v, %v", page, err)
	}
	b.expect("unrecognised", "]Q1bad \x00\xff")
	if f := tap.next(b); string(f.Raw) != "]Q1bad \x00\xff" || f.Symbology != "]Q1" || f.Shape != `]Q1xxx_\x00\xff` {
		t.Errorf("%+v", f)
	}
	if err := b.halt(); err != nil { // the kiosk stops while somebody looks
		t.Fatal(err)
	}
	if err := <-tap.ended; err == nil {
		t.Error("the technician was not told that the kiosk stopped")
	}
}

// Nobody sees whole frames of whom the record could not tell.
func TestTapWholeFramesIsRecordedFirst(t *testing.T) {
	b := newBench(t)
	b.cfg.ledger = func(l entry.Ledger) entry.Ledger { return fullLedger{l} }
	b.start()
	if err := b.client.Tap(b.ctx(), "in-1", true, nil); !errors.Is(err, client.ErrRefused) || !strings.Contains(err.Error(), "could not be recorded, so none is") {
		t.Errorf("got %v", err)
	}
	if b.waitStatus("a status", func(*client.Status) bool { return true }).Lanes[0].Tapped {
		t.Error("the frames are shown all the same")
	}
}

func TestShape(t *testing.T) {
	long := strings.Repeat("A", 100)
	for raw, want := range map[string]string{
		"":                    "",
		"HC1:6BF+7 90":        "HC1:9xx.9_99",
		"https://menu/1":      "https://xxxx.9",
		`]Q2\000026GH1:A`:     `]Q2\999999xx9.x`,
		"GH1:" + long + "%9$": "GH1:" + strings.Repeat("x", 24) + "…xxxxx.9.",
		"caf\xe9\t":           `xxx\xe9\x09`,
		"shc:/5676":           "shc:/9999",
	} {
		symbology := ""
		if strings.HasPrefix(raw, "]") {
			symbology = raw[:3]
		}
		if got := shape(raw, symbology); got != want {
			t.Errorf("%.40q: %q, want %q", raw, got, want)
		}
	}
	if f := tappedOf(scanner.Frame{Oversized: true}, scanner.TooLong, true); f.Bytes <= scanner.MaxFrame || f.End != "" || f.Fate != "too_long" {
		t.Errorf("%+v", f)
	}
	if f := tappedOf(scanner.Frame{Raw: "A"}, scanner.Repeat, false); f.End != "gap" || f.Fate != "repeat" || f.Raw != nil {
		t.Errorf("%+v", f)
	}
}

// A shape tells no letter and no digit of a frame, but for how codes of a known kind begin.
func FuzzShape(f *testing.F) {
	for _, seed := range []string{"GH1:AB9 %", "]Q1HC1:6BF", "https://menu.example/7", "caf\xe9\t", `\000026GH1:A`, strings.Repeat("Z1", 99)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got := shape(raw, "")
		for _, b := range beginnings {
			got = strings.TrimPrefix(got, b)
		}
		got = regexp.MustCompile(`\\x[0-9a-f]{2}`).ReplaceAllString(got, "")
		if left := strings.Trim(got, `x9_.\…`); left != "" {
			t.Errorf("%q shows %q", raw, left)
		}
	})
}
