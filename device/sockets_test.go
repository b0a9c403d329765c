// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/device/condition"
)

// Somebody tidies the run folder up: the kiosk can be asked again soon, and the lanes have not noticed.
func TestSocketsThatAreGoneAreMadeAgain(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	for name, tidy := range map[string]func() error{
		"one socket":   func() error { return os.Remove(filepath.Join(b.cfg.Run, client.ControlSocket)) },
		"both sockets": func() error { return os.RemoveAll(b.cfg.Run) },
		"something else in its place": func() error {
			path := filepath.Join(b.cfg.Run, client.StatusSocket)
			return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600))
		},
	} {
		if err := tidy(); err != nil {
			t.Fatal(name, err)
		}
		b.waitStatus(name+": status", func(*client.Status) bool { return true })
		b.waitControl()
	}
	b.expect("ok", b.pass(credential.Claims{}))
	for name, mode := range map[string]fs.FileMode{client.StatusSocket: statusMode, client.ControlSocket: controlMode} {
		if info, err := os.Stat(filepath.Join(b.cfg.Run, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	if err := b.halt(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(b.cfg.Run); err != nil || len(left) > 0 {
		t.Errorf("after the end the run folder has %v, %v", left, err)
	}
}

// A run folder that cannot be made is told, and the sockets come when it can.
func TestSocketsThatCannotBeMade(t *testing.T) {
	b := newBench(t)
	b.start()
	if err := errors.Join(os.RemoveAll(b.cfg.Run), os.WriteFile(b.cfg.Run, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	row, _ := condition.Of(condition.LocalAPI)
	b.log.wait(b, `condition="local API" code=`+string(row.Code))
	if err := os.Remove(b.cfg.Run); err != nil {
		t.Fatal(err)
	}
	b.waitStatus("status", func(*client.Status) bool { return true })
	b.waitControl()
	b.log.wait(b, `msg="condition over" condition="local API"`)
}

// waitControl waits until the control socket answers: there is no loss to accept, and it says so.
func (b *bench) waitControl() {
	b.tb.Helper()
	b.wait("the control socket", func() bool { return errors.Is(b.client.AcceptLoss(b.ctx()), client.ErrRefused) })
}

// A bundle is in memory once while it is read, whatever is in it: boards have little.
func TestBundleThatIsRefusedTakesLittleMemory(t *testing.T) {
	blob := append([]byte("\xa3\x65blobs\x81\x5a"), binary.BigEndian.AppendUint32(nil, client.MaxBundle-64)...)
	for name, bundle := range map[string]struct {
		begin string
		most  uint64 // of all that is allocated while it is read
	}{
		"garbage":          {"garbage", client.MaxBundle + 4<<20},
		"one large blob":   {string(blob), 2*client.MaxBundle + 4<<20},
		"one large number": {strings.Repeat("\x9a", 64), client.MaxBundle + 4<<20},
	} {
		text := bytes.Repeat([]byte{0}, client.MaxBundle)
		copy(text, bundle.begin)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := readBundle(bytes.NewReader(text), int64(len(text)))
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s was taken", name)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > bundle.most {
			t.Errorf("%s: %d MiB were allocated, want at most %d", name, took>>20, bundle.most>>20)
		}
	}
	for size, says := range map[int64]string{-1: "Content-Length", client.MaxBundle + 1: "at most 64 MiB", 10: "was not read"} {
		if _, err := readBundle(strings.NewReader("short"), size); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("size %d: %v", size, err)
		}
	}
}

// A pipe in place of the configured bundle would keep the kiosk from starting.
func TestConfiguredBundleThatIsNoFile(t *testing.T) {
	b := newBench(t)
	b.cfg.Bundle = t.TempDir()
	b.start()
	b.waitStatus("the condition", func(s *client.Status) bool { return strings.Contains(codes(s.Conditions), string(condition.Bundle)) })
}

// A kiosk that is to join its fleet gets its documents there: that nobody has brought it a bundle is no fault.
func TestNoBundleIsMissedWithANetwork(t *testing.T) {
	b := newBench(t)
	b.cfg.Bundle = filepath.Join(t.TempDir(), "arena.bundle")
	b.cfg.Sync.Brokers = []string{"127.0.0.1:1"} // nobody is there
	b.start()
	s := b.waitStatus("the start", func(s *client.Status) bool { return strings.Contains(codes(s.Conditions), string(condition.NoBelief)) })
	if strings.Contains(codes(s.Conditions), string(condition.Bundle)) {
		t.Errorf("conditions %s", codes(s.Conditions))
	}
}
