// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package client is the local API of a kiosk as its callers see it: the shapes of the answers and a client over the two
// unix sockets. It has nothing of the kiosk's inside, so that a tool that uses it stays small.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"syscall"
	"time"
)

// The two sockets in the kiosk's run folder. Who may read one may ask; who may write to the other may act.
const (
	StatusSocket  = "status.sock"
	ControlSocket = "control.sock"
)

// DefaultRun is the run folder of an installed kiosk.
const DefaultRun = "/run/gatehouse"

// MaxBundle bounds a bundle that is sent for import, in bytes.
const MaxBundle = 64 << 20

// How long an answer is waited for. The long ones write to a slow card, or read a whole ledger.
const (
	soon = 10 * time.Second
	late = 5 * time.Minute
)

var (
	// ErrNotRunning means that nothing listens: the daemon is dead or keeps its sockets elsewhere.
	ErrNotRunning = errors.New("no kiosk answers here")
	// ErrSilent means that a daemon is there and says nothing: it hangs, or is stopped.
	ErrSilent = errors.New("the kiosk does not answer")
	// ErrPermission means that this user may not use the socket.
	ErrPermission = errors.New("you may not use this socket")
	// ErrRefused is wrapped around what the kiosk refused, with its own words.
	ErrRefused = errors.New("the kiosk refused")
)

// Status is the answer to GET /v1/status.
type Status struct {
	Venue      string      `json:"venue"`
	Kiosk      string      `json:"kiosk"`
	Version    string      `json:"version"`
	Started    time.Time   `json:"started"`
	Ready      bool        `json:"ready"` // at least one lane can admit
	Lanes      []Lane      `json:"lanes"`
	Data       Data        `json:"data"`
	Clock      Clock       `json:"clock"`
	Ledger     Ledger      `json:"ledger"`
	Conditions []Condition `json:"conditions"`
}

// Lane is one lane now.
type Lane struct {
	Name    string `json:"name"`
	Scanner string `json:"scanner"`          // "connected", or what is wrong
	Gate    string `json:"gate"`             // "in service", or what is wrong; only a lamp may be
	Sensor  string `json:"sensor,omitempty"` // "well", or what is wrong; empty where none is wired
	// Mode is in (by pass), out, or by the hours of the signed config: closed (nobody) or free (everybody).
	Mode     string            `json:"mode"`
	Exit     string            `json:"exit,omitempty"`   // the same of the exit contact
	Fire     string            `json:"fire,omitempty"`   // the same of the fire contact; an alarm is told here too
	Closed   *Closed           `json:"closed,omitempty"` // staff closed it: every code is answered lane_closed
	Tapped   bool              `json:"tapped,omitempty"` // a technician looks at the frames of its scanner
	Scans    uint64            `json:"scans"`            // since start
	Outcomes map[string]uint64 `json:"outcomes"`
	Last     string            `json:"last,omitempty"` // reason of the last decision
	LastAt   time.Time         `json:"last_at,omitzero"`
}

// Closed tells by which event a lane was closed.
type Closed struct {
	Event uint64    `json:"event"` // 0: it cannot be read
	At    time.Time `json:"at"`
	Note  string    `json:"note"` // who closed it, and why
}

// Clock is what the kiosk takes for the time.
type Clock struct {
	At       time.Time `json:"at"`              // by which it decides
	State    string    `json:"state"`           // synced, never_synced, or behind: decided by the floor
	SyncedAt time.Time `json:"synced,omitzero"` // when something last kept it right
}

// Data is what the kiosk believes.
type Data struct {
	Freshness  string     `json:"freshness"` // none, fresh, stale or hard
	Signed     time.Time  `json:"signed,omitzero"`
	FreshUntil time.Time  `json:"fresh_until,omitzero"`
	HardAfter  time.Time  `json:"hard_after,omitzero"`
	Incomplete []string   `json:"incomplete,omitempty"`
	Documents  []Document `json:"documents"`
	Down       []Outage   `json:"down,omitempty"`      // issuers whose own servers are out of reach, as the newest head says
	Emergency  []Measure  `json:"emergency,omitempty"` // what is taken now and would not be taken else
}

// Outage is an issuer that is down.
type Outage struct {
	Issuer string    `json:"issuer"`
	Since  time.Time `json:"since"`
}

// Measure is an emergency measure in force: a rule takes older passes of some issuers. They are down, or what is known of
// them is stale.
type Measure struct {
	Rule         string   `json:"rule"`
	Kind         string   `json:"kind"` // of pass
	Issuers      []string `json:"issuers"`
	MaxAge       string   `json:"max_age"`        // "1d", "36h0m0s": how old passes may be without an outage
	OutageMaxAge string   `json:"outage_max_age"` // how old they may be now
}

// Document is one document in force.
type Document struct {
	Kind    string `json:"kind"`
	Scope   string `json:"scope"`
	Version uint64 `json:"version"`
	// Freshness is that of an issuer's revocations which are older than the rest: passes of that issuer are judged by it.
	Freshness string `json:"freshness,omitempty"`
}

// Ledger is the record.
type Ledger struct {
	ID      string `json:"id"`
	Events  uint64 `json:"events"`  // number of the last event
	Commits uint64 `json:"commits"` // durable writes since start
	// Received is the number of the last event that the fleet's collector acknowledged; 0 before the first.
	Received uint64 `json:"received,omitempty"`
}

// Chain is the answer to GET /v1/ledger/check: every event that is kept, from the first to the last, is the one that was
// recorded.
type Chain struct {
	First uint64 `json:"first"` // number of the first event; those before it were pruned
	Last  uint64 `json:"last"`  // number of the last event; 0 before there is one
	Link  string `json:"link"`  // the chain's hash there, in hex
}

// Condition is something that is wrong now and has lasted for a while; see gatehouse fault CODE and docs/runbook.md.
type Condition struct {
	Code     string      `json:"code"` // GH-101: stable, unlike name and text
	Name     string      `json:"name"`
	Lane     string      `json:"lane,omitempty"`     // of which lane; none: of the kiosk
	Severity string      `json:"severity"`           // error or warning
	Text     string      `json:"text"`               // what was found, and what to do about it
	Since    time.Time   `json:"since"`              // when it came; for one that comes and goes, the first time
	Times    int         `json:"times"`              // how often it came since then
	LeadsTo  []Condition `json:"leads_to,omitempty"` // what follows from it and is not told by itself
}

// Imported is the answer to POST /v1/import.
type Imported struct {
	Changed []string `json:"changed"` // the documents that are new; empty when all were known
}

// Failure is the body of every refusal.
type Failure struct {
	Error string `json:"error"`
}

// Client talks to one kiosk.
type Client struct {
	run             string
	status, control *http.Client
}

// Dial prepares a client for the kiosk whose sockets are in a folder. Nothing is connected before the first call.
func Dial(run string) *Client {
	return &Client{run: run, status: over(filepath.Join(run, StatusSocket)), control: over(filepath.Join(run, ControlSocket))}
}

func over(socket string) *http.Client {
	var d net.Dialer
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", socket)
		},
		DisableKeepAlives: true,
	}}
}

// Status asks how the kiosk is.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	var s Status
	return &s, c.call(ctx, soon, c.status, http.MethodGet, "/v1/status", &s)
}

// Import hands the kiosk a bundle of signed documents. It is applied whole or not at all.
func (c *Client) Import(ctx context.Context, bundle []byte) (*Imported, error) {
	return c.ImportFrom(ctx, bytes.NewReader(bundle), int64(len(bundle)))
}

// ImportFrom hands the kiosk a bundle of size bytes that is read as it is sent.
func (c *Client) ImportFrom(ctx context.Context, bundle io.Reader, size int64) (*Imported, error) {
	var i Imported
	return &i, c.send(ctx, late, c.control, http.MethodPost, "/v1/import", bundle, size, &i)
}

// CheckLedger has the kiosk follow the chain of its events; the error of a broken one is ErrRefused.
func (c *Client) CheckLedger(ctx context.Context) (*Chain, error) {
	var chain Chain
	return &chain, c.call(ctx, late, c.status, http.MethodGet, "/v1/ledger/check", &chain)
}

// AcceptLoss tells the kiosk to go on without the ledger that it lost.
func (c *Client) AcceptLoss(ctx context.Context) error {
	return c.call(ctx, soon, c.control, http.MethodPost, "/v1/ledger/accept-loss", &struct{}{})
}

// call asks without a body.
func (c *Client) call(ctx context.Context, patience time.Duration, via *http.Client, method, path string, answer any) error {
	return c.send(ctx, patience, via, method, path, http.NoBody, 0, answer)
}

func (c *Client) send(ctx context.Context, patience time.Duration, via *http.Client, method, path string, body io.Reader, size int64, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://kiosk"+path, body)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	req.ContentLength = size
	resp, err := via.Do(req)
	if err != nil {
		return c.explain(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return c.explain(err)
	}
	if resp.StatusCode != http.StatusOK {
		return refusal(resp.Status, text)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("client: the kiosk's answer cannot be read; are daemon and tool of one version? %w", err)
	}
	return nil
}

// refusal is what the kiosk said when it refused.
func refusal(status string, body []byte) error {
	var f Failure
	if json.Unmarshal(body, &f) != nil || f.Error == "" {
		f.Error = status
	}
	return fmt.Errorf("client: %w: %s", ErrRefused, f.Error)
}

func (c *Client) explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("client: %w (%s); start it with: systemctl start gatehoused, or name its folder with --run", ErrNotRunning, c.run)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("client: %w (%s); become root or join the group of the sockets", ErrPermission, c.run)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("client: %w (%s); it may be busy, or hang: look at its log, and restart it with: systemctl restart gatehoused", ErrSilent, c.run)
	}
	return fmt.Errorf("client: %w", err)
}
