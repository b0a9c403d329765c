// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Tapped is one line of the answer to GET /v1/tap and POST /v1/tap: a frame that a lane's scanner sent. Empty lines between
// them say that there is none.
type Tapped struct {
	At        time.Time `json:"at"` // when it was seen, by the kiosk's wall clock
	Bytes     int       `json:"bytes"`
	End       string    `json:"end,omitempty"`       // CR, LF, or gap: an idle gap ended it; none where it was too long
	Symbology string    `json:"symbology,omitempty"` // AIM identifier, such as ]Q1
	Fate      string    `json:"fate"`                // delivered, repeat (the same again), too_long
	// Shape is the frame masked: x a letter, 9 a digit, _ a space, a point punctuation, \x1d a byte that no pass has. What a
	// code of a known kind begins with is shown.
	Shape string `json:"shape,omitempty"`
	Raw   []byte `json:"raw,omitempty"`  // of POST alone: the frame without its end, in base64
	Lost  int    `json:"lost,omitempty"` // frames right before it that came faster than they could be shown
}

// tapSilence is after how long without a line, which come every 5 s, the kiosk is taken to hang.
const tapSilence = 20 * time.Second

// Tap calls each for every frame that a lane's scanner sends, until that fails or ctx ends; then its error is nil. The only
// lane needs no name. The lane decides as ever. With whole, frames come with their bytes, which may be guests' codes: it
// needs the right to act, and is in the record before.
func (c *Client) Tap(ctx context.Context, lane string, whole bool, each func(Tapped) error) error {
	method, via := http.MethodGet, c.status
	if whole {
		method, via = http.MethodPost, c.control
	}
	waits, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	heard := time.AfterFunc(tapSilence, func() { giveUp(context.DeadlineExceeded) })
	defer heard.Stop()
	req, err := http.NewRequestWithContext(waits, method, "http://kiosk/v1/tap?lane="+url.QueryEscape(lane), http.NoBody)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	resp, err := via.Do(req)
	if err != nil {
		return c.explain(cmp.Or(context.Cause(waits), err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		return errors.Join(refusal(resp.Status, text), err)
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		heard.Reset(tapSilence)
		var t Tapped
		if len(lines.Bytes()) == 0 {
			continue
		}
		if err := json.Unmarshal(lines.Bytes(), &t); err != nil {
			return fmt.Errorf("client: the kiosk's answer cannot be read; are daemon and tool of one version? %w", err)
		}
		if err := each(t); err != nil {
			return err
		}
	}
	switch {
	case ctx.Err() != nil:
		return nil
	case waits.Err() != nil:
		return c.explain(context.Cause(waits))
	}
	return fmt.Errorf("client: %w: it stopped showing frames; gatehouse status tells more", errors.Join(ErrSilent, lines.Err()))
}
