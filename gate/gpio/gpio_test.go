// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gpio

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gatehouse/gate"
)

var _ gate.Lines = (*Lines)(nil)

// fakeChip behaves like the kernel's character device: a request as an output makes the line low, a write to an input
// is EPERM, a line that is held is EBUSY. Errors come as periph makes them, with the number lost.
type fakeChip struct {
	description
	pins []pin
	log  []string // what happened to the pins, in order
}

type pin struct {
	output, high, held bool
	dead               bool // an output that does not follow
	fail               error
}

func newFake(names ...string) *fakeChip {
	c := &fakeChip{description: description{name: "gpiochip0", label: "fake", path: "/dev/gpiochip0"}}
	for _, n := range names {
		c.lines = append(c.lines, lineInfo{name: n})
	}
	c.pins = make([]pin, len(names))
	return c
}

func (c *fakeChip) describe() description { return c.description }

func (c *fakeChip) request(number int, m mode) (line, error) {
	p := &c.pins[number]
	if p.fail != nil {
		return nil, fmt.Errorf("LineSetFromConfig: %w", errors.New(p.fail.Error()))
	}
	if p.held {
		return nil, fmt.Errorf("LineSetFromConfig: %w", errors.New(unix.EBUSY.Error()))
	}
	p.held = true
	switch m {
	case asIs:
	case asOutput:
		p.output, p.high, p.dead = true, false, false
		c.log = append(c.log, c.lines[number].name+" output low")
	default:
		p.output = false
		c.log = append(c.log, fmt.Sprint(c.lines[number].name, " ", m))
	}
	return &fakeLine{c, number}, nil
}

type fakeLine struct {
	c      *fakeChip
	number int
}

func (l *fakeLine) out(high bool) error {
	p := &l.c.pins[l.number]
	if p.fail != nil {
		return errors.New(p.fail.Error())
	}
	if !p.output {
		return errors.New(unix.EPERM.Error())
	}
	if !p.dead {
		p.high = high
		l.c.log = append(l.c.log, fmt.Sprintf("%s %s", l.c.lines[l.number].name, map[bool]string{true: "high", false: "low"}[high]))
	}
	return nil
}

func (l *fakeLine) read() (bool, error) { return l.c.pins[l.number].high, l.c.pins[l.number].fail }

func (l *fakeLine) close() error {
	l.c.pins[l.number].held = false
	return nil
}

func wired(relay Line) Config { return Config{Relay: relay} }

func mustOpen(t *testing.T, c *fakeChip, cfg Config) *Lines {
	t.Helper()
	l, err := open(c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (c *fakeChip) want(t *testing.T, log ...string) {
	t.Helper()
	if !slices.Equal(c.log, log) {
		t.Errorf("the pins saw %q, want %q", c.log, log)
	}
}

func TestPolarity(t *testing.T) {
	for _, tc := range []struct {
		activeLow, active bool
		level             string
	}{{false, true, "R high"}, {false, false, "R low"}, {true, true, "R low"}, {true, false, "R high"}} {
		c := newFake("R")
		c.pins[0] = pin{output: true, high: tc.level == "R low"}
		l := mustOpen(t, c, wired(Line{"R", tc.activeLow}))
		if err := l.Drive(gate.Relay, tc.active); err != nil {
			t.Error(err)
		}
		c.want(t, tc.level)
	}
}

func TestOpenAndCloseMoveNothing(t *testing.T) {
	c := newFake("R", "G")
	c.pins[0] = pin{output: true, high: true}
	l := mustOpen(t, c, Config{Relay: Line{Name: "R"}, Green: Line{Name: "G"}})
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	c.want(t)
	if c.pins[0].held || c.pins[1].held {
		t.Error("a line is held after Close")
	}
}

func TestLineThatIsAnOutputIsTakenOverWithoutAClick(t *testing.T) {
	c := newFake("R")
	c.pins[0] = pin{output: true, high: true} // an active-low relay at rest
	l := mustOpen(t, c, wired(Line{"R", true}))
	for _, active := range []bool{false, true, false} {
		if err := l.Drive(gate.Relay, active); err != nil {
			t.Error(err)
		}
	}
	c.want(t, "R high", "R low", "R high")
}

func TestLineThatIsAnInputIsMadeAnOutput(t *testing.T) {
	for name, p := range map[string]pin{"input": {}, "output that does not follow": {output: true, dead: true}} {
		c := newFake("R")
		c.pins[0] = p
		l := mustOpen(t, c, wired(Line{"R", true}))
		if err := l.Drive(gate.Relay, false); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		c.want(t, "R output low", "R high")
	}
}

func TestLampsThatAreNotWiredAreDrivenWithoutEffect(t *testing.T) {
	c := newFake("R")
	l := mustOpen(t, c, wired(Line{Name: "R"}))
	for _, o := range []gate.Output{gate.Green, gate.Red} {
		if err := l.Drive(o, true); err != nil {
			t.Errorf("%s: %v", o, err)
		}
	}
	c.want(t)
}

// A lamp whose line there is not, or that another holds, keeps nobody in; it comes when its line is free.
func TestLampsThatCannotBeTaken(t *testing.T) {
	c := newFake("R", "G")
	c.pins[1].held = true
	l := mustOpen(t, c, Config{Relay: Line{Name: "R"}, Green: Line{Name: "G"}, Red: Line{Name: "LAMP"}})
	for o, want := range map[gate.Output]error{gate.Relay: nil, gate.Green: ErrHeld, gate.Red: ErrNoLine} {
		if err := l.Drive(o, true); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", o, err, want)
		}
	}
	c.pins[1].held = false
	if err := l.Drive(gate.Green, true); err != nil || !c.pins[1].high {
		t.Errorf("the lamp that came back: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestFailedWriteIsReportedAndTriedAgainOnTheSameLine(t *testing.T) {
	c := newFake("R")
	l := mustOpen(t, c, wired(Line{Name: "R"}))
	if err := l.Drive(gate.Relay, false); err != nil {
		t.Fatal(err)
	}
	c.pins[0].fail = unix.EIO
	if err := l.Drive(gate.Relay, true); !errors.Is(err, unix.EIO) || !strings.Contains(err.Error(), "line R of gpiochip0") {
		t.Errorf("error %v", err)
	}
	c.pins[0].fail = nil
	if err := l.Drive(gate.Relay, true); err != nil || !c.pins[0].high {
		t.Errorf("after the failure: %v", err)
	}
}

func TestLineLostToAnotherWhileItWasRequestedAnew(t *testing.T) {
	c := newFake("R")
	l := mustOpen(t, c, wired(Line{Name: "R"}))
	stolen := false
	c.pins[0].fail = nil
	thief := &thief{fakeChip: c, steal: &stolen}
	l.outputs[gate.Relay].chip = thief
	if err := l.Drive(gate.Relay, false); !errors.Is(err, ErrHeld) {
		t.Errorf("error %v, want ErrHeld", err)
	}
	c.pins[0].held = false
	if err := l.Drive(gate.Relay, true); err != nil || !c.pins[0].high {
		t.Errorf("after the other let go: %v", err)
	}
}

// thief holds the line when it is first asked for.
type thief struct {
	*fakeChip
	steal *bool
}

func (c *thief) request(number int, m mode) (line, error) {
	if !*c.steal {
		*c.steal = true
		c.pins[number].held = true
	}
	return c.fakeChip.request(number, m)
}

// A line set of periph that was closed acts on descriptor 0.
func TestDriveAfterCloseTouchesNothing(t *testing.T) {
	c := newFake("R")
	l := mustOpen(t, c, wired(Line{Name: "R"}))
	if err := errors.Join(l.Drive(gate.Relay, false), l.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	c.log = nil
	if err := l.Drive(gate.Relay, true); !errors.Is(err, ErrClosed) {
		t.Errorf("error %v, want ErrClosed", err)
	}
	c.want(t)
}

func TestCloseDoesNotWaitForADriverThatHangs(t *testing.T) {
	c := newFake("R", "G")
	l := mustOpen(t, c, Config{Relay: Line{Name: "R"}, Green: Line{Name: "G"}})
	l.outputs[gate.Green].mu.Lock() // as a call that hangs in the kernel does
	if err := l.Close(); !errors.Is(err, unix.EBUSY) {
		t.Errorf("Close returned %v", err)
	}
	if c.pins[0].held {
		t.Error("the relay's line was not released")
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	names := []string{"R", "G", "", "X", "gpiochip0-X", "-", "gpiochip0-Y"}
	for name, tc := range map[string]struct {
		cfg  Config
		fail error
		is   error
		says string
	}{
		"missing name":         {wired(Line{Name: "RELAY"}), nil, ErrNoLine, "it has R, G, X"},
		"name that is twice":   {wired(Line{Name: "X"}), nil, ErrNoLine, "2 lines of gpiochip0 are named"},
		"periph's second name": {wired(Line{Name: "gpiochip0-X"}), nil, ErrNoLine, "2 lines of gpiochip0 are named"},
		"held":                 {wired(Line{Name: "R"}), unix.EBUSY, ErrHeld, "line R of gpiochip0 (other@7 had it at the start)"},
		"not permitted":        {wired(Line{Name: "R"}), unix.EACCES, ErrPermission, "group gatehouse"},
		"anything else":        {wired(Line{Name: "R"}), unix.EINVAL, unix.EINVAL, "line R of gpiochip0"},
	} {
		c := newFake(names...)
		c.lines[0].consumer = "other@7"
		c.pins[0].fail = tc.fail
		l, err := open(c, tc.cfg)
		if !errors.Is(err, tc.is) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: error %v, want %q saying %q", name, err, tc.is, tc.says)
		}
		if l != nil {
			t.Errorf("%s: lines beside an error", name)
		}
		c.want(t)
		for n, p := range c.pins {
			if p.held {
				t.Errorf("%s: line %s is held after the error", name, names[n])
			}
		}
	}
	if _, err := open(newFake("", ""), wired(Line{Name: "R"})); !errors.Is(err, ErrNoLine) || !strings.Contains(err.Error(), "gpio-line-names") {
		t.Errorf("unnamed chip: %v", err)
	}
	// A name that periph has met on another chip carries the chip's name, and is the kernel's name all the same.
	if number, err := newFake(names...).find("Y"); number != 6 || err != nil {
		t.Errorf("find(Y) = %d, %v", number, err)
	}
}

func TestCheck(t *testing.T) {
	for says, cfg := range map[string]Config{
		"relay has no line":    {Green: Line{Name: "G"}},
		"both relay and red":   {Relay: Line{Name: "R"}, Red: Line{Name: "R", ActiveLow: true}},
		"each its own":         {Relay: Line{Name: "R"}, Green: Line{Name: "G"}, Red: Line{Name: "G"}},
		"set relay.line to a ": {},
	} {
		if err := cfg.Check(); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: error %v, want it to say %q", cfg, err, says)
		}
		if _, err := Open(cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("Open(%+v): %v", cfg, err)
		}
	}
}

func TestPick(t *testing.T) {
	pi := []description{
		{name: "gpiochip0", label: "pinctrl-bcm2711", path: "/dev/gpiochip0"},
		{name: "gpiochip1", label: "raspberrypi-exp-gpio", path: "/dev/gpiochip1"},
		{name: "gpiochip2", label: "board", path: "/dev/gpiochip2"},
		{name: "gpiochip3", label: "board", path: "/dev/gpiochip3"},
	}
	links := func(path string) string {
		if path == "/dev/gatehouse-gpio" {
			return "/dev/gpiochip3"
		}
		return path
	}
	for want, chip := range map[string]int{
		"": 0, "gpiochip1": 1, "pinctrl-bcm2711": 0, "/dev/gpiochip2": 2, "/dev/gatehouse-gpio": 3,
	} {
		if got, err := pick(pi, want, links); got != chip || err != nil {
			t.Errorf("pick(%q) = %d, %v; want %d", want, got, err, chip)
		}
	}
	for _, want := range []string{"gpiochip9", "board"} {
		if _, err := pick(pi, want, links); !errors.Is(err, ErrNoChip) || !strings.Contains(err.Error(), "raspberrypi-exp-gpio") {
			t.Errorf("pick(%q): %v", want, err)
		}
	}
	if got, err := pick(pi[2:3], "", links); got != 0 || err != nil {
		t.Errorf("the only chip: %d, %v", got, err)
	}
	if _, err := pick(pi[1:], "", links); !errors.Is(err, ErrNoChip) {
		t.Errorf("several chips and none of them gpiochip0: %v", err)
	}
}

func TestErrorsOfPeriphGetTheirNumberBack(t *testing.T) {
	for _, no := range errnos {
		if err := withErrno(fmt.Errorf("LineSetFromConfig: %w", errors.New(no.Error()))); !errors.Is(err, no) {
			t.Errorf("%v: %v", no, err)
		}
	}
	odd := errors.New("odd")
	if err := withErrno(odd); !reflect.DeepEqual(err, odd) || withErrno(nil) != nil {
		t.Errorf("another error became %v", err)
	}
}

func TestOpenWithoutAChipSaysSoEachTime(t *testing.T) {
	if chips, err := filepath.Glob("/dev/gpiochip*"); err != nil || len(chips) > 0 {
		t.Skipf("this machine has chips: %v, %v", chips, err)
	}
	for range 2 {
		if _, err := Open(wired(Line{Name: "R"})); !errors.Is(err, ErrNoChip) || !strings.Contains(err.Error(), "DeviceAllow") {
			t.Errorf("error %v", err)
		}
	}
}
