// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package scanner

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

func TestOpenChecksItsConfig(t *testing.T) {
	const port = "/dev/serial/by-id/x"
	for _, c := range []struct {
		name string
		cfg  Config
		says string // "" = good
	}{
		{"defaults", Config{Port: port}, ""},
		{"all set", Config{Port: port, Baud: 9600, IdleGap: time.Second, SameCode: -1}, ""},
		{"no port", Config{}, "/dev/serial/by-id"},
		{"relative port", Config{Port: "ttyACM0"}, "whole path"},
		{"baud", Config{Port: port, Baud: 50}, "baud 50"},
		{"negative baud", Config{Port: port, Baud: -1}, "baud -1"},
		{"idle gap too short", Config{Port: port, IdleGap: time.Millisecond}, "idle gap 1ms"},
		{"idle gap too long", Config{Port: port, IdleGap: time.Minute}, "idle gap 1m"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Open(c.cfg)
			if c.says == "" {
				if err != nil || s == nil {
					t.Fatalf("Open: %v", err)
				}
				return
			}
			if !errors.Is(err, ErrConfig) || s != nil {
				t.Fatalf("Open: %v, %v, want ErrConfig", s, err)
			}
			says(t, err, c.says)
		})
	}
}

func TestWhatIsNoSerialPort(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("A\rB\r"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"file": file, "folder": t.TempDir(), "other device": os.DevNull} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "\r")
			cfg := r.config()
			cfg.Port = path
			r.run(cfg)
			says(t, r.state(ErrNotSerial), path, "set the port to")
		})
	}
	if held, err := os.ReadFile(file); err != nil || string(held) != "A\rB\r" {
		t.Errorf("the file now holds %q, %v", held, err)
	}
}

func TestAPortWithoutPermission(t *testing.T) {
	r := newRig(t, "\r")
	r.plug()
	if err := os.Chmod(r.tty(), 0); err != nil {
		t.Fatal(err)
	}
	r.run(r.config(), unprivileged)
	says(t, r.state(ErrPermission), r.device.Path(), "dialout", "udev rule")
	if err := os.Chmod(r.tty(), 0o600); err != nil {
		t.Fatal(err)
	}
	r.state(nil)
	r.scan("A")
	r.expect("A")
}

func TestAPortInUse(t *testing.T) {
	holder := started(t, "\r")
	r := newRig(t, "\r")
	cfg := r.config()
	cfg.Port = holder.device.Path()
	r.run(cfg, unprivileged)
	says(t, r.state(ErrBusy), cfg.Port, "fuser", "ModemManager")
	holder.scan("A") // none of it was taken away from the one that holds the port
	holder.expect("A")
	holder.stop()
	r.state(nil)
	holder.scan("B")
	r.expect("B")
}

// The kernel keeps the exclusive mark of a pty whose reader was killed; Release takes it off.
func TestAReleasedPortCanBeOpened(t *testing.T) {
	r := newRig(t, "\r")
	r.plug()
	killed, err := os.OpenFile(r.device.Path(), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.IoctlSetInt(int(killed.Fd()), unix.TIOCEXCL, 0), killed.Close()); err != nil {
		t.Fatal(err)
	}
	r.run(r.config(), unprivileged)
	r.state(ErrBusy)
	if err := r.device.Release(); err != nil {
		t.Fatal(err)
	}
	r.state(nil)
	r.scan("A")
	r.expect("A")
}

// select cannot watch a descriptor of 1024 or more, and the library panics on one.
func TestTooManyOpenFilesIsAFaultNotAPanic(t *testing.T) {
	const reach = 1024
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < reach+100 {
		t.Skipf("this process may not open %d files (limit %d, %v)", reach+100, limit.Cur, err)
	}
	r := newRig(t, "\r")
	r.plug()
	var files []*os.File
	release := func() {
		for _, f := range files {
			f.Close()
		}
		files = nil
	}
	defer release()
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
		if f.Fd() > reach {
			break
		}
	}
	r.run(r.config())
	says(t, r.state(ErrUnusable), "too many open files")
	release()
	r.state(nil)
	r.scan("A")
	r.expect("A")
	if held := openOn(r.tty()); len(held) != 2 {
		t.Errorf("descriptors of the port: %v, want the reader's and scannertest's", held)
	}
}

// No port is opened here, so time may be the bubble's.
func TestAStateIsReportedOncePerChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scanner")
	synctest.Test(t, func(t *testing.T) {
		states := make(chan error, 100)
		reader, err := Open(Config{Port: path, State: func(err error) { states <- err }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- reader.Run(ctx, nil) }()

		time.Sleep(time.Hour)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(retryMost)
		synctest.Wait()
		if len(states) != 2 {
			t.Errorf("%d states, want 2: the change was not seen within %v", len(states), retryMost)
		}
		time.Sleep(time.Hour)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		began := time.Now()
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("Run took %v to end in the middle of a pause", took)
		}
		want := []error{ErrNoPort, ErrNotSerial, ErrNoPort}
		if len(states) != len(want) {
			t.Fatalf("%d states, want %d", len(states), len(want))
		}
		for i := range want {
			if got := <-states; !errors.Is(got, want[i]) {
				t.Errorf("state %d: %v, want %v", i, got, want[i])
			}
		}
	})
}

func TestOpenFault(t *testing.T) {
	for errno, want := range map[syscall.Errno]error{
		syscall.ENOENT: ErrNoPort,
		syscall.ENXIO:  ErrNoPort,
		syscall.ENODEV: ErrNoPort,
		syscall.EIO:    ErrNoPort,
		syscall.EPERM:  ErrPermission, // a unit's DeviceAllow
		syscall.EACCES: ErrPermission,
		syscall.EISDIR: ErrNotSerial,
		syscall.EMFILE: ErrUnusable,
		syscall.EINVAL: ErrUnusable,
	} {
		err := error(&portError{openFault(errno), "/dev/x", errno})
		if !errors.Is(err, want) || !errors.Is(err, errno) {
			t.Errorf("%v is %v, want %v", errno, err, want)
		}
	}
}

func TestAdvice(t *testing.T) {
	for _, c := range []struct {
		port string
		baud int
		want []string
	}{
		{"/dev/serial/by-id/x", 115200, nil},
		{"/dev/serial/by-id/x", 57600, nil},
		{"/dev/serial/by-id/x", 38400, []string{"slow", "baud=38400"}},
		{"/dev/ttyACM0", 115200, []string{"/dev/serial/by-id", "port=/dev/ttyACM0"}},
		{"/dev/ttyAMA0", 115200, nil},
	} {
		r := newRig(t, "")
		cfg := r.config()
		cfg.Port, cfg.Baud = c.port, c.baud
		s, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		s.advise()
		logged := r.log.String()
		if len(c.want) == 0 && logged != "" {
			t.Errorf("%s at %d: warned %q", c.port, c.baud, logged)
		}
		for _, want := range c.want {
			if !strings.Contains(logged, want) {
				t.Errorf("%s at %d: the warning does not say %q: %q", c.port, c.baud, want, logged)
			}
		}
	}
}
