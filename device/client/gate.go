// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"net/url"
)

// Order is the body of POST /v1/lanes/{lane}/open, /close and /release.
type Order struct {
	Reason string `json:"reason"` // one line of at most 200 bytes; it is recorded
}

// Obeyed is the answer to an order.
type Obeyed struct {
	Lane  string `json:"lane"`
	Event uint64 `json:"event"` // its number in the record
	By    string `json:"by"`    // who asked, as the machine knows him and as it is recorded
}

// OpenLane opens a lane for one pulse, for a reason. It is recorded before the lane opens; with an error the lane stayed shut,
// but for one of the gate, which says so. A closed lane stays closed to the next.
func (c *Client) OpenLane(ctx context.Context, lane string, o Order) (*Obeyed, error) {
	return c.order(ctx, lane, "open", o)
}

// CloseLane has a lane answer every code with lane_closed until ReleaseLane, over a restart too. It is recorded before it holds;
// with an error the lane stayed as it was.
func (c *Client) CloseLane(ctx context.Context, lane string, o Order) (*Obeyed, error) {
	return c.order(ctx, lane, "close", o)
}

// ReleaseLane has a lane that was closed decide again. It is recorded before it holds; with an error the lane stayed as it was.
func (c *Client) ReleaseLane(ctx context.Context, lane string, o Order) (*Obeyed, error) {
	return c.order(ctx, lane, "release", o)
}

func (c *Client) order(ctx context.Context, lane, what string, o Order) (*Obeyed, error) {
	var obeyed Obeyed
	return &obeyed, c.post(ctx, soon, c.control, "/v1/lanes/"+url.PathEscape(lane)+"/"+what, o, &obeyed)
}
