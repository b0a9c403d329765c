// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/device/condition"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
	"gatehouse/gate/gpio"
)

// newDoctor examines the kiosk of a bench, on a machine that is well.
func newDoctor(b *bench) *doctor {
	b.tb.Helper()
	dir := filepath.Dir(b.cfg.State)
	path := filepath.Join(dir, "gatehouse.yaml")
	text := fmt.Sprintf(`venue: arena
kiosk: gate-1
root: %s
state: state
run: run
venue_key: venue.key
lanes:
  - name: in-1
    scanner: {port: %s}
    gpio: {relay: {line: relay0}}
`, b.cfg.Root, b.scanner.Path())
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o600),
		os.WriteFile(filepath.Join(dir, "venue.key"), []byte(hex.EncodeToString(bytes.Repeat([]byte{7}, 32))), 0o600),
		os.WriteFile(filepath.Join(dir, "gpiochip0"), nil, 0o600)); err != nil {
		b.tb.Fatal(err)
	}
	return &doctor{
		clock: b.clock, localtime: path, chips: filepath.Join(dir, "gpiochip*"), lines: func(gpio.Config) error { return nil },
		report: &Report{Config: path, Verdict: CheckOK},
	}
}

// look examines and returns what is not well, as "name verdict code" in their order, and the report.
func (d *doctor) look(t *testing.T) (unwell string, report *Report) {
	t.Helper()
	d.examine(t.Context())
	var list []string
	for _, c := range d.report.Checks {
		if c.Verdict != CheckOK {
			list = append(list, strings.TrimSuffix(fmt.Sprintf("%s %s %s", c.Name, c.Verdict, c.Code), " "))
		}
		if (c.Code == "") != (c.Do == "") || (c.Code == "") != (c.Verdict == CheckOK || c.Verdict == CheckSkipped) || c.Text == "" {
			t.Errorf("a check that is not whole: %+v", c)
		}
	}
	return strings.Join(list, ", "), d.report
}

func wantUnwell(t *testing.T, what string, d *doctor, want string) *Report {
	t.Helper()
	got, report := d.look(t)
	if got != want {
		t.Errorf("%s: the doctor finds %q, want %q: %+v", what, got, want, report.Checks)
	}
	return report
}

// A kiosk that is well is found so, live and dead, and is as well as before.
func TestDoctorOfAKioskThatIsWell(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	code := b.pass(credential.Claims{})
	b.expect("ok", code)
	names := map[string]bool{}
	for _, state := range []string{"live", "dead"} {
		want := ""
		if state == "dead" {
			if err := b.halt(); err != nil {
				t.Fatal(err)
			}
			want = "daemon warn GH-705"
		}
		report := wantUnwell(t, state, newDoctor(b), want)
		for _, c := range report.Checks {
			names[c.Name+c.Lane] = true
		}
		if (report.Verdict == CheckOK) != (want == "") {
			t.Errorf("%s: %s", state, report.Verdict)
		}
	}
	for _, name := range []string{"config", "venue key", "state folder", "daemon", "sockets", "clock", "time zone", "floor", "trust store", "ledger", "scannerin-1", "gatein-1"} {
		if !names[name] {
			t.Errorf("nothing is said of the %s", name)
		}
	}
	b.start()
	b.expect("already_used", code)
}

// What a running daemon finds wrong, the doctor repeats, at once and with its code.
func TestDoctorAsksTheDaemon(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	if err := b.scanner.Unplug(); err != nil {
		t.Fatal(err)
	}
	b.waitStatus("the scanner to be missed", func(s *client.Status) bool { return s.Lanes[0].Scanner != "connected" })
	wantUnwell(t, "no scanner", newDoctor(b), "scanner fail GH-101")
	if err := b.scanner.Plug(); err != nil {
		t.Fatal(err)
	}
	b.waitStatus("the scanner", func(s *client.Status) bool { return s.Lanes[0].Scanner == "connected" })
	b.board.Fail("in-1", gate.Relay, gatetest.FailNothingMoved, gatetest.Lasting)
	b.show(b.pass(credential.Claims{}))
	b.waitStatus("the gate to be missed", func(s *client.Status) bool { return !s.Ready })
	wantUnwell(t, "no relay", newDoctor(b), "gate fail GH-201")
	b.board.Clear("in-1", gate.Relay)
	b.waitStatus("the lane", func(s *client.Status) bool { return s.Ready })

	if err := os.Chmod(filepath.Join(b.cfg.Run, client.ControlSocket), 0o600); err != nil {
		t.Fatal(err)
	}
	wantUnwell(t, "a socket that nobody may use", newDoctor(b), "sockets warn GH-604")
}

func TestDoctorOfADeadKiosk(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	if err := b.halt(); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		ail  func(d *doctor)
		want string
	}{
		"a clock that nothing keeps": {func(d *doctor) { d.clock.Synced = func() bool { return false } }, "clock warn GH-501, daemon warn GH-705"},
		"a clock of 1970": {func(d *doctor) { d.clock.Wall = func() time.Time { return time.Unix(100, 0) } },
			"daemon warn GH-705, clock fail GH-502"},
		"data that is stale": {func(d *doctor) { d.clock.Wall = func() time.Time { return time.Now().Add(2 * time.Hour) } },
			"daemon warn GH-705, trust store warn GH-405"},
		"data that is too old": {func(d *doctor) { d.clock.Wall = func() time.Time { return time.Now().AddDate(0, 0, 8) } },
			"daemon warn GH-705, trust store fail GH-406"},
		"no line of that name": {func(d *doctor) { d.lines = func(gpio.Config) error { return gpio.ErrNoLine } },
			"daemon warn GH-705, gate fail GH-201"},
		"no chip":                  {func(d *doctor) { d.chips = "/none*" }, "daemon warn GH-705, gate skipped"},
		"a chip that is another's": {func(d *doctor) { d.lines = func(gpio.Config) error { return os.ErrPermission } }, "daemon warn GH-705, gate skipped"},
		"no time zone":             {func(d *doctor) { d.localtime = "/none" }, "time zone warn GH-706, daemon warn GH-705"},
		"a root that is not its own": {func(d *doctor) {
			text, err := os.ReadFile(d.report.Config)
			if err == nil {
				err = os.WriteFile(d.report.Config, bytes.Replace(text, []byte("sha256:"), []byte("sha256:00"), 1)[:len(text)+2], 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, "config fail GH-701, daemon skipped"},
	} {
		t.Setenv("TZ", "")
		d := newDoctor(b)
		tc.ail(d)
		report := wantUnwell(t, name, d, tc.want)
		if fails := strings.Contains(tc.want, "fail"); fails != (report.Verdict == CheckFail) {
			t.Errorf("%s: %s", name, report.Verdict)
		}
	}
}

// The state folder must be a disk's: a power cut takes what is in memory.
func TestDoctorOfAStateFolderInMemory(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "gatehouse-")
	if err != nil {
		t.Skipf("this machine has no memory to put files in: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	b := newBench(t)
	b.cfg.State = dir
	d := newDoctor(b)
	d.cfg = b.cfg
	d.checkState()
	if c := d.report.Checks[0]; c.Code != condition.State || !strings.Contains(c.Text, "is in memory") {
		t.Errorf("%+v", c)
	}
}

// A ledger of an earlier version is no fault: the next start migrates it, and the doctor does not.
func TestDoctorOfALedgerThatIsYetToBeMigrated(t *testing.T) {
	b := newBench(t)
	packed, err := os.Open(filepath.Join("..", "cache", "testdata", "ledger-first-landing.db.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	r, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	former, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(b.cfg.State, "ledger.db")
	if err := errors.Join(os.MkdirAll(b.cfg.State, 0o700), os.WriteFile(path, former, 0o600)); err != nil {
		t.Fatal(err)
	}
	wantUnwell(t, "a former ledger", newDoctor(b), "daemon warn GH-705, trust store fail GH-401, ledger skipped, scanner fail GH-101")
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, former) {
		t.Errorf("the doctor changed it: %v", err)
	}
}
