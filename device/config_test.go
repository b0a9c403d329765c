// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/gate"
)

const goodConfig = `venue: arena
kiosk: gate-1
root: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
state: state
run: run
venue_key: venue.key
bundle: arena.bundle
lanes:
  - name: in-1
    inert: secured
    pulse: 700ms
    scanner:
      port: /dev/serial/by-id/scanner-1
      baud: 115200
    gpio:
      chip: gpiochip0
      relay: {line: relay0, active_low: true}
      green: {line: green0}
  - name: in-2
    scanner: {port: /dev/serial/by-id/scanner-2}
    gpio: {relay: {line: relay1}}
`

// writeConfig puts a config and a venue key into a folder of their own.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "gatehouse.yaml")
	for name, content := range map[string]string{path: text, filepath.Join(dir, "venue.key"): strings.Repeat("ab", 32) + "\n"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestLoadConfig(t *testing.T) {
	path := writeConfig(t, goodConfig)
	cfg, err := LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	if cfg.State != filepath.Join(dir, "state") || cfg.Bundle != filepath.Join(dir, "arena.bundle") {
		t.Errorf("relative paths are not taken from the config's folder: %s, %s", cfg.State, cfg.Bundle)
	}
	if l := cfg.Lanes[0]; l.Inert != gate.Secured || time.Duration(l.Pulse) != 700*time.Millisecond || l.Scanner.Baud != 115200 ||
		l.GPIO.Relay.Name != "relay0" || !l.GPIO.Relay.ActiveLow || l.GPIO.Green.Name != "green0" {
		t.Errorf("lane read as %+v", l)
	}
	if len(cfg.venueKey) != 32 || cfg.venueKey[0] != 0xab {
		t.Errorf("venue key read as %x", cfg.venueKey)
	}
}

// Each fault names its line and what to do.
func TestConfigFaults(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"empty", goodConfig, " \n", "yaml:1: the file is empty"},
		{"no YAML", goodConfig, "venue: [", "yaml:1: "},
		{"unknown key", "run: run", "runn: run", `yaml:5: unknown field "runn"`},
		{"wrong type", "baud: 115200", "baud: fast", "yaml:14: "},
		{"root", "sha256:0123", "sha256:", "yaml:3: "},
		{"no root", "root: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n", "", "root: is missing; without it the kiosk trusts nobody"},
		{"venue", "venue: arena", "venue: The Arena", `yaml:1: venue: "The Arena" is no name`},
		{"kiosk", "kiosk: gate-1", "kiosk: all", `yaml:2: kiosk: "all" is no name`},
		{"lane name", "name: in-2", "name: in-1", "yaml:19: lanes[1].name: two lanes are named in-1"},
		{"lane port", "scanner-2", "scanner-1", "lanes[1].scanner.port: two lanes share this scanner"},
		{"relative port", "port: /dev/serial/by-id/scanner-1", "port: ttyUSB0", `yaml:13: lanes[0].scanner.port: "ttyUSB0" is not an absolute path`},
		{"no port", "      port: /dev/serial/by-id/scanner-1\n", "", "lanes[0].scanner.port: is missing; ls /dev/serial/by-id"},
		{"inert", "inert: secured", "inert: open", `yaml:10: lanes[0].inert: "open" is unknown; write secured`},
		{"pulse", "pulse: 700ms", "pulse: 1ms", "yaml:11: lanes[0].pulse: 1ms is not between 100ms and 8s"},
		{"duration", "pulse: 700ms", "pulse: soon", "yaml:11: "},
		{"no relay", "relay: {line: relay1}", "green: {line: green1}", "lanes[1].gpio: "},
		{"events kept too short", "bundle: arena.bundle", "ledger: {keep: 12h}", "yaml:7: ledger.keep: 12h0m0s is not between 1d and 3650d"},
		{"too many events", "bundle: arena.bundle", "ledger: {keep: 35d, size_mib: 4096}", "yaml:7: ledger.size_mib: 4096 is not between 16 and 1024"},
		{"one relay for two lanes", "relay: {line: relay1}", "relay: {line: relay0}", "yaml:21: lanes[1].gpio: line relay0 is lane in-1's already"},
		{"a sensor without its times", "relay: {line: relay1}", "relay: {line: relay1}, passage: {line: s1}", "lanes[1].turnstile_wait: is missing; write how long"},
		{"a sensor on the relay's line", "relay: {line: relay1}", "relay: {line: relay1}, passage: {line: relay1}", "lanes[1].gpio: "},
		{"another lane's sensor", "relay: {line: relay1}", "relay: {line: relay1}, passage: {line: relay0}}\n    turnstile_wait: 5s\n    passage_timeout: 7s #", "lanes[1].gpio: line relay0 is lane in-1's already"},
		{"times without a sensor", "pulse: 700ms", "passage_timeout: 8s", "yaml:11: lanes[0].passage_timeout: means nothing without a sensor"},
		{"a time-out within the turnstile's", "relay: {line: relay1}", "relay: {line: relay1}, passage: {line: s1}}\n    turnstile_wait: 6s\n    passage_timeout: 7900ms #", "lanes[1].passage_timeout: is 7.9s; write at least 8s"},
		{"a time-out for ever", "relay: {line: relay1}", "relay: {line: relay1}, passage: {line: s1}}\n    turnstile_wait: 6s\n    passage_timeout: 2m #", "lanes[1].passage_timeout: 2m0s is not between"},
		{"another lane's lamp", "relay: {line: relay1}", "relay: {line: relay1}, red: {line: green0}", "lanes[1].gpio: line green0 is lane in-1's already"},
		{"baud", "baud: 115200", "baud: 5", "yaml:13: lanes[0].scanner: scanner: unusable configuration: baud 5: give 300 to 4000000"},
		{"port by a detour", "by-id/scanner-2", "by-path/../by-id/scanner-1", "lanes[1].scanner.port: two lanes share this scanner"},
		{"no lanes", goodConfig[strings.Index(goodConfig, "lanes:"):], "", "lanes: is missing"},
		{"no key file", "venue_key: venue.key", "venue_key: other.key", "other.key: no such file or directory; gatehouse-fleet kiosk add"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(goodConfig, c.old, c.new, 1)
			if text == goodConfig {
				t.Fatal("the case changes nothing")
			}
			_, err := LoadConfig(writeConfig(t, text))
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\ndoes not say %q", err, c.want)
			}
		})
	}
}

func TestVenueKeyFaults(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"readable by all": {strings.Repeat("ab", 32), 0o644, "run: chmod 0600"},
		"too short":       {"abcd", 0o600, "does not hold 32 bytes in hex"},
		"no hex":          {strings.Repeat("xy", 32), 0o600, "does not hold 32 bytes in hex"},
		"too large":       {strings.Repeat("ab", 3200), 0o600, "larger than 1024 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeConfig(t, goodConfig)
			key := filepath.Join(filepath.Dir(path), "venue.key")
			if err := os.WriteFile(key, []byte(c.text), c.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(key, c.mode); err != nil {
				t.Fatal(err)
			}
			_, err := LoadConfig(path)
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v does not say %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), c.text) {
				t.Errorf("the error repeats the key: %v", err)
			}
		})
	}
}

// A config is read whole or refused with its line; nothing in it makes the reader panic.
func FuzzConfig(f *testing.F) {
	f.Add(goodConfig)
	f.Add("venue: arena\nlanes: [{}]")
	f.Add("lanes: &a [*a]")
	f.Add("? {}\n: - !!binary x")
	f.Add("root: sha256:zz")
	f.Fuzz(func(t *testing.T, text string) {
		var cfg Config
		if err := parseConfig([]byte(text), &cfg); err != nil {
			return
		}
		if path, err := cfg.check(); err != nil {
			t.Errorf("taken although %s: %v", path, err)
		}
	})
}

// Root may open a scanner by each of its names, and each lane would get half of the codes.
func TestOneScannerByTwoNames(t *testing.T) {
	dir := t.TempDir()
	text := goodConfig
	for _, name := range []string{"scanner-1", "scanner-2"} {
		link := filepath.Join(dir, name)
		if err := os.Symlink(os.DevNull, link); err != nil {
			t.Fatal(err)
		}
		text = strings.Replace(text, "/dev/serial/by-id/"+name, link, 1)
	}
	if _, err := LoadConfig(writeConfig(t, text)); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "two lanes share this scanner") {
		t.Errorf("got %v", err)
	}
}
