// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
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

// measureDaemon starts the real gatehoused, with a fleet and a bundle of its own and no hardware, and reports how long it
// takes to be ready, its memory, and how large the programs are on a 32-bit board.
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
	config, err := makeKiosk(dir)
	if err != nil {
		return nil, fmt.Errorf("a fleet to start gatehoused with: %w", err)
	}
	manager, err := newManager(filepath.Join(dir, "notify"))
	if err != nil {
		return nil, err
	}
	defer manager.close()

	kiosk := []string{filepath.Join(dir, "gatehoused"), "-config", config}
	hello := []string{filepath.Join(dir, "hello")}
	var ready, floor []time.Duration
	var rows []row
	for i := range 1 + starts { // the first makes the stores and takes the bundle on
		bare, err := manager.start(ctx, hello)
		if err != nil {
			return nil, err
		}
		p, err := manager.start(ctx, kiosk)
		if err != nil {
			return nil, errors.Join(err, bare.stop())
		}
		if i > 0 {
			ready, floor = append(ready, p.ready), append(floor, bare.ready)
		}
		if i == starts {
			if rows, err = memory(ctx, p); err != nil {
				return nil, errors.Join(err, p.stop(), bare.stop())
			}
		}
		if err := errors.Join(p.stop(), bare.stop()); err != nil {
			return nil, err
		}
	}
	took, least := median(ready), median(floor)
	start := row{Name: "StartToReady", Value: float64(took) / 1e6, Unit: "ms", Against: "a Go program that only reports ready",
		Ratio: float64(took) / float64(least), Met: true}
	sizes, err := sizes(ctx, filepath.Join(dir, "arm"))
	return slices.Concat([]row{start}, rows, sizes), err
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// makeKiosk makes a fleet with an issuer, a venue and a kiosk, and the bundle that the kiosk takes on. It returns the path
// of the local config. The hardware that the config names is nowhere: the lane waits for it, ready or not.
func makeKiosk(dir string) (config string, err error) {
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
