// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

const top = "../.."

// maxExposure is in tenths of what systemd-analyze security says, 100 being a service that may do everything.
const maxExposure = "23"

// tool finds a program of Debian's package systemd or udev. make test installs them.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed: apt install systemd udev", name)
	}
	return path
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return string(out)
}

// installed puts everything in place below a folder as make install does, with a program that does nothing for the daemon.
func installed(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	bin := filepath.Join(t.TempDir(), "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"gatehoused", "gatehouse"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run(t, tool(t, "make"), "-C", top, "install-files", "DESTDIR="+root, "BIN="+bin)
	return root
}

// unitFor is the installed unit with its programs where they lie below root, so that it can be verified on a machine where
// nothing is installed.
func unitFor(t *testing.T, root string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "usr/lib/systemd/system/gatehoused.service"))
	if err != nil {
		t.Fatal(err)
	}
	programs := regexp.MustCompile(`(?m)^(Exec\w+=)(/usr/bin/)`)
	if len(programs.FindAll(text, -1)) != 2 {
		t.Fatal("the unit starts other programs than the daemon and what brings its lines to rest")
	}
	path := filepath.Join(t.TempDir(), "gatehoused.service")
	if err := os.WriteFile(path, programs.ReplaceAll(text, []byte("${1}"+root+"${2}")), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheUnitIsClean(t *testing.T) {
	root := installed(t)
	if said := run(t, tool(t, "systemd-analyze"), "verify", "--man=no", unitFor(t, root)); said != "" {
		t.Errorf("systemd-analyze verify says:\n%s", said)
	}
	if _, err := os.Stat(filepath.Join(root, "usr/share/man/man1/gatehouse.1")); err != nil {
		t.Errorf("the page that the unit names is not installed: %v", err)
	}
}

func TestTheUnitMayDoLittle(t *testing.T) {
	root := installed(t)
	said := run(t, tool(t, "systemd-analyze"), "security", "--no-pager", "--offline=true", "--root="+root, "--threshold="+maxExposure, "gatehoused.service")
	t.Log(said[strings.LastIndex(strings.TrimSpace(said), "\n")+1:])
}

func TestUserAndFoldersAreMade(t *testing.T) {
	root := installed(t)
	for _, dir := range []string{"etc", "var/lib"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if said := run(t, tool(t, "systemd-sysusers"), "--dry-run", "--root="+root); !strings.Contains(said, "Creating user 'gatehouse'") {
		t.Errorf("systemd-sysusers says:\n%s", said)
	}
	for name, line := range map[string]string{"passwd": "gatehouse:x:990:990::/:/bin/false\n", "group": "gatehouse:x:990:\n"} {
		if err := os.WriteFile(filepath.Join(root, "etc", name), []byte(line), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("only root can give folders to the daemon's user")
	}
	run(t, tool(t, "systemd-tmpfiles"), "--create", "--root="+root, "gatehouse.conf")
	for dir, want := range map[string]os.FileMode{"etc/gatehouse": 0o750, "var/lib/gatehouse": 0o700} {
		info, err := os.Stat(filepath.Join(root, dir))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", dir, info, err, want)
		}
	}

	// Secrets that root brings become the daemon's alone.
	secrets := []string{"etc/gatehouse/venue.key", "etc/gatehouse/kiosk.key"}
	for _, name := range secrets {
		if err := os.WriteFile(filepath.Join(root, name), []byte("secret\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(t, tool(t, "systemd-tmpfiles"), "--create", "--root="+root, "gatehouse.conf")
	for _, name := range secrets {
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil || info.Mode().Perm() != 0o600 || info.Sys().(*syscall.Stat_t).Uid != 990 {
			t.Errorf("%s: %+v, %v; the daemon cannot read it, or others can", name, info, err)
		}
	}
}

// The rules of the plan that a later edit must not lose.
func TestTheUnitKeepsItsPromises(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top, "systemd/gatehoused.service"))
	if err != nil {
		t.Fatal(err)
	}
	for line, why := range map[string]string{
		"Type=notify":                            "the manager knows when it is ready, and feeds on its watchdog",
		"WatchdogSec=5s":                         "with the watchdog's 1.5 s of patience and 1 s to abort, no line is high for more than 8 s",
		"WatchdogSignal=SIGKILL":                 "a core dump would take its time with a relay up",
		"TimeoutStartSec=5s":                     "the same before the daemon is ready: the gate loops extend it",
		"TimeoutStartFailureMode=kill":           "see WatchdogSignal",
		"TimeoutAbortSec=1s":                     "see WatchdogSec",
		"StartLimitIntervalSec=0":                "a crash loop must never end in failed",
		"Restart=always":                         "a kiosk without anybody before it comes back by itself",
		"DevicePolicy=closed":                    "scanner and GPIO and nothing else",
		"LimitCORE=0":                            "a core dump would hold the codes of guests",
		"MemorySwapMax=0":                        "swap would keep the codes of guests",
		"ExecStopPost=/usr/bin/gatehoused -rest": "a kernel may leave the lines as they were",
	} {
		if !strings.Contains(string(text), "\n"+line+"\n") {
			t.Errorf("%s is missing: %s", line, why)
		}
	}
	for word, why := range map[string]string{
		"\nPrivateDevices=yes":  "there would be neither scanner nor gate",
		"\nProtectClock=yes":    "it forbids even to ask whether the clock is kept right (systemd 26413)",
		"\nStateDirectory=":     "it keeps the daemon, and so the way out, from starting where the disk is read-only or missing",
		"\nRequires=":           "people are let out whatever is missing",
		"\nRequiresMountsFor=":  "people are let out whatever is missing",
		"network-online.target": "nothing waits for a network",
	} {
		if strings.Contains(string(text), word) {
			t.Errorf("%s must not be there: %s", strings.TrimSpace(word), why)
		}
	}
}

// Another's rule for all GPIO lines in a later file does not take them from the daemon (99-com.rules of Raspberry Pi OS does).
func TestLinesStayTheDaemons(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top, "systemd/70-gatehouse.rules"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `SUBSYSTEM=="gpio", KERNEL=="gpiochip*", GROUP:="gatehouse", MODE:="0660"`) {
		t.Error("the group of the GPIO chips can be assigned again by a later rule (udev(7), :=)")
	}
}

// The rules are read by udev's own parser where it is new enough to be asked (253).
func TestRulesAreClean(t *testing.T) {
	udevadm := tool(t, "udevadm")
	help, _ := exec.Command(udevadm, "--help").CombinedOutput()
	if !regexp.MustCompile(`(?m)^\s+verify\s`).Match(help) {
		t.Skip("this udevadm cannot verify rules; udev 253 can")
	}
	run(t, udevadm, "verify", "--no-style", filepath.Join(top, "systemd/70-gatehouse.rules"))
}
