// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ErrMissing is returned by [Prepare] where this machine lacks something. The
// message says what, and how to get it.
var ErrMissing = errors.New("virtual: this machine lacks what the bench needs")

// program is one that the bench runs, and the Debian package it is in.
type program struct{ name, deb string }

func programs() []program {
	return []program{
		{"qemu-system-aarch64", "qemu-system-arm"},
		{"fdtput", "device-tree-compiler"},
		{"mkfs.ext4", "e2fsprogs"},
		{"e2fsck", "e2fsprogs"},
		{"debugfs", "e2fsprogs"},
		{"xz", "xz-utils"},
	}
}

// findProgram looks where root's programs are too: the PATH of an ordinary
// user on Debian does not hold /usr/sbin, and mkfs.ext4 is there.
func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if path, e := exec.LookPath(filepath.Join(dir, name)); e == nil {
			return path, nil
		}
	}
	return "", err
}

// checkPrograms says what is missing and how to get it.
func checkPrograms(find func(string) (string, error)) error {
	var debs []string
	for _, p := range programs() {
		if _, err := find(p.name); err != nil && !slices.Contains(debs, p.deb) {
			debs = append(debs, p.deb)
		}
	}
	if len(debs) == 0 {
		return nil
	}
	list := strings.Join(debs, " ")
	return fmt.Errorf("%w: the programs of Debian's packages %s; make virtual installs them for root, or type: "+
		"sudo sh -c 'apt-get update && apt-get install --no-install-recommends %s'", ErrMissing, list, list)
}

// tries is how often something is fetched, over a minute in all: a package
// mirror can fail in passing while it syncs.
const tries = 6

// retry tries what goes over the network again, each time after a longer pause.
func retry(ctx context.Context, logf func(string, ...any), try func() error) error {
	wait := 2 * time.Second
	for n := 1; ; n++ {
		err := try()
		if err == nil || n == tries || ctx.Err() != nil {
			return err
		}
		logf("will try again in %v: %v", wait, err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
		wait *= 2
	}
}

// run runs a program to its end; its output is in the error only.
func run(ctx context.Context, name string, args ...string) error {
	_, err := output(ctx, "", nil, name, args...)
	return err
}

// output runs a program in dir with extra environment and gives what it wrote
// to its standard output.
func output(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	path, err := findProgram(name)
	if err != nil {
		return "", fmt.Errorf("virtual: %w", err)
	}
	var out, complaint strings.Builder
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("virtual: %s: %w: %s", name, err, strings.TrimSpace(complaint.String()))
	}
	return out.String(), nil
}
