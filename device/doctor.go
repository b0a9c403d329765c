// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"gatehouse/device/client"
	"gatehouse/device/condition"
	"gatehouse/gate/gpio"
	"gatehouse/scanner"
)

// Report is what Doctor found. Its JSON is stable: fields may be added, those there stay.
type Report struct {
	Version string  `json:"version"` // of the program that looked
	Config  string  `json:"config"`  // the path of the local config
	Verdict Verdict `json:"verdict"` // ok, warn or fail: the worst of the checks
	Checks  []Check `json:"checks"`
}

// Check is one thing that was looked at, or one fault that was found there: a name can come more than once.
type Check struct {
	Name    string         `json:"name"`           // config, venue key, state folder, daemon, sockets, clock, time zone, floor, trust store, ledger, scanner, gate
	Lane    string         `json:"lane,omitempty"` // of which lane, for scanner and gate
	Verdict Verdict        `json:"verdict"`
	Code    condition.Code `json:"code,omitempty"` // the fault, where there is one
	Text    string         `json:"text"`           // what was found
	Do      string         `json:"do,omitempty"`   // what a technician does about it
}

// Verdict is how a check ended.
type Verdict string

// The verdicts. A fault is a failure where its condition is an error, else a warning. What could not be looked at is
// skipped, and the text says why.
const (
	CheckOK      Verdict = "ok"
	CheckWarn    Verdict = "warn"
	CheckFail    Verdict = "fail"
	CheckSkipped Verdict = "skipped"
)

// Doctor looks for what keeps the kiosk of a local config from working. It works with the daemon dead and changes nothing.
// A daemon that runs is asked how it is; its databases, ports and lines are then left alone.
func Doctor(ctx context.Context, config string) *Report {
	d := &doctor{
		clock: SystemClock(), localtime: "/etc/localtime", chips: "/dev/gpiochip*", lines: gpio.Inspect,
		report: &Report{Version: Version(), Config: config, Verdict: CheckOK},
	}
	d.examine(ctx)
	return d.report
}

// doctor is one examination.
type doctor struct {
	clock     Clock
	localtime string
	chips     string // where the GPIO chips are
	lines     func(gpio.Config) error

	report *Report
	cfg    Config
	live   *client.Status // what the running daemon says; nil where none answers
}

func (d *doctor) examine(ctx context.Context) {
	d.checkSynced()
	d.checkTimeZone()
	if !d.checkConfig() {
		d.skip("daemon", "", "it needs the local config, as all that follows does")
		return
	}
	d.checkVenueKey()
	d.checkState()
	silent := d.checkDaemon(ctx)
	switch {
	case d.live != nil:
		d.askDaemon()
	case silent:
		d.skip("ledger", "", "a daemon is there that does not answer; nothing of it is touched")
	default:
		d.checkStores(ctx)
		d.checkHardware()
	}
}

// ok notes that all is well with something.
func (d *doctor) ok(name, lane, format string, args ...any) {
	d.note(Check{Name: name, Lane: lane, Verdict: CheckOK, Text: fmt.Sprintf(format, args...)})
}

// skip notes that something could not be looked at.
func (d *doctor) skip(name, lane, format string, args ...any) {
	d.note(Check{Name: name, Lane: lane, Verdict: CheckSkipped, Text: fmt.Sprintf(format, args...)})
}

// fault notes what is wrong. What this user may not see is skipped: the daemon is another user.
func (d *doctor) fault(name, lane string, c condition.Code, err error) {
	if errors.Is(err, fs.ErrPermission) {
		d.skip(name, lane, "%v; this user may not look: run gatehouse doctor as root", err)
		return
	}
	d.found(name, lane, c, err.Error())
}

func (d *doctor) found(name, lane string, c condition.Code, text string) {
	row, _ := condition.Of(c)
	verdict := CheckFail
	if row.Severity == condition.Warning {
		verdict = CheckWarn
	}
	d.note(Check{Name: name, Lane: lane, Verdict: verdict, Code: c, Text: text, Do: row.Do})
}

func (d *doctor) note(c Check) {
	c.Text = oneLine(c.Text)
	d.report.Checks = append(d.report.Checks, c)
	if order := []Verdict{CheckOK, CheckWarn, CheckFail}; slices.Index(order, c.Verdict) > slices.Index(order, d.report.Verdict) {
		d.report.Verdict = c.Verdict
	}
}

// checkDaemon asks the daemon, and tells whether one is there that does not answer.
func (d *doctor) checkDaemon(ctx context.Context) (silent bool) {
	status, err := client.Dial(d.cfg.Run).Status(ctx)
	switch {
	case errors.Is(err, client.ErrNotRunning):
		d.found("daemon", "", condition.Stopped, err.Error())
		return false
	case errors.Is(err, client.ErrPermission):
		d.skip("daemon", "", "%v", err)
		return true
	case err != nil:
		d.found("daemon", "", condition.Daemon, err.Error())
		return true
	case status.Venue != d.cfg.Venue || status.Kiosk != d.cfg.Kiosk:
		d.found("daemon", "", condition.Daemon, fmt.Sprintf("the kiosk that answers in %s is %s/%s, and the config is of %s/%s",
			d.cfg.Run, status.Venue, status.Kiosk, d.cfg.Venue, d.cfg.Kiosk))
		return true
	}
	d.live = status
	ready := "ready"
	if !status.Ready {
		ready = "not ready: no lane can admit"
	}
	d.ok("daemon", "", "version %s, running since %s, %s", status.Version, status.Started.Local().Format("2006-01-02 15:04:05"), ready)
	d.checkSockets()
	return false
}

// parts are the checks that a running daemon answers for, with the codes that belong to each.
var parts = []struct {
	name  string
	codes []string // their beginnings
}{
	{"floor", []string{string(condition.Floor), string(condition.FloorWrite)}},
	{"trust store", []string{"GH-4"}},
	{"ledger", []string{"GH-3"}},
	{"clock", []string{"GH-5"}},
	{"sockets", []string{string(condition.LocalAPI)}},
}

// askDaemon takes the daemon's word for what it has open.
func (d *doctor) askDaemon() {
	all := flatten(d.live.Conditions)
	for _, p := range parts {
		if !d.repeat(all, p.name, "", p.codes...) && p.name != "clock" && p.name != "sockets" { // these two were looked at
			d.ok(p.name, "", "the daemon finds nothing wrong")
		}
	}
	for _, l := range d.live.Lanes {
		if !d.repeat(all, "scanner", l.Name, "GH-1") {
			d.lane("scanner", l.Name, l.Scanner, "connected", condition.Scanner)
		}
		if !d.repeat(all, "gate", l.Name, "GH-2") {
			d.lane("gate", l.Name, l.Gate, inService, condition.Gate)
		}
	}
}

// lane goes by a lane's own words, which are not delayed.
func (d *doctor) lane(name, lane, text, well string, c condition.Code) {
	if text == well {
		d.ok(name, lane, "%s", text)
		return
	}
	d.found(name, lane, c, text)
}

// checkHardware looks for what the lanes are wired to.
func (d *doctor) checkHardware() {
	for _, l := range d.cfg.Lanes {
		if err := scanner.Inspect(l.Scanner.config()); err != nil {
			d.fault("scanner", l.Name, condition.Scanner, err)
		} else {
			d.ok("scanner", l.Name, "%s can be opened", l.Scanner.Port)
		}
		d.checkLines(l)
	}
}
