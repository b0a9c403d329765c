// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package torture

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/fleet"
	"gatehouse/fleet/folder"
)

const (
	venue  = "arena"
	issuer = "box-office"
)

// rule is what the venue admits: tickets once, pairs twice, its staff always.
const rule = `accept:
  - name: ticket
    all: [{kind: ticket, issuers: [box-office], uses: 1}]
  - name: pair
    all: [{kind: pair, issuers: [box-office], uses: 2}]
  - name: staff
    all: [{kind: staff, issuers: [box-office]}]
`

// pass is a pass that may be shown.
type pass struct {
	id    string // in hex, as the operator knows it
	code  string
	hash  entry.PassHash // as the ledger knows it
	limit int            // 0: none
}

// crowd are the people who come to the gates, and the operator whose passes they have.
type crowd struct {
	fleet    *folder.Folder
	venueKey []byte

	mu      sync.Mutex
	chance  *rand.Rand
	shown   []*pass // the newest last
	revoked []*pass // the kiosk acknowledged it
}

// remembered is how many of the passes that were shown may be shown again.
const remembered = 12

func newCrowd(dir string, seed uint64) (*crowd, error) {
	f, err := folder.Init(dir, time.Now(), venue)
	if err != nil {
		return nil, err
	}
	if err := folder.WriteFile(filepath.Join(dir, "venues", venue+".yaml"), []byte(rule), 0o644); err != nil {
		return nil, err
	}
	if err := f.AddIssuer(issuer, folder.IssuerOptions{}); err != nil {
		return nil, err
	}
	return &crowd{fleet: f, chance: rand.New(rand.NewPCG(seed, 1))}, nil
}

// issue makes a new pass.
func (c *crowd) issue(kind string, limit int) (*pass, error) {
	id := make([]byte, 16)
	for i := range id {
		id[i] = byte(c.chance.Uint32())
	}
	issued, err := c.fleet.Issue(issuer, credential.Claims{ID: id, Kind: kind, Expires: time.Now().Add(24 * time.Hour), Scope: []string{venue}})
	if err != nil {
		return nil, err
	}
	hash := entry.HashPass(c.venueKey, &credential.Pass{Format: credential.GH1, Issuer: issuer, ID: id})
	return &pass{id: issued.ID, code: issued.Code, hash: hash, limit: limit}, nil
}

// next is who comes now: somebody new, somebody who was here before or stands at the other lane at this moment, or
// somebody whose pass was revoked.
func (c *crowd) next() (*pass, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch n := c.chance.IntN(20); {
	case n < 7 && len(c.shown) > 0:
		return c.shown[c.chance.IntN(len(c.shown))], nil
	case n == 7 && len(c.revoked) > 0:
		return c.revoked[c.chance.IntN(len(c.revoked))], nil
	}
	kind, limit := "ticket", 1
	switch c.chance.IntN(8) {
	case 0:
		kind, limit = "pair", 2
	case 1:
		kind, limit = "staff", 0
	}
	p, err := c.issue(kind, limit)
	if err != nil {
		return nil, err
	}
	if c.shown = append(c.shown, p); len(c.shown) > remembered {
		c.shown = c.shown[1:]
	}
	return p, nil
}

// staysAway tells whether somebody who was let in does not go through.
func (c *crowd) staysAway() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.chance.IntN(6) == 0
}

// whoIsNew is a ticket that nobody showed yet.
func (c *crowd) whoIsNew() (*pass, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.issue("ticket", 1)
}

// remove revokes a new pass, and gives it with the bundle that says so.
func (c *crowd) remove() (*pass, *fleet.Bundle, error) {
	p, err := c.whoIsNew()
	if err != nil {
		return nil, nil, err
	}
	if _, err := c.fleet.Revoke(issuer, p.id); err != nil {
		return nil, nil, err
	}
	b, err := c.fleet.Bundle(venue, time.Now())
	return p, b, err
}

// barred notes that the kiosk knows of a revocation.
func (c *crowd) barred(p *pass) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.revoked = append(c.revoked, p)
}

// provision makes what a technician puts on a kiosk, and gives the path of the local config.
func (c *crowd) provision(dir string, lanes []*lane) (config string, err error) {
	made, err := c.fleet.AddKiosk(fleet.Place{Venue: venue, Kiosk: "gate-1"})
	if err != nil {
		return "", err
	}
	key, err := os.ReadFile(filepath.Join(made, "venue.key"))
	if err != nil {
		return "", err
	}
	if _, err := fmt.Sscanf(string(key), "%x", &c.venueKey); err != nil {
		return "", err
	}
	pin, err := c.fleet.Pin()
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("venue: %s\nkiosk: gate-1\nroot: %s\nstate: state\nrun: run\nvenue_key: venue.key\nlanes:\n", venue, pin)
	for _, l := range lanes {
		text += fmt.Sprintf("  - name: %s\n    pulse: 100ms\n    refusal: 100ms\n    scanner: {port: %s, baud: 115200, same_code: 1ms}\n    gpio: {relay: {line: %s}}\n",
			l.name, l.scanner.Path(), l.name)
		if l.sensor {
			text = strings.TrimSuffix(text, "}}\n") + fmt.Sprintf("}, passage: {line: %s-passage}}\n    turnstile_wait: 100ms\n    passage_timeout: 2100ms\n", l.name)
		}
	}
	config = filepath.Join(dir, "gatehouse.yaml")
	if err := os.WriteFile(filepath.Join(dir, "venue.key"), key, 0o600); err != nil {
		return "", err
	}
	return config, os.WriteFile(config, []byte(text), 0o600)
}
