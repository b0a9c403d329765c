// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"gatehouse/credential"
	"gatehouse/credential/credentialtest"
	"gatehouse/device/client"
	"gatehouse/fleet"
	"gatehouse/fleet/folder"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
	"gatehouse/scanner/scannertest"
)

// stage is what the morning is played on: an operator's fleet, a scanner, a board, a clock and a kiosk.
type stage struct {
	dir, config, run, boardSocket, handsFile string

	begin   time.Time // of the story
	hands   *hands
	fleet   *folder.Folder
	dsc     *credentialtest.Signer // of the EU certificates
	scanner *scannertest.Scanner
	board   *gatetest.Board
	journal *journal
	client  *client.Client
	kiosk   *kiosk
	office  *office
	failed  bool // keep the folder: somebody wants to look at the log

	bundle, former []byte // the newest that was imported, and the one before
	imports        int    // bundles that changed something, each an event
	exits          int    // how often somebody was let out
	orders         int    // how often the operator opened the gate
	published      time.Time
	seen           uint64 // the kiosk's last event before the broker came back
	shown          []string
	last           time.Time // when the last code was shown
	explained      []string  // codes that the technician asked about
}

const (
	venue = "arena"
	lane  = "in-1"
)

// gate1 is the kiosk's place in its fleet.
func gate1() fleet.Place { return fleet.Place{Venue: venue, Kiosk: "gate-1"} }

// anyCertificate is the key usage of a signing certificate that names none: it may sign every kind.
const anyCertificate credential.DCCUsage = 0

// bands are short, so that one morning sees all of them. A venue has days.
const bands = `format: 1
bundle: {fresh: 30m, hard: 3h}
online: {fresh: 30m, hard: 3h}
`

// issuers sign Gatehouse passes: the arena and the city its tickets, a province, a city and another province health codes,
// and three telephone companies travel codes.
var issuers = []string{"arena", "guangdong", "shenzhen", "shaanxi", "telecom", "mobile", "unicom"}

// rule is who is admitted this morning.
const rule = `time_zone: Asia/Shanghai
accept:
  - name: day ticket
    all: [{kind: ticket, issuers: [arena, shenzhen], uses: 1}]
  - name: health and travel
    all:
      - {kind: health, issuers: [guangdong, shenzhen, shaanxi], level: [green], max_age: 24h, outage_max_age: 72h}
      - {kind: travel, issuers: [telecom, mobile, unicom], level: [green], max_age: 24h, outage_max_age: 72h}
    same_holder: true
    pair_within: 20s
` + certificateRule + `lanes:
  in-1: {pulse: 150ms}
record: {deadline: 10s}
`

// certificateRule is the part of it that becomes stricter in the end.
const certificateRule = `  - name: EU certificate
    all: [{kind: health, issuers: [at], level: [vaccinated, recovered, negative]}]
`

// sameCode is how long a code must be out of sight to be read again.
const sameCode = 300 * time.Millisecond

// config is the kiosk's wiring: the pty, and a board that is not there. Its times are short, so that the morning is.
const config = `venue: arena
kiosk: gate-1
root: %s
state: state
run: run
venue_key: venue.key
bundle: arena.bundle
lanes:
  - name: in-1
    inert: secured
    refusal: 200ms
    exit_pulse: 300ms
    passage_timeout: 2100ms
    turnstile_wait: 100ms
    scanner: {port: %s, baud: 115200, same_code: %v}
    gpio: {relay: {line: relay}, passage: {line: passage}, exit: {line: exit}}
`

func newStage(ctx context.Context) (s *stage, err error) {
	dir, err := os.MkdirTemp("", "gatehouse-demo-")
	if err != nil {
		return nil, err
	}
	s = &stage{dir: dir, begin: opening(time.Now()), handsFile: filepath.Join(dir, "hands")}
	defer func() {
		if err != nil {
			s.failed = ctx.Err() == nil
			s.close()
		}
	}()
	if s.hands, err = newHands(s.handsFile, s.begin); err != nil {
		return nil, err
	}
	if s.journal, err = newJournal(filepath.Join(dir, "kiosk.log")); err != nil {
		return nil, err
	}
	if err := s.makeFleet(); err != nil {
		return nil, err
	}
	s.scanner = scannertest.New(filepath.Join(dir, "scanner"), "\r")
	if err := s.scanner.Plug(); err != nil {
		return nil, err
	}
	s.board = gatetest.New(gatetest.Config{})
	s.boardSocket = filepath.Join(dir, "board.sock")
	if err := s.board.Listen(s.boardSocket); err != nil {
		return nil, err
	}
	if err := s.provision(); err != nil {
		return nil, err
	}
	if s.office, err = newOffice(s); err != nil {
		return nil, err
	}
	return s, s.startKiosk(ctx)
}

// makeFleet does what an operator does once: keys, a rule and the issuers. The last one signs EU certificates.
func (s *stage) makeFleet() (err error) {
	now := s.hands.now()
	if s.fleet, err = folder.Init(filepath.Join(s.dir, "fleet"), now, venue); err != nil {
		return err
	}
	for name, text := range map[string]string{"fleet.yaml": bands, filepath.Join("venues", venue+".yaml"): rule} {
		if err := folder.WriteFile(filepath.Join(s.fleet.Dir(), name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, issuer := range issuers {
		if err := s.fleet.AddIssuer(issuer, folder.IssuerOptions{}); err != nil {
			return err
		}
	}
	if s.dsc, err = credentialtest.NewSigner("AT", credential.ES256, anyCertificate, now.AddDate(0, -1, 0), now.AddDate(1, 0, 0)); err != nil {
		return err
	}
	return s.fleet.AddIssuer("at", folder.IssuerOptions{Certificates: [][]byte{s.dsc.Certificate}})
}

// provision does what a technician does once: the local config, the venue's secret and the first bundle.
func (s *stage) provision() error {
	made, err := s.fleet.AddKiosk(gate1())
	if err != nil {
		return err
	}
	pin, err := s.fleet.Pin()
	if err != nil {
		return err
	}
	key, err := os.ReadFile(filepath.Join(made, "venue.key"))
	if err != nil {
		return err
	}
	if s.bundle, err = s.signBundle(); err != nil {
		return err
	}
	s.imports++
	home := filepath.Join(s.dir, "kiosk")
	s.config, s.run = filepath.Join(home, "gatehouse.yaml"), filepath.Join(home, "run")
	s.client = client.Dial(s.run)
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"gatehouse.yaml": fmt.Appendf(nil, config, pin, s.scanner.Path(), sameCode), "venue.key": key, "arena.bundle": s.bundle,
	} {
		if err := os.WriteFile(filepath.Join(home, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// signBundle signs what has changed in the fleet's folder.
func (s *stage) signBundle() ([]byte, error) {
	b, err := s.fleet.Bundle(venue, s.hands.now())
	if err != nil {
		return nil, err
	}
	return b.Encode()
}

// levels are what a person at the gate sees.
func (s *stage) levels() (open, refused bool) {
	return s.board.Level(lane, gate.Relay), s.board.Level(lane, gate.Red)
}

// close ends the kiosk and takes the stage down.
func (s *stage) close() {
	s.kiosk.end(syscall.SIGTERM)
	var errs []error
	if s.scanner != nil {
		errs = append(errs, s.scanner.Unplug())
	}
	if s.board != nil {
		errs = append(errs, s.board.Close())
	}
	errs = append(errs, s.office.close(), s.journal.close(), s.hands.close())
	if s.failed {
		fmt.Fprintf(os.Stderr, "gatehouse-demo: %s is kept; the kiosk's log is kiosk.log in it\n", s.dir)
	} else {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(os.Stderr, "gatehouse-demo:", err)
	}
}
