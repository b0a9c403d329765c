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

// Shown is the body of POST /v1/explain: a code as a scanner would read it at a lane, or two, one right after the other.
type Shown struct {
	Lane  string   `json:"lane,omitempty"` // may be left out where there is one lane
	Codes []string `json:"codes"`
}

// Explanation is the answer to POST /v1/explain: what would be answered now, and why. Nothing was recorded.
type Explanation struct {
	Lane  string `json:"lane"`
	Clock Clock  `json:"clock"`
	// Answers are one for each code, in order. A second code has none where the first one is not asked for a second pass.
	Answers []Answer `json:"answers"`
	// Obstacles are what would keep the lane from answering so, whatever the pass: the lane is out of service or closed, the
	// ledger is lost.
	Obstacles []string `json:"obstacles,omitempty"`
}

// Answer is what one code is answered, and why.
type Answer struct {
	Outcome   string `json:"outcome"`
	Reason    string `json:"reason"`
	Sentence  string `json:"sentence"`             // what staff are told
	Remedy    string `json:"remedy,omitempty"`     // what a technician or operator does about it
	Steps     []Step `json:"steps"`                // up to the first that did not hold
	Rule      string `json:"rule,omitempty"`       // the rule that takes the pass
	Outage    bool   `json:"outage,omitempty"`     // it is older than max_age, and outage_max_age takes it
	AnyHolder bool   `json:"any_holder,omitempty"` // the rule wants two passes, and does not compare their holders
	Pass      string `json:"pass,omitempty"`       // eight hex digits, as in events; none for a private kind
}

// Step is one question, its answer and what it was answered from.
type Step struct {
	Step   string  `json:"step"` // lane, belief, verify, revocation, freshness, clock, venue, rule, uses, second
	Held   bool    `json:"held"`
	Note   string  `json:"note,omitempty"`
	Inputs []Input `json:"inputs,omitempty"`
}

// Input is a named value that a step went by. Names may be added; a name can come more than once.
type Input struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Explain asks what codes would be answered now. They go over the socket and nowhere else.
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
