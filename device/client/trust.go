// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"net/http"
	"time"
)

// Trust is the answer to GET /v1/trust: the signed documents in force and the issuers that they name.
type Trust struct {
	Freshness  string         `json:"freshness"` // none, fresh, stale or hard
	Clock      Clock          `json:"clock"`
	Documents  []DocumentAges `json:"documents"`
	Incomplete []string       `json:"incomplete,omitempty"` // signed, and not on this kiosk
	Issuers    []Issuer       `json:"issuers"`
}

// DocumentAges is one document in force. Its age is the signed time of the newest head that names this version.
type DocumentAges struct {
	Kind       string    `json:"kind"`
	Scope      string    `json:"scope"`
	Version    uint64    `json:"version"`
	Signed     time.Time `json:"signed"`
	FreshUntil time.Time `json:"fresh_until"`
	HardAfter  time.Time `json:"hard_after"`
	Freshness  string    `json:"freshness"` // fresh, stale or hard
}

// Issuer is an issuer whose passes can be verified.
type Issuer struct {
	Name string `json:"name"`
	Keys []Key  `json:"keys"`
	// Down is since when its own servers are out of reach, as the newest head says; absent where they are not.
	Down time.Time `json:"down,omitzero"`
}

// Key is a key of an issuer.
type Key struct {
	ID        string    `json:"id"` // in hex, as events and gatehouse decode name it
	Algorithm string    `json:"algorithm"`
	Formats   []string  `json:"formats"`
	Kinds     []string  `json:"kinds,omitempty"`  // none: every kind
	Scopes    []string  `json:"scopes,omitempty"` // none: everywhere
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
}

// Asked is the body of POST /v1/revoked: a pass by its code, or by issuer and id.
type Asked struct {
	Code   string `json:"code,omitempty"`
	Issuer string `json:"issuer,omitempty"`
	ID     string `json:"id,omitempty"` // cti of a Gatehouse pass, in hex
}

// Revocation is the answer to POST /v1/revoked.
type Revocation struct {
	Issuer string `json:"issuer"`
	State  string `json:"state"`        // revoked, not_revoked, or unknown: a list that the pass names is not here
	By     string `json:"by,omitempty"` // of a revoked pass: id, or status_list
	// Other is what else is wrong with a pass that was given as a code (expired, not_yet_valid).
	Other     string         `json:"other,omitempty"`
	Now       time.Time      `json:"now"`       // what the kiosk takes for the time
	Documents []DocumentAges `json:"documents"` // the issuer's lists; none where it revokes nothing
}

// Chip is a GPIO chip of the kiosk.
type Chip struct {
	Name  string `json:"name"`
	Label string `json:"label"`
	Path  string `json:"path"`
	Lines []Line `json:"lines"` // those that have a name
}

// Line is a line of a chip.
type Line struct {
	Number   int    `json:"number"`
	Name     string `json:"name"`
	Consumer string `json:"consumer,omitempty"` // who held it when the daemon first looked
	Wired    string `json:"wired,omitempty"`    // what the local config has it for: lane and output
}

// Lines is the answer to GET /v1/lines.
type Lines struct {
	Chips []Chip `json:"chips"`
}

// Trust asks what the kiosk believes.
func (c *Client) Trust(ctx context.Context) (*Trust, error) {
	var t Trust
	return &t, c.call(ctx, soon, c.status, http.MethodGet, "/v1/trust", &t)
}

// Revoked asks whether a pass is revoked. A code goes over the socket and nowhere else.
func (c *Client) Revoked(ctx context.Context, asked Asked) (*Revocation, error) {
	var r Revocation
	return &r, c.post(ctx, soon, c.status, "/v1/revoked", asked, &r)
}

// Lines asks for the GPIO chips and their named lines.
func (c *Client) Lines(ctx context.Context) (*Lines, error) {
	var l Lines
	return &l, c.call(ctx, soon, c.status, http.MethodGet, "/v1/lines", &l)
}
