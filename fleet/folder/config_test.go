// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/fleet/folder"
)

func TestConfigErrorsHaveTheirLine(t *testing.T) {
	const good = "accept:\n  - name: a\n    all: [{kind: ticket, issuers: [arena]}]\n"
	for _, c := range []struct{ name, file, text, want string }{
		{"unknown key", "venues/arena.yaml", good + "curfew: 22\n", "arena.yaml:4: unknown field \"curfew\""},
		{"unknown key within", "venues/arena.yaml", "accept:\n  - name: a\n    al: []\n", "arena.yaml:3:"},
		{"a key twice", "venues/arena.yaml", good + "accept: []\n", "arena.yaml:4:"},
		{"no YAML", "venues/arena.yaml", good + "  x: [\n", "arena.yaml:4:"},
		{"empty", "venues/arena.yaml", "", "arena.yaml:1: the file is empty"},
		{"another type", "venues/arena.yaml", "accept:\n  name: a\n", "arena.yaml:2:"},
		{"no level", "venues/arena.yaml", good + "  - name: b\n    all:\n      - {kind: ticket, issuers: [arena]}\n  - name: c\n    all:\n      - {kind: health, issuers: [at]}\n", "arena.yaml:9:"},
		{"no such number of passes", "venues/arena.yaml", good + "  - name: c\n    all: []\n", "arena.yaml:4:"},
		{"an outage age without an age", "venues/arena.yaml", good + "  - name: c\n    all:\n      - {kind: staff, issuers: [at], outage_max_age: 3d}\n", "arena.yaml:6: accept[1] \"c\": all[0]: outage_max_age"},
		{"an age that is no duration", "venues/arena.yaml", good + "  - name: c\n    all:\n      - {kind: staff, issuers: [at], max_age: old}\n", "arena.yaml:6:"},
		{"hours without a zone", "venues/arena.yaml", good + "    hours: [\"09:00-18:00\"]\n", "hours need the venue's time_zone"},
		{"hours that are none", "venues/arena.yaml", good + "    hours: [\"09:00-09:00\"]\ntime_zone: UTC\n", "arena.yaml:4:"},
		{"no such zone", "venues/arena.yaml", good + "time_zone: Europe/Atlantis\n", "arena.yaml:4: time_zone"},
		{"the zone of whatever machine", "venues/arena.yaml", good + "time_zone: Local\n", "arena.yaml:4:"},
		{"three passes", "venues/arena.yaml", good + "  - name: c\n    all: [{kind: a, issuers: [at]}, {kind: b, issuers: [at]}, {kind: c, issuers: [at]}]\n", "arena.yaml:4:"},
		{"a holder of one pass", "venues/arena.yaml", good + "    same_holder: false\n", "same_holder and pair_within are for rules of two passes"},
		{"the second pass", "venues/arena.yaml", good + "  - name: c\n    all:\n      - {kind: a, issuers: [at]}\n      - {kind: travel, issuers: [at]}\n", "arena.yaml:7:"},
		{"a time of an outage", "down/arena", "soon\n", "down/arena:1: not a time"},
		{"an outage to come", "down/arena", "2099-01-01T00:00:00Z\n", "down/arena:1: not a time that has passed"},
		{"a pulse that is no duration", "venues/arena.yaml", good + "lanes:\n  in-1:\n    pulse: fast\n", "arena.yaml:6:"},
		{"a negative pulse", "venues/arena.yaml", good + "lanes:\n  in-1:\n    pulse: -1s\n", "arena.yaml:6:"},
		{"a direction", "venues/arena.yaml", good + "lanes:\n  out-1:\n    direction: exit\n", "arena.yaml:6: lanes.out-1: direction: \"exit\" is unknown; write in or out"},
		{"free hours without a zone", "venues/arena.yaml", good + "lanes:\n  in-1: {free: [sun 10:00-18:00]}\n", "lanes.in-1: hours need the venue's time_zone"},
		{"closed hours that are none", "venues/arena.yaml", good + "lanes:\n  in-1: {closed: [night]}\n", "arena.yaml:5:"},
		{"the kiosk's layer", "kiosks/arena/gate-1/policy.yaml", "private: staff\n", "policy.yaml:1:"},
		{"the kiosk's rule", "kiosks/arena/gate-1/policy.yaml", "private: []\naccept:\n  - name: c\n    all: []\n", "policy.yaml:3:"},
		{"bands", "fleet.yaml", "format: 1\nbundle:\n  fresh: 7d\n  hard: 3d\n", "fleet.yaml:4: bundle.hard"},
		{"no band", "fleet.yaml", "format: 1\n", "bundle.fresh"},
		{"another format", "fleet.yaml", "format: 2\nbundle: {fresh: 7d, hard: 30d}\n", "fleet.yaml:1: format 2"},
		{"a key's file elsewhere", "issuers/arena.yaml", "keys:\n  - type: spki\n    formats: [gh1]\n    file: ../../keys/head.pem\n", "arena.yaml:4:"},
		{"a key's file missing", "issuers/arena.yaml", "keys:\n  - type: spki\n    formats: [gh1]\n    file: no.pem\n", "arena.yaml:2:"},
		{"a key's type", "issuers/arena.yaml", "keys:\n  - file: spki-1.pem\n    type: pgp\n    formats: [gh1]\n", "arena.yaml:2:"},
		{"a key's time", "issuers/arena.yaml", "keys:\n  - file: spki-1.pem\n    type: spki\n    not_after: soon\n", "write 2026-05-01"},
		{"no key", "issuers/arena.yaml", "keys: []\n", "arena.yaml:1: the issuer has no key"},
		{"a revoked id", "revoked/arena.txt", "# x\n00112233445566778899aabbccddeeff\nGH1:SECRET\n", "arena.txt:3: not an id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOperator(t)
			o.deliver()
			before := published(t, o)
			o.write(c.text, filepath.FromSlash(c.file))
			_, err := o.Bundle("arena", morning)
			if !errors.Is(err, folder.ErrConfig) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\ndoes not say %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "SECRET") {
				t.Error("the error repeats a code")
			}
			if published(t, o) != before {
				t.Error("something was signed before the whole was checked")
			}
		})
	}
}

func published(t *testing.T, o *operator) string {
	t.Helper()
	entries, err := os.ReadDir(o.path("published"))
	check(t, err)
	var all strings.Builder
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		text, err := os.ReadFile(o.path("published", e.Name()))
		check(t, err)
		all.WriteString(e.Name())
		all.Write(text)
	}
	return all.String()
}

func TestUnknownIssuerInARuleIsToldWithItsLine(t *testing.T) {
	o := newOperator(t)
	warnings, err := o.Warnings("arena")
	check(t, err)
	if len(warnings) != 2 {
		t.Fatalf("warnings %q", warnings)
	}
	for i, line := range []string{"arena.yaml:11:", "arena.yaml:13:"} {
		if text := warnings[i].Error(); !strings.Contains(text, line) || !strings.Contains(text, "issuer add at") || !warnings[i].Warning {
			t.Errorf("warning %q does not name line %s", text, line)
		}
	}
}

func TestWriteFileIsWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	check(t, folder.WriteFile(path, []byte("old"), 0o600))
	check(t, folder.WriteFile(path, []byte("new"), 0o600))
	if got, err := os.ReadFile(path); err != nil || string(got) != "new" {
		t.Errorf("%q, %v", got, err)
	}
	check(t, os.Mkdir(filepath.Join(dir, "full"), 0o755))
	check(t, os.WriteFile(filepath.Join(dir, "full", "y"), nil, 0o600))
	if err := folder.WriteFile(filepath.Join(dir, "full"), []byte("new"), 0o600); err == nil {
		t.Error("a folder was replaced by a file")
	}
	entries, err := os.ReadDir(dir)
	check(t, err)
	if len(entries) != 2 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestOneAtATime(t *testing.T) {
	o := newOperator(t)
	const n = 8
	type result struct {
		head uint64
		err  error
	}
	results := make(chan result, n)
	for range n {
		go func() {
			b, err := o.Bundle("arena", morning)
			r := result{err: err}
			if err == nil {
				r.head = b.Documents[len(b.Documents)-1].Version()
			}
			results <- r
		}()
	}
	heads := map[uint64]bool{}
	for range n {
		r := <-results
		if r.err != nil {
			t.Error(r.err)
			continue
		}
		if heads[r.head] {
			t.Errorf("two heads of sequence %d", r.head)
		}
		heads[r.head] = true
	}
}

// FuzzVenueRule writes what comes as a venue's rule: it is refused with its file, or what is signed is valid.
func FuzzVenueRule(f *testing.F) {
	f.Add("accept:\n  - name: a\n    all: [{kind: ticket, issuers: [arena], uses: 2}]\n")
	f.Add("lanes: {in-1: {pulse: 500ms, zone: north}}\nprivate: [x]\n")
	f.Add("accept: [{name: a, all: [{kind: staff, issuers: [arena], max_age: 24h, outage_max_age: 3d}]}]")
	f.Add("accept: [{name: a, all: [{kind: staff, issuers: [arena]}], hours: [sat,sun 22:00-04:00]}]\ntime_zone: Asia/Shanghai\n")
	f.Add("accept: [{name: a, all: [{kind: x, issuers: [arena]}, {kind: y, issuers: [arena]}], same_holder: false, pair_within: 30s}]")
	f.Add("accept: &a [*a]")
	f.Add("? {}\n: - !!binary x")
	f.Add("accept: ~")
	dir := f.TempDir()
	o, err := folder.Init(dir, morning, "arena")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		check(t, os.WriteFile(filepath.Join(dir, "venues", "arena.yaml"), []byte(text), 0o644))
		if _, err := o.Bundle("arena", morning); err != nil && !errors.Is(err, folder.ErrConfig) {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// A broker is named once, in place of the line that shows how.
func TestSetBroker(t *testing.T) {
	o := newOperator(t)
	if _, err := o.Broker(); !errors.Is(err, folder.ErrNoBroker) || !strings.Contains(err.Error(), "broker: broker.example:8883") {
		t.Fatalf("a new fleet's broker: %v", err)
	}
	for _, wrong := range []string{"", "broker.example", ":8883", "broker.example:", "broker.example:8883 # or so"} {
		if err := o.SetBroker(wrong); !errors.Is(err, folder.ErrConfig) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	check(t, o.SetBroker("[2001:db8::7]:8883"))
	if addr, err := o.Broker(); err != nil || addr != "[2001:db8::7]:8883" {
		t.Errorf("got %q, %v", addr, err)
	}
	if err := o.SetBroker("broker.example:8883"); !errors.Is(err, folder.ErrExists) {
		t.Errorf("a second one: %v", err)
	}
	o.write("format: 1\nbundle: {fresh: 7d, hard: 30d} # no line's end", "fleet.yaml")
	check(t, o.SetBroker("broker.example:8883"))
	if addr, err := o.Broker(); err != nil || addr != "broker.example:8883" {
		t.Errorf("got %q, %v", addr, err)
	}
}
