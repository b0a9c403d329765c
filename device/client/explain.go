// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// MaxCode bounds a code that is asked about, in bytes: the most that one QR code can carry, and some more.
const MaxCode = 8 << 10

// Shown is the body of POST /v1/explain: a code as a scanner would read it at a lane.
type Shown struct {
	Lane string `json:"lane,omitempty"` // may be left out where there is one lane
	Code string `json:"code"`
}

// Explanation is the answer to POST /v1/explain: what would be answered now, and why. Nothing was recorded.
type Explanation struct {
	Lane     string `json:"lane"`
	Clock    Clock  `json:"clock"`
	Outcome  string `json:"outcome"`
	Reason   string `json:"reason"`
	Sentence string `json:"sentence"` // what staff are told
	Steps    []Step `json:"steps"`    // up to the first that did not hold
	// Obstacles are what would keep the lane from answering so, whatever the pass: the lane is out of service, the ledger
	// is lost.
	Obstacles []string `json:"obstacles,omitempty"`
	Pass      string   `json:"pass,omitempty"` // eight hex digits, as in events; none for a private kind
}

// Step is one question, its answer and what it was answered from.
type Step struct {
	Step   string  `json:"step"` // belief, verify, revocation, freshness, clock, venue, rule, uses
	Held   bool    `json:"held"`
	Note   string  `json:"note,omitempty"`
	Inputs []Input `json:"inputs,omitempty"`
}

// Input is a named value that a step went by. Names may be added; a name can come more than once.
type Input struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Explain asks what a code would be answered now. The code goes over the socket and nowhere else.
func (c *Client) Explain(ctx context.Context, shown Shown) (*Explanation, error) {
	var e Explanation
	return &e, c.post(ctx, soon, c.status, "/v1/explain", shown, &e)
}

// post sends a body as JSON.
func (c *Client) post(ctx context.Context, patience time.Duration, via *http.Client, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	return c.send(ctx, patience, via, http.MethodPost, path, bytes.NewReader(text), int64(len(text)), answer)
}
