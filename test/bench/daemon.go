// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/goccy/go-yaml"

	"gatehouse/credential"
	"gatehouse/fleet"
	"gatehouse/fleet/folder"
)

// starts is how often a program is started for the median of its starts.
const starts = 10

// A start with a million revocations may take this many times as long as one with none.
const (
	manyRevoked = 1_000_000
	startGoal   = 1.5
)

// measureDaemon starts the real gatehoused, with fleets and bundles of its own and no hardware, and reports how long it
// takes to be ready with no revocations and with many, its memory, and how large the programs are on a 32-bit board.
func measureDaemon(ctx context.Context) ([]row, error) {
	fmt.Fprintln(os.Stderr, "running gatehoused")
	dir, err := os.MkdirTemp("", "gatehouse-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := build(ctx, dir, nil, "./cmd/gatehoused", "./test/bench/hello"); err != nil {
		return nil, err
	}
	manager, err := newManager(filepath.Join(dir, "notify"))
	if err != nil {
		return nil, err
	}
	defer manager.close()
	bare := &program{args: []string{filepath.Join(dir, "hello")}}
	none, err := kioskProgram(dir, "none", 0)
	if err != nil {
		return nil, err
	}
	many, err := kioskProgram(dir, "many", manyRevoked)
	if err != nil {
		return nil, err
	}
	programs := []*program{bare, none, many}
	for i := range 1 + starts { // the first makes the stores and takes the bundle on
		if err := startAll(ctx, manager, programs, i); err != nil {
			return nil, err
		}
	}
	least, took, most := median(bare.ready), median(none.ready), median(many.ready)
	start := []row{
		{Name: "StartToReady", Value: float64(took) / 1e6, Unit: "ms", Against: "a Go program that only reports ready", Ratio: float64(took) / float64(least), Met: true},
		{Name: "StartToReady/1M-revoked", Value: float64(most) / 1e6, Unit: "ms", Against: "StartToReady", Ratio: float64(most) / float64(took),
			Goal: startGoal, Met: float64(most) <= startGoal*float64(took)},
	}
	sizes, err := sizes(ctx, filepath.Join(dir, "arm"))
	return slices.Concat(start, none.memory, many.memory, sizes), err
}

// program is one that is started again and again.
type program struct {
	args    []string
	kiosk   bool
	revoked int
	ready   []time.Duration // of each start but the first
	memory  []row
}

// startAll starts the programs one after the other and then stops them: each has the time of the others to come to rest.
func startAll(ctx context.Context, m *manager, programs []*program, i int) (err error) {
	for _, p := range programs {
		process, startErr := m.start(ctx, p.args)
		if startErr != nil {
			return startErr
		}
		defer func() { err = errors.Join(err, process.stop()) }()
		if i > 0 {
			p.ready = append(p.ready, process.ready)
		}
		if i < starts || !p.kiosk {
			continue
		}
		if p.memory, err = memory(ctx, process); err != nil {
			return err
		}
		for n := range p.memory {
			if p.revoked > 0 {
				p.memory[n].Name += "/1M-revoked"
			}
		}
	}
	return nil
}

// kioskProgram is gatehoused with a kiosk of its own.
func kioskProgram(dir, name string, revoked int) (*program, error) {
	config, err := makeKiosk(filepath.Join(dir, name), revoked)
	if err != nil {
		return nil, fmt.Errorf("a fleet to start gatehoused with: %w", err)
	}
	return &program{args: []string{filepath.Join(dir, "gatehoused"), "-config", config}, revoked: revoked, kiosk: true}, nil
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// makeKiosk makes a fleet with an issuer, a venue and a kiosk, and the bundle that the kiosk takes on. It returns the path
// of the local config. The hardware that the config names is nowhere: the lane waits for it, ready or not. So many passes
// are revoked, each by its id and by its place in a status list.
func makeKiosk(dir string, revoked int) (config string, err error) {
	now := time.Now()
	f, err := folder.Init(filepath.Join(dir, "fleet"), now, "arena")
	if err != nil {
		return "", err
	}
	issuer := folder.IssuerOptions{Algorithm: credential.EdDSA, Kinds: []string{"ticket"}}
	if err := f.AddIssuer("arena", issuer); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(f.Dir(), "venues", "arena.yaml"), []byte(policy), 0o644); err != nil {
		return "", err
	}
	if err := revoke(f, revoked); err != nil {
		return "", err
	}
	kiosk, err := f.AddKiosk(fleet.Place{Venue: "arena", Kiosk: "gate-1"})
	if err != nil {
		return "", err
	}
	bundle, err := f.Bundle("arena", now)
	if err != nil {
		return "", err
	}
	text, err := bundle.Encode()
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "arena.bundle"), text, 0o644); err != nil {
		return "", err
	}
	config = filepath.Join(kiosk, "gatehouse.yaml")
	return config, rehome(config, dir)
}

// revoke writes what issue and revoke write for so many passes: to sign them all would take a minute.
func revoke(f *folder.Folder, n int) error {
	if n == 0 {
		return nil
	}
	var ids, places bytes.Buffer
	places.WriteString("list arena/1\n")
	for i := range n {
		id := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
		fmt.Fprintf(&ids, "%x\n", id[:16])
		fmt.Fprintf(&places, "%d %x\n", i, id[:16])
	}
	return errors.Join(
		folder.WriteFile(filepath.Join(f.Dir(), "revoked", "arena.txt"), ids.Bytes(), 0o600),
		folder.WriteFile(filepath.Join(f.Dir(), "status", "arena.txt"), places.Bytes(), 0o600))
}

const policy = `accept:
  - name: day ticket
    all: [{kind: ticket, issuers: [arena], uses: 1}]
`

// rehome moves the files of a local config from those of an installed kiosk to dir.
func rehome(config, dir string) error {
	text, err := os.ReadFile(config)
	if err != nil {
		return err
	}
	var c map[string]any
	if err := yaml.Unmarshal(text, &c); err != nil {
		return fmt.Errorf("%s: %w", config, err)
	}
	c["state"], c["run"], c["bundle"] = filepath.Join(dir, "state"), filepath.Join(dir, "run"), filepath.Join(dir, "arena.bundle")
	if text, err = yaml.Marshal(c); err != nil {
		return fmt.Errorf("%s: %w", config, err)
	}
	return os.WriteFile(config, text, 0o644)
}

// build builds stripped programs into dir.
func build(ctx context.Context, dir string, env []string, packages ...string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	args := append([]string{"build", "-trimpath", "-ldflags=-s -w", "-o", dir + string(filepath.Separator)}, packages...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %v: %w\n%s", packages, err, out)
	}
	return nil
}

// sizes are those of the programs for a board with a 32-bit ARM.
func sizes(ctx context.Context, dir string) ([]row, error) {
	programs := []string{"gatehoused", "gatehouse", "gatehouse-fleet"}
	var packages []string
	for _, p := range programs {
		packages = append(packages, "./cmd/"+p)
	}
	if err := build(ctx, dir, []string{"GOOS=linux", "GOARCH=arm", "GOARM=7"}, packages...); err != nil {
		return nil, err
	}
	var rows []row
	for _, p := range programs {
		info, err := os.Stat(filepath.Join(dir, p))
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{Name: "SizeARM/" + p, Value: float64(info.Size()) / 1e6, Unit: "MB", Met: true})
	}
	return rows, nil
}
