// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/fleet/folder"
)

const dayTicket = "accept:\n  - name: day ticket\n    all: [{kind: ticket, issuers: [arena]}]\n"

// inspect gives each finding as "FILE:LINE: text", with the file's path inside the folder.
func inspect(t *testing.T, o *operator, at time.Time) (lines []string) {
	t.Helper()
	for _, f := range folder.Inspect(o.Dir(), at) {
		file, err := filepath.Rel(o.Dir(), f.File)
		check(t, err)
		f.File = filepath.ToSlash(file)
		mark := ""
		if f.Warning {
			mark = "warning: "
		}
		lines = append(lines, f.Place()+": "+mark+f.Err.Error())
	}
	return lines
}

func plainOperator(t *testing.T) *operator {
	o := newOperator(t)
	o.write(dayTicket+"max_fresh: 7d\nmax_hard: 30d\n", "venues", "arena.yaml")
	return o
}

func TestInspectFindsNothingInAGoodFolder(t *testing.T) {
	o := plainOperator(t)
	o.deliver()
	if found := inspect(t, o, morning); len(found) != 0 {
		t.Errorf("found %q", found)
	}
}

// Every fault of a folder is told in one go, with its file and line.
func TestInspectFindsAll(t *testing.T) {
	o := plainOperator(t)
	o.deliver()
	o.write(dayTicket+"  - name: \"\"\n    all: [{kind: ticket, issuers: [arena]}]\n  - name: day ticket\n    all: [{kind: ticket, issuers: [arena]}]\n"+
		"  - name: health\n    all:\n      - {kind: health, issuers: [arena]}\nprivate: [Crew]\nmax_fresh: 2d\nmax_hard: 1d\nlanes:\n  in-1: {pulse: -1s}\n", "venues", "arena.yaml")
	o.write("format: 1\nbundle:\n  fresh: 7d\n", "fleet.yaml")
	o.write("keys:\n  - {file: a.pem, type: spki}\n  - {file: ../b.pem, type: spki}\n", "issuers", "arena.yaml")
	o.write("00112233445566778899aabbccddeeff\nGH1:SECRET\n# x\n00\n", "revoked", "arena.txt")
	o.write("later\n", "down", "arena")
	o.write("accept: 3\n", "kiosks", "arena", "gate-1", "policy.yaml")
	o.write("no document", "published", "config@arena")
	o.write("not a key", "keys", "head.pem")
	text, err := os.ReadFile(o.path("kiosks", "arena", "gate-1", "gatehouse.yaml"))
	check(t, err)
	o.write(strings.Replace(string(text), "kiosk: gate-1", "kiosk: gate-7", 1), "kiosks", "arena", "gate-1", "gatehouse.yaml")
	check(t, os.WriteFile(o.path("kiosks", "arena", "gate-1", "venue.key"), []byte("another secret\n"), 0o600))

	found := inspect(t, o, morning)
	for _, want := range []string{
		`fleet.yaml:3: bundle.hard must be at least bundle.fresh`,
		`issuers/arena.yaml:2: `,
		`issuers/arena.yaml:3: file "../b.pem"; write the name of a file in issuers/arena`,
		`revoked/arena.txt:2: not an id; write a cti`,
		`revoked/arena.txt:4: not an id; write a cti`,
		`down/arena:1: not a time that has passed`,
		`kiosks/arena/gate-1/policy.yaml:1: `,
		`kiosks/arena/gate-1/gatehouse.yaml:4: kiosk is "gate-7"; write gate-1`,
		`kiosks/arena/gate-1/venue.key: it is not the venue's secret`,
		`published/config@arena: `,
		`keys/head.pem: `,
		`venues/arena.yaml:4: accept[1] "": give the rule a name`,
		`venues/arena.yaml:6: accept[2] "day ticket": two rules have this name`,
		`venues/arena.yaml:10: accept[3] "health": all[0]: a clause of kind health needs level`,
		`venues/arena.yaml:11: private[0] "Crew": write it`,
		`venues/arena.yaml:15: lanes.in-1: a pulse cannot be negative`,
	} {
		if !slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, want) }) {
			t.Errorf("not found: %s", want)
		}
	}
	if text := strings.Join(found, "\n"); strings.Contains(text, "SECRET") || t.Failed() {
		t.Errorf("found:\n%s", text)
	}
}

// What bundle would pass over without a word, or sign though it is hardly meant, is a warning.
func TestInspectWarns(t *testing.T) {
	for _, c := range []struct{ name, file, text, want string }{
		{"another extension", "venues/stadium.yml", dayTicket, "venues/stadium.yml: warning: it is passed over; give the file the extension .yaml"},
		{"no name", "issuers/Arena.yaml", "keys: []", `issuers/Arena.yaml: warning: it is passed over: "Arena" is no name`},
		{"an issuer for all", "issuers/all.yaml", "keys: []", "issuers/all.yaml: warning: it is passed over"},
		{"ids of nobody", "revoked/stadium.txt", "00112233445566778899aabbccddeeff\n", "revoked/stadium.txt: warning: it is passed over: it has the name of no issuer; there are: arena"},
		{"an outage of nobody", "down/stadium", "2026-01-01T00:00:00Z\n", "down/stadium: warning: it is passed over: stadium is no issuer"},
		{"a kiosk of no venue", "kiosks/stadium/gate-1/gatehouse.yaml", "x", "kiosks/stadium: warning: it is passed over: stadium is no venue of this fleet; there are: arena"},
		{"no such issuer", "venues/arena.yaml", strings.Replace(dayTicket, "[arena]", "[stadium]", 1), "venues/arena.yaml:3: warning: rule \"day ticket\" accepts passes of stadium"},
		{"bands", "fleet.yaml", "format: 1\nbundle:\n  fresh: 8d\n  hard: 9d\n", "fleet.yaml:3: warning: bundle.fresh is 8d, and kiosks of arena go by 7d; to allow it write max_fresh: 8d in "},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := plainOperator(t)
			o.write(c.text, filepath.FromSlash(c.file))
			found := inspect(t, o, morning)
			if !slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, c.want) }) {
				t.Errorf("found %q", found)
			}
			if _, err := o.Bundle("arena", morning); err != nil {
				t.Errorf("a warning, and the bundle is refused: %v", err)
			}
		})
	}
}

func TestInspectKnowsWhatAnIssuerMaySign(t *testing.T) {
	o := plainOperator(t)
	check(t, o.AddIssuer("crew", folder.IssuerOptions{Kinds: []string{"staff"}}))
	o.write(dayTicket+"  - name: crew\n    all: [{kind: ticket, issuers: [crew]}]\nmax_fresh: 7d\nmax_hard: 30d\n", "venues", "arena.yaml")
	if found := inspect(t, o, morning); len(found) != 1 || !strings.HasPrefix(found[0], `venues/arena.yaml:5: warning: rule "crew" accepts passes of kind ticket of crew, and no key of it may sign that kind`) {
		t.Errorf("found %q", found)
	}
}

func TestInspectLooksAtTheRoot(t *testing.T) {
	o := plainOperator(t)
	if found := inspect(t, o, morning.AddDate(9, 7, 0)); len(found) != 1 || !strings.HasPrefix(found[0], "root/1: warning: the root ends 2036-05-01; make the next with: gatehouse-fleet root rotate --renew") {
		t.Errorf("before its end: %q", found)
	}
	if found := inspect(t, o, morning.AddDate(11, 0, 0)); len(found) != 1 || !strings.Contains(found[0], "root rotate --renew") || strings.Contains(found[0], "warning") {
		t.Errorf("after its end: %q", found)
	}
	check(t, os.Rename(o.path("keys", "offline-a.pem"), o.path("a.pem")))
	check(t, os.Rename(o.path("keys", "offline-b.pem"), o.path("b.pem")))
	_, err := o.Rotate(folder.Rotation{}, morning)
	check(t, err)
	if found := inspect(t, o, morning); len(found) != 1 || !strings.HasPrefix(found[0], "root/next: warning: root 2 waits for signatures") {
		t.Errorf("while one waits: %q", found)
	}
	check(t, os.Rename(o.path("root", "next"), o.path("root", "2")))
	if found := inspect(t, o, morning); len(found) != 1 || !strings.HasPrefix(found[0], "root/2: ") || strings.Contains(found[0], "warning") {
		t.Errorf("put in force by hand: %q", found)
	}
}

func TestInspectOfNoFolder(t *testing.T) {
	found := folder.Inspect(filepath.Join(t.TempDir(), "city"), morning)
	if len(found) != 1 || !strings.Contains(found[0].Error(), "gatehouse-fleet init") || !errors.Is(found[0], folder.ErrConfig) {
		t.Errorf("found %v", found)
	}
}
