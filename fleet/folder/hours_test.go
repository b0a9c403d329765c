// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gatehouse/entry"
)

// The rules that people are shown must be rules: that of docs/rule.md, and those that the template has in comments.
func TestRulesOfTheDocsAndTheTemplate(t *testing.T) {
	o := newOperator(t)
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "rule.md"))
	check(t, err)
	example := regexp.MustCompile(`(?m)^    time_zone: [^\n]*\n(    .*\n)+`).FindString(string(page))
	example += regexp.MustCompile(`(?m)^    lanes:\n(    .*\n)+`).FindString(string(page))
	o.write(strings.ReplaceAll("\n"+example, "\n    ", "\n"), "venues", "arena.yaml")
	if p := o.deliver().Terms().Policy; len(p.Accept) != 3 || len(p.Lanes) != 3 || len(p.Lanes["north-2"].Free) != 1 {
		t.Errorf("docs/rule.md has %d rules, and lanes %+v", len(p.Accept), p.Lanes)
	}

	template, err := os.ReadFile("venue.yaml.tmpl")
	check(t, err)
	text := regexp.MustCompile(`(?m)^( *)# ((- |  )[a-z]+:|    - \{|lanes:|time_zone:|private:|  (in|out)-1:)`).ReplaceAllString(string(template), "$1$2")
	o.write(strings.ReplaceAll(text, "VENUE", "arena"), "venues", "arena.yaml")
	policy := o.deliver().Terms().Policy
	if len(policy.Accept) != 6 || policy.TimeZone == "" || len(policy.Lanes) != 2 || policy.Lanes["out-1"].Direction != entry.DirectionOut || len(policy.Private) != 1 {
		t.Errorf("the template without its comments: %+v", policy)
	}
}

// The fleet's layer may give the zone, and the venue's the hours.
func TestHoursAndZoneFromSeveralLayers(t *testing.T) {
	o := newOperator(t)
	o.write("time_zone: Asia/Shanghai\n", "venues", "all.yaml")
	o.write(`accept:
  - name: night shift
    all: [{kind: staff, issuers: [arena]}]
    hours: [mon-fri 22:00-06:00, "20:00-24:00"]
  - name: weekend
    all: [{kind: ticket, issuers: [arena]}]
    hours:
      - sat,sun 08:00-20:00
`, "venues", "arena.yaml")
	terms := o.deliver().Terms()
	if terms.Zone == nil || terms.Zone.String() != "Asia/Shanghai" {
		t.Fatalf("zone %v", terms.Zone)
	}
	for i, want := range [][]string{{"mon-fri 22:00-06:00", "20:00-24:00"}, {"sat-sun 08:00-20:00"}} {
		for j, h := range terms.Policy.Accept[i].Hours {
			if text, err := h.MarshalText(); err != nil || string(text) != want[j] {
				t.Errorf("rule %d: %s, %v; want %s", i, text, err, want[j])
			}
		}
		if len(terms.Policy.Accept[i].Hours) != len(want) {
			t.Errorf("rule %d has %d hours", i, len(terms.Policy.Accept[i].Hours))
		}
	}
	o.write("time_zone: UTC\n", "kiosks", "arena", "gate-1", "policy.yaml")
	if zone := o.deliver().Terms().Zone; zone.String() != "UTC" {
		t.Errorf("with the kiosk's own layer: %v", zone)
	}
}
