// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/fleet"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
)

// restingConfig is a local config whose lane has these lines beside its wiring.
func restingConfig(lane string) string {
	return "venue: arena\nkiosk: gate-1\nroot: " + fleet.Digest{1}.String() + `
state: state
run: run
venue_key: venue.key
lanes:
  - name: in-1
    ` + lane + `
    scanner: {port: /dev/null}
    gpio: {relay: {line: relay0}, red: {line: red0}, fire: {line: fire0}}
`
}

// boardOf is the hardware of a board; one that is bare has no lamp.
func boardOf(board *gatetest.Board, bare bool) Hardware {
	return Hardware{
		Lines: func(l LaneConfig) (gate.Lines, error) {
			if bare && l.GPIO.Red.Name != "" {
				return nil, errors.New("there is no line red0")
			}
			return board.Lines(l.Name), nil
		},
		Input: func(l LaneConfig, c gate.Contact) (gate.Input, error) { return board.Input(l.Name, c), nil },
	}
}

// Rest works with the daemon dead, by the config alone, and does not close a lane during a fire.
func TestRest(t *testing.T) {
	for name, c := range map[string]struct {
		lane  string // lines of the config
		fire  bool
		fail  gate.Output
		bare  bool
		want  bool
		fault error
	}{
		"secured":                     {lane: "inert: secured"},
		"released":                    {lane: "inert: released", want: true},
		"a fire":                      {lane: "inert: secured", fire: true, want: true},
		"a fire, secured":             {lane: "on_fire: secured\n    inert: released", fire: true},
		"a fire contact that hangs":   {lane: "inert: released", fire: true, fail: gatetest.Fire, want: true},
		"a lamp that hangs":           {lane: "inert: released", fail: gate.Red, want: true, fault: errAny},
		"a lamp without a line":       {lane: "inert: secured", bare: true},
		"a lane that is not valid":    {lane: "inert: released\n    pulse: 3h", want: true, fault: ErrConfig},
		"a level that there is not":   {lane: "inert: open", fault: ErrConfig},
		"a config of a newer version": {lane: "inert: released\n    hologram: {bright: very}", want: true, fault: ErrConfig},
		"a line twice":                {lane: "inert: secured\n    inert: released", want: true, fault: ErrConfig},
	} {
		t.Run(name, func(t *testing.T) {
			board := gatetest.New(gatetest.Config{})
			defer board.Close()
			board.SetInput("in-1", gate.Fire, c.fire)
			if c.fail != "" {
				board.Fail("in-1", c.fail, gatetest.Hang, gatetest.Lasting)
			}
			if !c.want {
				if err := board.Lines("in-1").Drive(gate.Relay, true); err != nil {
					t.Fatal(err)
				}
			}
			err := Rest(writeConfig(t, restingConfig(c.lane)), t.TempDir(), boardOf(board, c.bare))
			if (err == nil) != (c.fault == nil) || c.fault == ErrConfig && !errors.Is(err, ErrConfig) {
				t.Errorf("got %v, want %v", err, c.fault)
			}
			if board.Level("in-1", gate.Relay) != c.want {
				t.Errorf("the relay is active: %t", !c.want)
			}
		})
	}
}

// errAny is some error.
var errAny = errors.New("some error")

// Where nothing is known of any lane Rest says what is wrong with the config.
func TestRestWithoutAnyLane(t *testing.T) {
	board := gatetest.New(gatetest.Config{})
	defer board.Close()
	for name, path := range map[string]string{
		"no file":    filepath.Join(t.TempDir(), "none.yaml"),
		"no YAML":    writeConfig(t, "lanes: [{{"),
		"other YAML": writeConfig(t, "lanes: 7\n"),
		"no lanes":   writeConfig(t, "venue: arena\n"),
	} {
		if err := Rest(path, t.TempDir(), boardOf(board, false)); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "known all the same: 0") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A daemon that dies leaves notes of its lanes, by which they are brought to rest whatever has become of the config; one that
// ends leaves none.
func TestRestByNotes(t *testing.T) {
	b := newWayOutBench(t)
	b.cfg.Lanes[0].Inert = gate.Released
	b.run()
	note := filepath.Join(b.cfg.Run, "rest-in-1.json")
	var text []byte
	b.wait("the note", func() (there bool) {
		var err error
		text, err = os.ReadFile(note)
		return err == nil
	})
	b.venue.must(b.halt())
	if _, err := os.Stat(note); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a note of a lane at rest: %v", err)
	}

	for name, config := range map[string]string{
		"no config":       "",
		"another's lane":  restingConfig("inert: secured"),
		"the line's name": strings.Replace(restingConfig("inert: secured"), "in-1", "other", 1),
		"no YAML":         "lanes: [{{",
	} {
		t.Run(name, func(t *testing.T) {
			run := t.TempDir()
			path := writeConfig(t, strings.Replace(config, "run: run", fmt.Sprintf("run: %s", run), 1))
			b.venue.must(os.WriteFile(filepath.Join(run, "rest-in-1.json"), text, 0o600))
			b.venue.must(os.WriteFile(filepath.Join(run, "rest-in-2.json"), []byte("{"), 0o600))
			board := gatetest.New(gatetest.Config{})
			defer board.Close()
			_ = Rest(path, run, boardOf(board, false)) // what is wrong with the config is told, and is not the question
			if !board.Level("in-1", gate.Relay) || board.Level("other", gate.Relay) {
				t.Error("the lane is not at the level that it rests at")
			}
		})
	}
}

// Whatever is left of a config, what is had of it are lanes that have a relay.
func FuzzSalvage(f *testing.F) {
	f.Add([]byte(restingConfig("inert: released")))
	f.Add([]byte(restingConfig("inert: released\n    pulse: 3h\n    inert: open")))
	f.Add([]byte("run: 7\nlanes: [{gpio: {relay: {line: r}}}, {gpio: 8}, {}]"))
	f.Add([]byte("lanes: [{{"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, l := range salvage(text).Lanes {
			if l.GPIO.Relay.Name == "" {
				t.Errorf("a lane without a relay: %+v", l)
			}
		}
	})
}
