// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package folder is the operator's side of a fleet: a folder of YAML and keys from which signed documents are made.
//
//	fleet.yaml                 bands of freshness of a bundle
//	keys/                      private keys, PKCS #8 in PEM, mode 0600
//	root/1, root/2, …          the roots; the digest of the first is what kiosks pin
//	root/NAME.pub              the public half of a key of keys/, so that it can be told by name while it is kept elsewhere
//	root/next                  a root that waits for signatures
//	issuers/NAME.yaml          an issuer's keys and what each may sign
//	revoked/NAME.txt           ids of an issuer's revoked passes, one a line
//	status/NAME.txt            places in an issuer's status lists, index and id of each pass
//	down/NAME                  since when an issuer's own servers are out of reach, where they are
//	venues/VENUE.yaml          who is admitted there; venues/all.yaml, where it is there, is the fleet's own layer
//	venues/VENUE.key           the venue's secret, under which its kiosks hash passes at rest
//	kiosks/VENUE/KIOSK/        the kiosk's local config and its copy of the venue's secret; policy.yaml is its own layer
//	schema/                    JSON Schemas of the YAML files, for editors
//	published/                 the newest of each document as it was signed: versions go on from here
//
// It deliberately serves nobody and sends nothing: a bundle is a value, and what becomes of it is the caller's matter.
package folder

import (
	"bytes"
	"cmp"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatehouse/entry"
	"gatehouse/fleet"
	"gatehouse/yamlfile"
)

// What can be wrong with a folder. The text says where and what to do.
var (
	ErrNoFleet = errors.New("folder: this is no fleet's folder")
	ErrExists  = errors.New("folder: already there")
	ErrName    = errors.New("folder: not a name")
	ErrUnknown = errors.New("folder: not in this fleet")
	ErrConfig  = errors.New("folder: config is not valid")
	// ErrNoBroker: fleet.yaml names none.
	ErrNoBroker = errors.New("folder: there are bundles only")
	ErrEvents   = errors.New("folder: not a kiosk's record")
	// ErrExposed: a private key that others on this machine can read.
	ErrExposed = errors.New("folder: a secret is open to others")
)

// Folder is an operator's folder. Its files can be edited between calls; nothing is cached.
type Folder struct{ dir string }

//go:embed fleet.yaml.tmpl
var fleetTemplate string

//go:embed venue.yaml.tmpl
var venueTemplate string

//go:embed kiosk.yaml.tmpl
var kioskTemplate string

// settings is fleet.yaml.
type settings struct {
	Format int  `yaml:"format"`
	Bundle ages `yaml:"bundle"`
	// Broker is where kiosks and centre meet, host:port; without it there are bundles only.
	Broker string `yaml:"broker"`
	// Online is for heads that are published every few minutes.
	Online bands `yaml:"online"`
}

// ages are how long the head of a bundle counts.
type ages struct {
	Fresh entry.Duration `yaml:"fresh"`
	Hard  entry.Duration `yaml:"hard"`
}

func (a ages) bands() bands { return bands{Fresh: a.Fresh, Hard: a.Hard} }

// bands are for how long a published head counts, and over what time kiosks begin to fetch what is large.
type bands struct {
	Fresh  entry.Duration `yaml:"fresh"`
	Hard   entry.Duration `yaml:"hard"`
	Spread entry.Duration `yaml:"spread"`
}

// defaultOnlineFresh is three heads that were missed.
const defaultOnlineFresh = entry.Duration(30 * time.Minute)

// online is what fleet.yaml says of published heads.
func (s *settings) online() bands {
	if s.Online == (bands{}) {
		return bands{Fresh: defaultOnlineFresh, Hard: s.Bundle.Hard}
	}
	return s.Online
}

func (f *Folder) path(parts ...string) string {
	return filepath.Join(append([]string{f.dir}, parts...)...)
}

// Venues are the names of all venues.
func (f *Folder) Venues() ([]string, error) {
	venues, err := f.list("venues")
	return slices.DeleteFunc(venues, func(v string) bool { return !fleet.ValidName(v) }), err
}

// Broker is where kiosks and centre meet, host:port.
func (f *Folder) Broker() (string, error) {
	s, err := f.settings()
	if err == nil && s.Broker == "" {
		err = fmt.Errorf("%w: %s names no broker; write for example: broker: broker.example:8883", ErrNoBroker, f.path("fleet.yaml"))
	}
	if err != nil {
		return "", err
	}
	return s.Broker, nil
}

// brokerComment is the line of a new fleet.yaml in whose place a broker is named.
const brokerComment = "# broker: broker.example:8883\n"

// SetBroker names the broker of a fleet whose fleet.yaml names none yet.
func (f *Folder) SetBroker(addr string) error {
	if err := CheckBroker(addr); err != nil {
		return err
	}
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	s, err := f.settings()
	if err != nil {
		return err
	}
	if s.Broker != "" {
		return fmt.Errorf("%w: %s names the broker %s; change it there", ErrExists, f.path("fleet.yaml"), s.Broker)
	}
	text, err := readFile(f.path("fleet.yaml"))
	if err != nil {
		return err
	}
	line := "broker: \"" + addr + "\"\n"
	named, found := bytes.CutSuffix(text, []byte(brokerComment))
	if !found && !bytes.HasSuffix(named, []byte("\n")) {
		named = append(named, '\n')
	}
	return WriteFile(f.path("fleet.yaml"), append(named, line...), readable)
}

// CheckBroker tells whether this can be a broker's address: host:port.
func CheckBroker(addr string) error {
	if host, port, err := net.SplitHostPort(addr); err != nil || host == "" || port == "" || strings.ContainsAny(addr, " \"\\\n") {
		return fmt.Errorf("%w: the broker %q is not host:port; write for example broker.example:8883", ErrConfig, addr)
	}
	return nil
}

// Dir is where the folder is.
func (f *Folder) Dir() string { return f.dir }

// Init makes a fleet in a folder that is empty or not there yet: keys, root and these venues. The root is valid for ten
// years from at.
func Init(dir string, at time.Time, venues ...string) (*Folder, error) {
	for _, v := range venues {
		if err := checkName("venue", v); err != nil {
			return nil, err
		}
	}
	f := &Folder{dir: dir}
	if err := os.MkdirAll(f.path("keys"), 0o700); err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	if exists(f.path("fleet.yaml")) || exists(f.keyPath("head")) {
		return nil, fmt.Errorf("%w: %s holds a fleet; its keys are never made anew. Choose another folder", ErrExists, dir)
	}
	if err := f.makeRoot(at); err != nil {
		return nil, err
	}
	if err := f.WriteSchemas(); err != nil {
		return nil, err
	}
	// Written last: a folder without it is not taken for a fleet's.
	if err := writeNew(f.path("fleet.yaml"), []byte(fleetTemplate), readable); err != nil {
		return nil, err
	}
	for _, v := range venues {
		if err := f.AddVenue(v); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// Open opens a fleet's folder.
func Open(dir string) (*Folder, error) {
	f := &Folder{dir: dir}
	if !exists(f.path("fleet.yaml")) {
		return nil, fmt.Errorf("%w: %s has no fleet.yaml; make one with: gatehouse-fleet init %s", ErrNoFleet, dir, dir)
	}
	if _, err := f.settings(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *Folder) settings() (*settings, error) {
	s := &settings{}
	path := f.path("fleet.yaml")
	text, err := readYAML(path, s)
	if err != nil {
		return nil, err
	}
	at := func(key string) int { return yamlfile.Line(text, "$."+key) }
	fresh, hard := time.Duration(s.Bundle.Fresh), time.Duration(s.Bundle.Hard)
	switch {
	case s.Format != 1:
		return nil, faultAt(path, at("format"), "format %d; this version knows format 1", s.Format)
	case fresh <= 0:
		return nil, faultAt(path, at("bundle.fresh"), "bundle.fresh must be there and longer than nothing; write 7d")
	case hard < fresh:
		return nil, faultAt(path, at("bundle.hard"), "bundle.hard must be at least bundle.fresh; write 30d")
	case s.Online != (bands{}) && (s.Online.Fresh <= 0 || s.Online.Hard < s.Online.Fresh):
		return nil, faultAt(path, at("online"), "online needs fresh, longer than nothing, and hard, at least as long; write {fresh: 30m, hard: 7d}")
	case s.Online.Spread < 0 || s.Online.Spread > 0 && s.Online.Spread >= s.Online.Fresh:
		return nil, faultAt(path, at("online.spread"), "online.spread must be shorter than online.fresh, or kiosks are stale before they may fetch; write 10m")
	}
	if s.Broker != "" {
		if CheckBroker(s.Broker) != nil {
			return nil, faultAt(path, at("broker"), "broker %q is not host:port; write for example broker.example:8883", s.Broker)
		}
	}
	return s, nil
}

// Pin is the digest of the fleet's first root, which every kiosk's config names.
func (f *Folder) Pin() (fleet.Digest, error) {
	d, err := f.readDocument(f.path("root", "1"))
	return d.Digest(), err
}

// AddVenue makes a venue: its rule, an example to be edited, and its secret.
func (f *Folder) AddVenue(name string) error {
	if err := checkName("venue", name); err != nil {
		return err
	}
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	path := f.path("venues", name+".yaml")
	if exists(path) {
		return fmt.Errorf("%w: %s", ErrExists, path)
	}
	// The secret first: the YAML is what makes it a venue, and no venue may be without. One that a crash left behind is
	// taken, for it may have been copied to a kiosk.
	if secret := f.path("venues", name+".key"); !exists(secret) {
		if err := writeNew(secret, newSecret(), private); err != nil {
			return err
		}
	}
	return writeNew(path, []byte(strings.ReplaceAll(venueTemplate, "VENUE", name)), readable)
}

func newSecret() []byte {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	return []byte(hex.EncodeToString(secret) + "\n")
}

// AddKiosk makes the local config of a kiosk, with the root pinned and the venue's secret beside it, and returns its folder.
func (f *Folder) AddKiosk(p fleet.Place) (dir string, err error) {
	if err := p.Validate(); err != nil {
		return "", fmt.Errorf("%w: %w", ErrName, err)
	}
	if err := f.checkVenue(p.Venue); err != nil {
		return "", err
	}
	unlock, err := f.lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	pin, err := f.Pin()
	if err != nil {
		return "", err
	}
	secret, err := readPrivate(f.path("venues", p.Venue+".key"))
	if err != nil {
		return "", err
	}
	dir = f.path("kiosks", p.Venue, p.Kiosk)
	path := filepath.Join(dir, "gatehouse.yaml")
	if exists(path) {
		return "", fmt.Errorf("%w: %s", ErrExists, path)
	}
	if err := WriteFile(filepath.Join(dir, "venue.key"), secret, private); err != nil { // the secret first, as above
		return "", err
	}
	s, err := f.settings()
	if err != nil {
		return "", err
	}
	sync := "sync: {brokers: [\"" + cmp.Or(s.Broker, "broker.example:8883") + "\"], ca: broker-ca.pem, certificate: kiosk.pem, key: kiosk.key}\n"
	if s.Broker == "" {
		sync = "# " + sync
	}
	text := strings.NewReplacer("SYNC", sync, "VENUE", p.Venue, "KIOSK", p.Kiosk, "ROOT", pin.String()).Replace(kioskTemplate)
	return dir, writeNew(path, []byte(text), readable)
}

func checkName(what, name string) error {
	if !fleet.ValidName(name) {
		return fmt.Errorf("%w: %s %q; use 1 to 32 of a-z, 0-9 and -, and not \"all\"", ErrName, what, name)
	}
	return nil
}

func (f *Folder) checkVenue(name string) error {
	if err := checkName("venue", name); err != nil {
		return err
	}
	if !exists(f.path("venues", name+".yaml")) {
		return fmt.Errorf("%w: venue %s; there are: %s. Make it with: gatehouse-fleet venue add %s", ErrUnknown, name, f.names("venues"), name)
	}
	return nil
}

// names lists what has a YAML file in a part of the folder, for an error that helps.
func (f *Folder) names(part string) string {
	names, err := f.list(part)
	if err != nil || len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// list are the names of the YAML files in a part of the folder, in order.
func (f *Folder) list(part string) ([]string, error) {
	entries, err := readDir(f.path(part))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".yaml"); ok && fleet.ValidName(name) {
			names = append(names, name)
		}
	}
	return names, nil
}
