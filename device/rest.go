// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/goccy/go-yaml"

	"gatehouse/gate"
	"gatehouse/gate/gpio"
	"gatehouse/yamlfile"
)

// restingLane is all that somebody needs to know who brings a lane to rest.
type restingLane struct {
	Name   string      `yaml:"name"`
	Inert  gate.Inert  `yaml:"inert"`
	OnFire gate.Inert  `yaml:"on_fire"`
	GPIO   gpio.Config `yaml:"gpio"`
}

func (l *LaneConfig) resting() restingLane {
	return restingLane{Name: l.Name, Inert: l.Inert, OnFire: l.OnFire, GPIO: l.GPIO}
}

// relay is the line that is in the lane's hands.
func (l restingLane) relay() chipLine {
	return chipLine{cmp.Or(l.GPIO.Chip, "gpiochip0"), l.GPIO.Relay.Name}
}

// Rest leaves every lane at the level that it rests at, for a daemon that is dead: the inert level, on fire that of the fire.
// Each lane has a moment, however the others are. What lanes there are it knows from the dead daemon's own notes, and else
// from the local config, of which it takes what can be read where that is not valid; the error says so and wraps ErrConfig. run is the folder of the notes where the config does not tell it.
func Rest(path, run string, hw Hardware) error {
	cfg, err := readResting(path)
	lanes := notedLanes(cmp.Or(cfg.Run, run))
	for _, l := range cfg.Lanes {
		if !slices.ContainsFunc(lanes, func(noted restingLane) bool { return noted.Name == l.Name || noted.relay() == l.relay() }) {
			lanes = append(lanes, l)
		}
	}
	if err != nil {
		err = fmt.Errorf("%w; the lanes known all the same: %d", err, len(lanes))
	}
	errs := make([]error, len(lanes))
	var resting sync.WaitGroup
	for i, l := range lanes {
		resting.Go(func() { errs[i] = within(restMost, func() error { return restLane(l, hw) }) })
	}
	resting.Wait()
	return errors.Join(append(errs, err)...)
}

// restMost is how long a lane may take to be brought to rest: the service manager waits for all of it, with a line that may
// stand open.
const restMost = 2 * time.Second

// within runs fn and does not wait for it for longer than most: a driver that hangs is left to the end of the process.
func within(most time.Duration, fn func() error) error {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	hung := time.NewTimer(most)
	defer hung.Stop()
	select {
	case err := <-done:
		return err
	case <-hung.C:
		return fmt.Errorf("device: the driver did not answer within %v", most)
	}
}

// restLane brings a lane to rest that no gate is in charge of. The relay alone counts: whatever is wrong with its lamps and
// contacts is left away.
func restLane(l restingLane, hw Hardware) (err error) {
	cfg := LaneConfig{Name: cmp.Or(l.Name, l.GPIO.Relay.Name), Inert: l.Inert.Or(gate.Secured), OnFire: l.OnFire.Or(gate.Released), GPIO: l.GPIO}
	lines, err := hw.Lines(cfg)
	if err != nil {
		bare := cfg
		bare.GPIO = gpio.Config{Chip: cfg.GPIO.Chip, Relay: cfg.GPIO.Relay}
		if lines, err = hw.Lines(bare); err != nil {
			return fmt.Errorf("device: lane %s: %w", cfg.Name, err)
		}
	}
	defer func() { err = errors.Join(err, lines.Close()) }()
	resting := gate.Config{Lane: cfg.Name, Inert: cfg.Inert, OnFire: cfg.OnFire}
	if cfg.Has(gate.Fire) {
		if fire, fireErr := hw.Input(cfg, gate.Fire); fireErr == nil { // without it the inert level is all that is known
			defer func() { err = errors.Join(err, fire.Close()) }()
			resting.Inputs = map[gate.Contact]gate.Input{gate.Fire: fire}
		}
	}
	return gate.Rest(resting, lines)
}

// resting is what of a local config matters here.
type resting struct {
	Run   string        `yaml:"run"`
	Lanes []restingLane `yaml:"lanes"`
}

// readResting reads what can be read of a local config, and tells what is wrong with the whole of it.
func readResting(path string) (known resting, err error) {
	cfg, err := readConfig(path)
	if err == nil {
		known.Run = cfg.Run
		for _, l := range cfg.Lanes {
			known.Lanes = append(known.Lanes, l.resting())
		}
		return known, nil
	}
	text, readErr := readBounded(path, yamlfile.MaxSize)
	if readErr != nil {
		return known, err
	}
	known = salvage(text)
	if known.Run != "" && !filepath.IsAbs(known.Run) {
		known.Run = filepath.Join(filepath.Dir(path), known.Run)
	}
	return known, err
}

// salvage takes what can be had of a local config that is not valid. Its faults are told by whoever reads the whole of it; not
// even a decoder that panics keeps the lanes from being brought to rest that are known otherwise.
func salvage(text []byte) (known resting) {
	defer func() {
		_ = recover()
		known.Lanes = slices.DeleteFunc(known.Lanes, func(l restingLane) bool { return l.GPIO.Relay.Name == "" })
	}()
	_ = yaml.UnmarshalWithOptions(text, &known, yaml.AllowDuplicateMapKey())
	return known
}

// Notes of the lanes that a daemon has in its hands lie in its run folder: the config may be changed, or spoiled, while it
// runs.
const notePattern = "rest-*.json"

func (l *lane) notePath() string {
	return filepath.Join(l.kiosk.cfg.Run, "rest-"+l.cfg.Name+".json")
}

// noteResting notes how the lane rests, for the case that this process cannot bring it there.
func (l *lane) noteResting() {
	text, err := json.Marshal(l.cfg.resting())
	if err == nil {
		err = os.MkdirAll(l.kiosk.cfg.Run, 0o755)
	}
	if half := l.notePath() + ".new"; err == nil {
		if err = os.WriteFile(half, text, 0o600); err == nil {
			err = os.Rename(half, l.notePath())
		}
	}
	if err != nil {
		l.log.Warn("how the lane rests is not noted; the config tells it to gatehoused -rest", "error", err)
	}
}

// forgetResting takes the note back of a lane that is at rest.
func (l *lane) forgetResting() { _ = os.Remove(l.notePath()) }

// notedLanes are the lanes that a dead daemon left notes of.
func notedLanes(run string) (lanes []restingLane) {
	paths, _ := filepath.Glob(filepath.Join(run, notePattern)) // the pattern is well formed but for a folder that is not
	for _, path := range paths {
		text, err := readBounded(path, yamlfile.MaxSize)
		var l restingLane
		if err == nil && json.Unmarshal(text, &l) == nil && l.GPIO.Relay.Name != "" {
			lanes = append(lanes, l)
		}
	}
	return lanes
}
