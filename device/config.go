// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gatehouse/entry"
	"gatehouse/fleet"
	"gatehouse/gate"
	"gatehouse/gate/gpio"
	"gatehouse/scanner"
	"gatehouse/yamlfile"
)

// ErrConfig is wrapped by every fault of a local config. The text has the file, the line and what to write there.
var ErrConfig = errors.New("device: the local config is not valid")

// ErrVenueKey is an ErrConfig: the key alone is at fault.
var ErrVenueKey = fmt.Errorf("%w: venue_key", ErrConfig)

// Config is the local config of one kiosk: what it is, where it keeps its things and how it is wired. The rules of the
// venue are not in it; they come signed.
type Config struct {
	Venue string `yaml:"venue"`
	Kiosk string `yaml:"kiosk"`
	// Root is the digest of the fleet's first root document, "sha256:…": all trust begins here.
	Root fleet.Digest `yaml:"root"`
	// State is the folder of trust.db and ledger.db, Run that of the two sockets of the local API. Both are made
	// where they are missing. Relative paths are taken from the config's own folder.
	State string `yaml:"state"`
	Run   string `yaml:"run"`
	// VenueKey is a file with the venue's secret, 32 bytes in hex, under which passes are hashed at rest.
	VenueKey string `yaml:"venue_key"`
	// Bundle is a file of signed documents that is applied at start if it is newer; optional.
	Bundle string       `yaml:"bundle"`
	Ledger LedgerConfig `yaml:"ledger"`
	// Sync is how the kiosk reaches its fleet; absent: bundles only.
	Sync SyncConfig `yaml:"sync"`
	// Metrics is where GET /metrics is served for Prometheus: an address on loopback with a port; absent: nowhere.
	Metrics string       `yaml:"metrics"`
	Lanes   []LaneConfig `yaml:"lanes"`

	venueKey []byte
	noSync   bool                            // leaves out the ledger's fsync: for benchmarks only
	reopen   time.Duration                   // in place of firstReopen: for tests only
	blind    time.Duration                   // gate.Config.Blind: for tests on busy machines only
	upkeep   time.Duration                   // in place of upkeepPeriod: for tests only
	ledger   func(entry.Ledger) entry.Ledger // what the lanes record in, over the ledger: for tests only
}

// LaneConfig is the wiring of one lane.
type LaneConfig struct {
	Name    string         `yaml:"name"`
	Inert   gate.Inert     `yaml:"inert"`   // secured (default) or released
	Pulse   entry.Duration `yaml:"pulse"`   // where the signed config gives none; 500ms if absent
	Refusal entry.Duration `yaml:"refusal"` // how long the red lamp is lit; 1.5s if absent
	// ExitPulse is how long a request to exit opens the lane, 3s if absent; it goes with gpio.exit. OnFire is the lane's level
	// during a fire alarm, released (default) or secured; it goes with gpio.fire.
	ExitPulse entry.Duration `yaml:"exit_pulse"`
	OnFire    gate.Inert     `yaml:"on_fire"`
	// PassageTimeout is how long a guest may take to walk through, and TurnstileWait how long the turnstile itself waits
	// before it locks again. Both go with gpio.passage, and the first is at least 2 s longer: a use must not be given back to
	// somebody who can still go in.
	PassageTimeout entry.Duration `yaml:"passage_timeout"`
	TurnstileWait  entry.Duration `yaml:"turnstile_wait"`
	Scanner        ScannerConfig  `yaml:"scanner"`
	GPIO           gpio.Config    `yaml:"gpio"`
}

// ScannerConfig is the serial scanner of a lane.
type ScannerConfig struct {
	Port     string         `yaml:"port"`
	Baud     int            `yaml:"baud"`
	IdleGap  entry.Duration `yaml:"idle_gap"`
	SameCode entry.Duration `yaml:"same_code"`
}

const maxLanes = 16

// LoadConfig reads and checks a local config and the venue key that it names. With ErrVenueKey the config can be run all the
// same: Run looks for the key again where somebody can be let out meanwhile.
func LoadConfig(path string) (Config, error) {
	cfg, err := readConfig(path)
	if err != nil {
		return cfg, err
	}
	if cfg.venueKey, err = readVenueKey(cfg.VenueKey); err != nil {
		return cfg, fmt.Errorf("%w: %s: %w", ErrVenueKey, path, err)
	}
	return cfg, nil
}

// readConfig reads and checks a local config, and nothing that it names.
func readConfig(path string) (Config, error) {
	var cfg Config
	text, err := readBounded(path, yamlfile.MaxSize)
	if err != nil {
		return cfg, fmt.Errorf("%w: %w; make it with gatehouse-fleet kiosk add", ErrConfig, err)
	}
	if err := parseConfig(text, &cfg); err != nil {
		return cfg, fmt.Errorf("%w: %s:%w", ErrConfig, path, err)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return cfg, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	for _, p := range []*string{&cfg.State, &cfg.Run, &cfg.VenueKey, &cfg.Bundle, &cfg.Sync.CA, &cfg.Sync.Certificate, &cfg.Sync.Key} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	return cfg, nil
}

// parseConfig decodes and checks; its errors begin with the line.
func parseConfig(text []byte, cfg *Config) error {
	if err := yamlfile.Decode(text, cfg); err != nil {
		return err
	}
	if path, err := cfg.check(); err != nil {
		return &yamlfile.Fault{Line: yamlfile.Line(text, path), Err: fmt.Errorf("%s: %w", strings.TrimPrefix(path, "$."), err)}
	}
	return nil
}

func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("is missing")
	case !fleet.ValidName(name):
		return fmt.Errorf("%q is no name; use 1 to 32 of a-z, 0-9 and -, and not all", name)
	}
	return nil
}

// check finds the first fault and the YAML path where it is.
func (c *Config) check() (path string, err error) {
	if err := checkName(c.Venue); err != nil {
		return "$.venue", err
	}
	if err := checkName(c.Kiosk); err != nil {
		return "$.kiosk", err
	}
	if c.Root == (fleet.Digest{}) {
		return "$.root", errors.New("is missing; without it the kiosk trusts nobody. gatehouse-fleet kiosk add writes it")
	}
	for _, p := range []struct{ name, value string }{{"state", c.State}, {"run", c.Run}, {"venue_key", c.VenueKey}} {
		if p.value == "" {
			return "$." + p.name, errors.New("is missing")
		}
	}
	if field, err := c.Ledger.check(); err != nil {
		return "$.ledger." + field, err
	}
	if field, err := c.Sync.check(); err != nil {
		return "$.sync." + field, err
	}
	if err := checkMetrics(c.Metrics); err != nil {
		return "$.metrics", err
	}
	if len(c.Lanes) == 0 {
		return "$.lanes", errors.New("is missing; a kiosk has at least one lane")
	}
	if len(c.Lanes) > maxLanes {
		return "$.lanes", fmt.Errorf("has %d lanes, at most %d are allowed", len(c.Lanes), maxLanes)
	}
	names, ports, lines := map[string]bool{}, map[string]bool{}, map[chipLine]string{}
	for i := range c.Lanes {
		at := fmt.Sprintf("$.lanes[%d]", i)
		l := &c.Lanes[i]
		if field, err := l.check(); err != nil {
			return at + "." + field, err
		}
		if names[l.Name] {
			return at + ".name", fmt.Errorf("two lanes are named %s", l.Name)
		}
		port := target(l.Scanner.Port)
		if ports[port] {
			return at + ".scanner.port", errors.New("two lanes share this scanner")
		}
		names[l.Name], ports[port] = true, true
		for _, name := range l.GPIO.Names() {
			line := chipLine{cmp.Or(l.GPIO.Chip, "gpiochip0"), name}
			if other, taken := lines[line]; taken {
				return at + ".gpio", fmt.Errorf("line %s is lane %s's already; give each its own line", name, other)
			}
			lines[line] = l.Name
		}
	}
	return "", nil
}

// chipLine is one line of a GPIO chip, as a config names it.
type chipLine struct{ chip, line string }

// target is the device that a path leads to now, or the path where there is none yet: a scanner has several names, and
// root may open it by each of them.
func target(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return filepath.Clean(path)
}

func (l *LaneConfig) check() (field string, err error) {
	if err := checkName(l.Name); err != nil {
		return "name", err
	}
	if l.Inert != "" && l.Inert != gate.Secured && l.Inert != gate.Released {
		return "inert", fmt.Errorf("%q is unknown; write secured (people wait) or released (people can pass)", l.Inert)
	}
	for _, t := range []struct {
		field string
		value entry.Duration
	}{{"pulse", l.Pulse}, {"refusal", l.Refusal}, {"exit_pulse", l.ExitPulse}} {
		if v := time.Duration(t.value); v != 0 && (v < gate.MinPulse || v > gate.MaxActive) {
			return t.field, fmt.Errorf("%v is not between %v and %v", v, gate.MinPulse, gate.MaxActive)
		}
	}
	if err := l.GPIO.Check(); err != nil {
		return "gpio", err
	}
	if field, err := l.checkPassage(); err != nil {
		return field, err
	}
	if field, err := l.checkWayOut(); err != nil {
		return field, err
	}
	if l.Scanner.Port == "" {
		return "scanner.port", errors.New("is missing; ls /dev/serial/by-id shows the stable names")
	}
	if !filepath.IsAbs(l.Scanner.Port) {
		return "scanner.port", fmt.Errorf("%q is not an absolute path", l.Scanner.Port)
	}
	if _, err := scanner.Open(l.Scanner.config()); err != nil {
		return "scanner", err
	}
	return "", nil
}

// turnstileMargin is how much longer than the turnstile a lane waits for a passage.
const turnstileMargin = 2 * time.Second

func (l *LaneConfig) checkPassage() (field string, err error) {
	timeout, wait := time.Duration(l.PassageTimeout), time.Duration(l.TurnstileWait)
	switch {
	case !l.HasSensor() && timeout != 0:
		return "passage_timeout", errors.New("means nothing without a sensor; wire one (gpio.passage) or take it out")
	case !l.HasSensor() && wait != 0:
		return "turnstile_wait", errors.New("means nothing without a sensor; wire one (gpio.passage) or take it out")
	case !l.HasSensor():
		return "", nil
	case wait <= 0:
		return "turnstile_wait", errors.New("is missing; write how long the turnstile waits for a guest before it locks again (its manual says, often 5 to 8s)")
	case timeout < wait+turnstileMargin:
		return "passage_timeout", fmt.Errorf("is %v; write at least %v, %v more than the turnstile waits: until then somebody can still walk through", timeout, wait+turnstileMargin, turnstileMargin)
	case timeout < gate.MinPassage || timeout > gate.MaxPassage:
		return "passage_timeout", fmt.Errorf("%v is not between %v and %v", timeout, gate.MinPassage, gate.MaxPassage)
	}
	return "", nil
}

// config is what the scanner's room needs to know.
func (s ScannerConfig) config() scanner.Config {
	return scanner.Config{Port: s.Port, Baud: s.Baud, IdleGap: time.Duration(s.IdleGap), SameCode: time.Duration(s.SameCode)}
}

func readVenueKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w; gatehouse-fleet kiosk add writes it beside the config", err)
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		return nil, fmt.Errorf("%s can be read by everybody (mode %04o); run: chmod 0600 %s", path, mode, path)
	}
	text, err := readBounded(path, 1024)
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("%s does not hold 32 bytes in hex; copy it again from the fleet's folder", path)
	}
	return key, nil
}

// readBounded reads a whole file that must not be larger than limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return b, nil
}
