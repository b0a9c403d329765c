// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// A Kit is what every bench on this machine shares: the unpacked kernel with
// its modules, and busybox for the guest.
type Kit struct {
	// Release is the kernel's, as in 6.1.0-56-arm64.
	Release string

	kernel  string // the image
	modules string // lib/modules/RELEASE
	busybox string
}

// Prepare makes sure of the programs that the bench runs, and fetches Debian's
// arm64 kernel and busybox once into os.UserCacheDir()/gatehouse/virtual.
// Nothing is installed, and root is not needed. What it does is told to logf.
// Where something cannot be had the error is [ErrMissing].
func Prepare(ctx context.Context, logf func(string, ...any)) (*Kit, error) {
	if err := checkPrograms(findProgram); err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("virtual: no cache folder for the kernel: %w", err)
	}
	cache = filepath.Join(cache, "gatehouse", "virtual")
	unpacked := filepath.Join(cache, "arm64")
	if kit, err := openKit(unpacked); err == nil {
		return kit, nil
	}
	for _, name := range []string{"apt-get", "apt-cache", "dpkg"} {
		if _, err := findProgram(name); err != nil {
			return nil, fmt.Errorf("%w: Debian's kernel is fetched with %s; run this on a Debian machine, "+
				"or copy %s from one", ErrMissing, name, unpacked)
		}
	}
	logf("fetching Debian's arm64 kernel into %s (about 70 MB, once)", cache)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, fmt.Errorf("virtual: %w", err)
	}
	err = retry(ctx, logf, func() error { return fetch(ctx, cache, unpacked) })
	if err != nil {
		return nil, fmt.Errorf("%w: Debian's arm64 kernel and busybox (is a Debian mirror reached from here?): %w",
			ErrMissing, err)
	}
	return openKit(unpacked)
}

// openKit finds the parts in a folder of unpacked packages.
func openKit(dir string) (*Kit, error) {
	images, err := filepath.Glob(filepath.Join(dir, "boot", "vmlinuz-*"))
	if err != nil || len(images) != 1 {
		return nil, fmt.Errorf("virtual: %s holds %d kernels, not one", dir, len(images))
	}
	release := strings.TrimPrefix(filepath.Base(images[0]), "vmlinuz-")
	kit := &Kit{
		Release: release,
		kernel:  images[0],
		modules: filepath.Join(dir, "lib", "modules", release),
		busybox: filepath.Join(dir, "bin", "busybox"),
	}
	for _, path := range []string{kit.modules, kit.busybox} {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("virtual: %w", err)
		}
	}
	return kit, nil
}

// fetch downloads the packages with an apt of its own: its lists and its
// architecture are given as options, so the machine's dpkg is left as it is
// and no right to change it is needed. The folder appears whole or not at all.
func fetch(ctx context.Context, cache, unpacked string) error {
	work, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		return fmt.Errorf("virtual: %w", err)
	}
	defer os.RemoveAll(work)
	for _, dir := range []string{"state/lists/partial", "cache/archives/partial", "debs", "root"} {
		if err := os.MkdirAll(filepath.Join(work, dir), 0o755); err != nil {
			return fmt.Errorf("virtual: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(work, "state", "status"), nil, 0o644); err != nil {
		return fmt.Errorf("virtual: %w", err)
	}
	apt := func(program string, args ...string) (string, error) {
		own := []string{
			"-q",
			"-o", "APT::Architecture=arm64",
			"-o", "APT::Architectures=arm64",
			"-o", "APT::Sandbox::User=", // the cache folder may be closed to _apt
			"-o", "Dir::State=" + filepath.Join(work, "state"),
			"-o", "Dir::State::status=" + filepath.Join(work, "state", "status"),
			"-o", "Dir::Cache=" + filepath.Join(work, "cache"),
		}
		return output(ctx, filepath.Join(work, "debs"), nil, program, append(own, args...)...)
	}
	if _, err := apt("apt-get", "update"); err != nil {
		return err
	}
	depends, err := apt("apt-cache", "depends", "linux-image-arm64")
	if err != nil {
		return err
	}
	image, err := imagePackage(depends)
	if err != nil {
		return err
	}
	if _, err := apt("apt-get", "download", image, "busybox-static"); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(work, "debs", "*.deb"))
	if err != nil {
		return fmt.Errorf("virtual: %w", err)
	}
	root := filepath.Join(work, "root")
	for _, deb := range debs {
		if err := run(ctx, "dpkg", "-x", deb, root); err != nil {
			return err
		}
	}
	if _, err := openKit(root); err != nil {
		return err
	}
	if err := os.RemoveAll(unpacked); err != nil {
		return fmt.Errorf("virtual: %w", err)
	}
	if err := os.Rename(root, unpacked); err != nil {
		return fmt.Errorf("virtual: %w", err)
	}
	return nil
}

var imageName = regexp.MustCompile(`linux-image-[0-9][^\s:]*-arm64`)

// imagePackage reads the kernel's own package out of what apt-cache says the
// package linux-image-arm64, which is empty, depends on.
func imagePackage(depends string) (string, error) {
	name := imageName.FindString(depends)
	if name == "" {
		return "", errors.New("virtual: linux-image-arm64 depends on no kernel; are the package lists complete?")
	}
	return name, nil
}

// module gives the bytes of a kernel module, decompressed, or nil where the
// kernel has it built in. In names - and _ mean the same.
func (k *Kit) module(ctx context.Context, name string) ([]byte, error) {
	builtin, err := os.ReadFile(filepath.Join(k.modules, "modules.builtin"))
	if err != nil {
		return nil, fmt.Errorf("virtual: %w", err)
	}
	for line := range bytes.Lines(builtin) {
		if moduleName(string(line)) == moduleName(name) {
			return nil, nil
		}
	}
	var found string
	err = filepath.WalkDir(k.modules, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.Contains(path, ".ko") && moduleName(path) == moduleName(name) {
			found = path
			return filepath.SkipAll
		}
		return err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("virtual: %w", err)
	case found == "":
		return nil, fmt.Errorf("virtual: kernel %s has no module %s", k.Release, name)
	case strings.HasSuffix(found, ".xz"):
		text, err := output(ctx, "", nil, "xz", "-dc", found)
		return []byte(text), err
	}
	return os.ReadFile(found)
}

// moduleName is a module's name as the kernel knows it, from its file's path.
func moduleName(path string) string {
	base, _, _ := strings.Cut(filepath.Base(strings.TrimSpace(path)), ".ko")
	return strings.ReplaceAll(base, "-", "_")
}
