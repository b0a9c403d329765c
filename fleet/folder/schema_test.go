// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"gatehouse/entry"
	"gatehouse/fleet/folder"
)

func compile(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(folder.Schemas()[name]))
	check(t, err)
	c := jsonschema.NewCompiler()
	check(t, c.AddResource(name+".json", doc))
	s, err := c.Compile(name + ".json")
	check(t, err)
	return s
}

// judge asks a schema about YAML, as an editor does.
func judge(s *jsonschema.Schema, text []byte) error {
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		return err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return err
	}
	return s.Validate(doc)
}

// The files that a new fleet has are what their schemas say, and each names its schema where it is.
func TestSchemasTakeWhatIsMade(t *testing.T) {
	o := newOperator(t)
	dsc := folder.IssuerOptions{Kinds: []string{"ticket"}, Scopes: []string{"arena"}}
	check(t, o.AddIssuer("box-office", dsc))
	for file, name := range map[string]string{"fleet.yaml": "fleet", "issuers/box-office.yaml": "issuer", "venues/arena.yaml": "policy"} {
		text, err := os.ReadFile(o.path(filepath.FromSlash(file)))
		check(t, err)
		if err := judge(compile(t, name), text); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		at, ok := strings.CutPrefix(first, "# yaml-language-server: $schema=")
		schema, err := os.ReadFile(filepath.Join(filepath.Dir(o.path(filepath.FromSlash(file))), filepath.FromSlash(at)))
		if !ok || err != nil || !bytes.Equal(schema, folder.Schemas()[name]) {
			t.Errorf("%s: its first line %q leads to no schema: %v", file, first, err)
		}
	}
}

// What is refused by its schema while it is written is refused by check too.
func TestSchemasRefuse(t *testing.T) {
	schema := compile(t, "policy")
	for name, text := range map[string]string{
		"an unknown key":        "curfew: 22\n",
		"no name":               "accept:\n  - all: [{kind: ticket, issuers: [arena]}]\n",
		"an empty name":         "accept:\n  - name: \"\"\n    all: [{kind: ticket, issuers: [arena]}]\n",
		"no pass":               "accept:\n  - name: a\n    all: []\n",
		"three passes":          "accept:\n  - name: a\n    all: [{kind: a, issuers: [a]}, {kind: b, issuers: [a]}, {kind: c, issuers: [a]}]\n",
		"no issuer":             "accept:\n  - name: a\n    all: [{kind: ticket}]\n",
		"a kind in capitals":    "accept:\n  - name: a\n    all: [{kind: Ticket, issuers: [arena]}]\n",
		"health without levels": "accept:\n  - name: a\n    all: [{kind: health, issuers: [arena]}]\n",
		"travel of no level":    "accept:\n  - name: a\n    all: [{kind: travel, issuers: [arena], level: []}]\n",
		"no use":                "accept:\n  - name: a\n    all: [{kind: ticket, issuers: [arena], uses: 0}]\n",
		"no length of time":     "max_fresh: soon\n",
		"no hours":              "accept:\n  - name: a\n    all: [{kind: ticket, issuers: [arena]}]\n    hours: [\"9-17\"]\ntime_zone: UTC\n",
		"no such word":          "record: {late: maybe}\n",
		"a lane's direction":    "lanes:\n  in-1: {direction: up}\n",
		"a zone with its venue": "lanes:\n  in-1: {zone: arena/north}\n",
		"a private kind":        "private: [Crew]\n",
		"rules that are none":   "accept: 3\n",
	} {
		if err := judge(schema, []byte(text)); err == nil {
			t.Errorf("%s: the schema takes it", name)
		}
		o := plainOperator(t)
		o.write(text, "venues", "arena.yaml")
		if found := inspect(t, o, morning); !slices.ContainsFunc(found, func(f string) bool {
			return strings.HasPrefix(f, "venues/arena.yaml:") && !strings.Contains(f, ": warning: ")
		}) {
			t.Errorf("%s: check takes it: %q", name, found)
		}
	}
}

// The keys of the network are known to the schema, and what is wrong with them is told while it is written and by check.
func TestSchemaOfTheNetwork(t *testing.T) {
	schema := compile(t, "fleet")
	for text, good := range map[string]bool{
		"broker: broker.example:8883\n":                             true,
		"broker: 192.0.2.7:8883\n":                                  true,
		"broker: \"[2001:db8::7]:8883\"\n":                          true,
		"online: {fresh: 30m, hard: 7d}\n":                          true,
		"online: {fresh: 30m, hard: 7d, spread: 10m}\n":             true,
		"broker: broker.example\n":                                  false,
		"broker: [broker.example:8883]\n":                           false,
		"brokers: broker.example:8883\n":                            false,
		"online: {fresh: 30m}\n":                                    false,
		"online: {fresh: soon, hard: 7d}\n":                         false,
		"online: {fresh: 30m, hard: 7d, spread: 10m, jitter: 1m}\n": false,
	} {
		text = "format: 1\nbundle: {fresh: 7d, hard: 30d}\n" + text
		if err := judge(schema, []byte(text)); (err == nil) != good {
			t.Errorf("%s: by the schema %v", text, err)
		}
		o := plainOperator(t)
		o.write(text, "fleet.yaml")
		faulty := slices.ContainsFunc(inspect(t, o, morning), func(f string) bool { return strings.HasPrefix(f, "fleet.yaml:") })
		if faulty == good {
			t.Errorf("%s: by check %q", text, inspect(t, o, morning))
		}
	}
}

// A policy that can be signed is right by its schema: an editor never marks what bundle takes.
func TestSchemaTakesWhatIsValid(t *testing.T) {
	schema := compile(t, "policy")
	rapid.Check(t, func(rt *rapid.T) {
		p := drawValid(rt)
		if err := p.Validate(); err != nil {
			rt.Skip(err)
		}
		text, err := yaml.Marshal(p)
		if err != nil {
			rt.Fatal(err)
		}
		if err := judge(schema, text); err != nil {
			rt.Fatalf("%s\n%v", text, err)
		}
	})
}

func drawValid(rt *rapid.T) *entry.Policy {
	word, name := rapid.StringMatching(`[a-z0-9_-]{1,8}`), rapid.StringMatching(`[A-Z][a-z: ]{0,6}[a-z]`)
	length := rapid.Custom(func(t *rapid.T) entry.Duration {
		return entry.Duration(rapid.SampledFrom([]time.Duration{0, time.Millisecond, 1500 * time.Millisecond, time.Second, 90 * time.Second, time.Hour, 25 * time.Hour, 270 * 24 * time.Hour}).Draw(t, "length"))
	})
	hours := rapid.Custom(func(t *rapid.T) entry.Hours {
		var h entry.Hours
		text := rapid.SampledFrom([]string{"09:00-18:00", "mon-fri 22:00-06:00", "sat,sun,wed 10:00-24:00", "sat-mon 00:00-23:59"}).Draw(t, "hours")
		if err := h.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		return h
	})
	clause := rapid.Custom(func(t *rapid.T) entry.Clause {
		c := entry.Clause{
			Kind: word.Draw(t, "kind"), Issuers: rapid.SliceOfN(name, 1, 3).Draw(t, "issuers"), Level: rapid.SliceOfN(name, 0, 2).Draw(t, "level"),
			MaxAge: length.Draw(t, "max_age"), OutageMaxAge: length.Draw(t, "outage_max_age"),
		}
		if rapid.Bool().Draw(t, "limited") {
			uses := rapid.UintRange(1, 1<<31-1).Draw(t, "uses")
			c.Uses = &uses
		}
		return c
	})
	p := &entry.Policy{TimeZone: "Asia/Shanghai", MaxFresh: length.Draw(rt, "max_fresh"), Private: rapid.SliceOfN(word, 0, 2).Draw(rt, "private")}
	for range rapid.IntRange(0, 2).Draw(rt, "rules") {
		r := entry.Rule{Name: name.Draw(rt, "name"), All: rapid.SliceOfN(clause, 1, 2).Draw(rt, "all"), Hours: rapid.SliceOfN(hours, 0, 2).Draw(rt, "hours")}
		if len(r.All) == 2 && rapid.Bool().Draw(rt, "whose") {
			same := rapid.Bool().Draw(rt, "same")
			r.SameHolder, r.PairWithin = &same, length.Draw(rt, "within")
		}
		p.Accept = append(p.Accept, r)
	}
	if rapid.Bool().Draw(rt, "lanes") {
		p.Lanes = map[string]entry.LaneTerms{"in-1": {
			Zone: word.Draw(rt, "zone"), Pulse: length.Draw(rt, "pulse"), Closed: rapid.SliceOfN(hours, 0, 1).Draw(rt, "closed"),
			Direction: rapid.SampledFrom([]entry.Direction{"", "in", "out"}).Draw(rt, "direction"),
		}}
		p.Record = &entry.RecordTerms{Deadline: length.Draw(rt, "deadline"), Late: rapid.SampledFrom([]entry.Late{"", "hold", "open"}).Draw(rt, "late")}
	}
	return p
}
