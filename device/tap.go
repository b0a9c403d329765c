// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"gatehouse/device/client"
	"gatehouse/entry"
	"gatehouse/scanner"
)

// Bounds of a tap. A frame that finds no room is counted and not waited for: the lane's scanner goes on.
const (
	tapRoom  = 64
	tapPause = 5 * time.Second // after it without a frame an empty line tells whether anybody is there still
)

// getTap shows the frames of a lane's scanner as they come, masked.
func (a *api) getTap(w http.ResponseWriter, r *http.Request) {
	l, err := a.kiosk.lane(r.URL.Query().Get("lane"))
	if err == nil {
		err = a.tap(w, r, l, false)
	}
	if err != nil {
		reply(w, http.StatusConflict, client.Failure{Error: err.Error()})
	}
}

// postTap shows them as they are, codes of guests among them. Who does that is in the record before.
func (a *api) postTap(w http.ResponseWriter, r *http.Request) {
	err := func() error {
		l, err := a.kiosk.lane(r.URL.Query().Get("lane"))
		if err != nil {
			return err
		}
		by, err := callerOf(r.Context())
		if err != nil {
			return err
		}
		now := l.kiosk.time.moment()
		ev := &entry.Event{At: now.At, Clock: now.Clock, Kind: entry.EventIncident, Lane: l.cfg.Name, Note: by + ": whole frames shown"}
		err = l.kiosk.decider.Record(r.Context(), ev)
		if l.kiosk.recorded(err); err != nil {
			return fmt.Errorf("device: that codes are shown could not be recorded, so none is: %w", err)
		}
		return a.tap(w, r, l, true)
	}()
	if err != nil {
		reply(w, http.StatusConflict, client.Failure{Error: err.Error()})
	}
}

// tap writes a line of JSON for each frame until the caller goes away or the kiosk stops. An error means that nothing was
// written.
func (a *api) tap(w http.ResponseWriter, r *http.Request, l *lane, raw bool) error {
	if !l.tapped.CompareAndSwap(false, true) {
		return errors.New("device: somebody else looks at the frames of this lane; one may at a time")
	}
	defer l.tapped.Store(false)
	frames := make(chan client.Tapped, tapRoom)
	lost := 0 // of the scanner's loop alone
	l.scanner.Tap(func(f scanner.Frame, fate scanner.Fate) {
		seen := tappedOf(f, fate, raw)
		seen.At, seen.Lost = l.kiosk.hw.Clock.Wall(), lost
		select {
		case frames <- seen:
			lost = 0
		default:
			lost++
		}
	})
	defer l.scanner.Tap(nil)
	return stream(r.Context(), w, frames)
}

// stream writes what comes, line by line, with an empty line after a pause.
func stream(ctx context.Context, w http.ResponseWriter, frames <-chan client.Tapped) error {
	conn := http.NewResponseController(w)
	// The server's own limits are for answers that end.
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("device: %w", err)
	}
	pause := time.NewTicker(tapPause)
	defer pause.Stop()
	w.Header().Set("Content-Type", "application/x-ndjson")
	for line := []byte{}; ; {
		_ = conn.SetWriteDeadline(time.Now().Add(tapPause))
		if _, err := w.Write(append(line, '\n')); err != nil || conn.Flush() != nil {
			return nil // nobody is there any more
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
			line = line[:0]
		case f := <-frames:
			line, _ = json.Marshal(f) // it has but texts, numbers and a time
		}
	}
}

// tappedOf is a frame as it is shown.
func tappedOf(f scanner.Frame, fate scanner.Fate, raw bool) client.Tapped {
	t := client.Tapped{Bytes: len(f.Raw), Symbology: f.Symbology, Fate: string(fate), Shape: shape(f.Raw, f.Symbology)}
	switch {
	case f.Oversized:
		t.Bytes = scanner.MaxFrame + 1
	case f.End == '\r':
		t.End = "CR"
	case f.End == '\n':
		t.End = "LF"
	default:
		t.End = "gap"
	}
	if raw {
		t.Raw = []byte(f.Raw)
	}
	return t
}

// How many bytes of a frame its shape has, at its beginning and at its end.
const (
	shapeHead = 24
	shapeTail = 8
)

// beginnings are shown as they are: they tell what kind of code it is and nothing of whose.
var beginnings = [...]string{"GH1:", "HC1:", "shc:/", "https://", "http://"}

// shape is what of a frame helps to find what is wrong with a line, and nobody to use the code: x stands for a letter, 9 for
// a digit, _ for a space and a point for punctuation. Bytes that no pass has are shown.
func shape(raw, symbology string) string {
	known := symbology
	body := strings.TrimPrefix(raw, symbology)
	for _, b := range beginnings {
		if rest, is := strings.CutPrefix(body, b); is {
			known, body = known+b, rest
		}
	}
	if len(body) > shapeHead+shapeTail {
		return known + shapes(body[:shapeHead]) + "…" + shapes(body[len(body)-shapeTail:])
	}
	return known + shapes(body)
}

func shapes(text string) string {
	var out strings.Builder
	for _, c := range []byte(text) {
		switch {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
			out.WriteByte('x')
		case '0' <= c && c <= '9':
			out.WriteByte('9')
		case c == ' ':
			out.WriteByte('_')
		case c == '\\':
			out.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&out, `\x%02x`, c)
		default:
			out.WriteByte('.')
		}
	}
	return out.String()
}
