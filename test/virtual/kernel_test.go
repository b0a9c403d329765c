// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestImagePackage(t *testing.T) {
	name, err := imagePackage("linux-image-arm64\n  Depends: linux-image-6.1.0-56-arm64\n")
	if err != nil || name != "linux-image-6.1.0-56-arm64" {
		t.Errorf("got %q, %v", name, err)
	}
	if name, err := imagePackage("linux-image-arm64\n"); err == nil {
		t.Errorf("no dependency gave %q", name)
	}
}

func TestModule(t *testing.T) {
	kit := &Kit{Release: "6.1", modules: t.TempDir()}
	for name, text := range map[string]string{
		"modules.builtin":                     "kernel/lib/crc16.ko\n",
		"kernel/drivers/usb/host/xhci-hcd.ko": "a module",
	} {
		path := filepath.Join(kit.modules, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if data, err := kit.module(t.Context(), "xhci_hcd"); err != nil || string(data) != "a module" {
		t.Errorf("a module: %q, %v", data, err)
	}
	if data, err := kit.module(t.Context(), "crc16"); err != nil || data != nil {
		t.Errorf("a built-in one: %q, %v", data, err)
	}
	if _, err := kit.module(t.Context(), "vivid"); err == nil {
		t.Error("a module that is not there was found")
	}
}

func TestMissingPackages(t *testing.T) {
	found := func(name string) (string, error) { return "/usr/bin/" + name, nil }
	if err := checkPrograms(found); err != nil {
		t.Error(err)
	}
	err := checkPrograms(func(name string) (string, error) {
		if name == "fdtput" {
			return "", os.ErrNotExist
		}
		return found(name)
	})
	if !errors.Is(err, ErrMissing) || !strings.HasSuffix(err.Error(), "install --no-install-recommends device-tree-compiler'") {
		t.Errorf("a missing program: %v", err)
	}
}

func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, made, passing := time.Now(), 0, errors.New("hash sum mismatch")
		try := func() error {
			if made++; made == 3 {
				return nil
			}
			return passing
		}
		if err := retry(t.Context(), t.Logf, try); err != nil || made != 3 {
			t.Errorf("%d tries, %v", made, err)
		}
		if waited := time.Since(begin); waited != 6*time.Second {
			t.Errorf("waited %v", waited)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := retry(ctx, t.Logf, func() error { return passing }); !errors.Is(err, passing) {
			t.Errorf("given up with %v", err)
		}
		made = -10
		if err := retry(t.Context(), t.Logf, try); !errors.Is(err, passing) || made != tries-10 {
			t.Errorf("after %d tries: %v", made+10, err)
		}
	})
}
