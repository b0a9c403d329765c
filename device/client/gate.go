// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"net/url"
)

// Order is the body of POST /v1/lanes/{lane}/open.
type Order struct {
	Reason string `json:"reason"` // one line of at most 200 bytes; it is recorded
}

// Opened is the answer to POST /v1/lanes/{lane}/open: the relay has risen.
type Opened struct {
	Lane  string `json:"lane"`
	Event uint64 `json:"event"` // its number in the record
	By    string `json:"by"`    // who asked, as the machine knows him and as it is recorded
}

// Open opens a lane for one pulse, for a reason. It is recorded before the lane opens; with an error the lane stayed shut,
// but for one of the gate, which says so.
func (c *Client) Open(ctx context.Context, lane string, o Order) (*Opened, error) {
	var opened Opened
	return &opened, c.post(ctx, soon, c.control, "/v1/lanes/"+url.PathEscape(lane)+"/open", o, &opened)
}
