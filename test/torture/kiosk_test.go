// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package torture

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"gatehouse/device"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
)

// The environment that makes this program the kiosk: its local config, the socket of the board, and where it dies.
const (
	envConfig = "GATEHOUSE_TORTURE_CONFIG"
	envBoard  = "GATEHOUSE_TORTURE_BOARD"
	envCrash  = "GATEHOUSE_TORTURE_CRASH"
	envFleet  = "GATEHOUSE_TORTURE_FLEET" // a folder: this program is the centre
)

func TestMain(m *testing.M) {
	if config := os.Getenv(envConfig); config != "" {
		fmt.Fprintln(os.Stderr, runKiosk(config, os.Getenv(envBoard), point(os.Getenv(envCrash))))
		os.Exit(1)
	}
	if dir := os.Getenv(envFleet); dir != "" {
		fmt.Fprintln(os.Stderr, runCentre(dir, point(os.Getenv(envCrash))))
		os.Exit(1)
	}
	defineFlags()
	os.Exit(m.Run())
}

// point is a place between two steps where the kiosk dies.
type point string

const (
	anywhere     point = ""
	beforeRelay  point = "between reserve and relay"
	afterRelay   point = "between relay and passage"
	beforeSettle point = "between passage and settle"
	afterSettle  point = "after settle"
	beforeFloor  point = "between a commit of trust and the floor"
	beforeAnswer point = "between an order and its answer"
)

// said maps the points at which the kiosk writes a line to its log to what all such lines have.
var said = map[point][]string{
	afterSettle:  {"msg=passage", "passage=passed"},
	beforeFloor:  {`msg="documents applied"`},
	beforeAnswer: {`msg="opened by hand"`},
}

// runKiosk is the child: gatehoused in all but the board, and that it dies where it is told to.
func runKiosk(config, board string, at point) error {
	cfg, err := device.LoadConfig(config)
	if err != nil {
		return err
	}
	hw := device.Hardware{Clock: device.SystemClock()}
	hw.Clock.Synced = func() bool { return true }
	hw.Lines = func(l device.LaneConfig) (gate.Lines, error) {
		lines, err := gatetest.Dial(board, l.Name)
		return mortalLines{lines, at}, err
	}
	hw.Input = func(l device.LaneConfig, c gate.Contact) (gate.Input, error) {
		input, err := gatetest.DialInput(board, l.Name, c)
		if c == gate.Passage {
			return &mortalSensor{Input: input, at: at}, err
		}
		return input, err
	}
	return device.Run(context.Background(), cfg, hw, slog.New(slog.NewTextHandler(mortalLog{at}, nil)))
}

// die is kill -9 by the kiosk's own hand; nothing comes after it.
func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// mortalLines are the lines of a lane whose kiosk may die before or after the relay rises.
type mortalLines struct {
	gate.Lines
	at point
}

func (l mortalLines) Drive(o gate.Output, active bool) error {
	rises := o == gate.Relay && active
	if rises && l.at == beforeRelay {
		die()
	}
	err := l.Lines.Drive(o, active)
	if rises && l.at == afterRelay {
		die()
	}
	return err
}

// mortalSensor is the contact of a lane whose kiosk may die when somebody is through and nothing is settled yet.
type mortalSensor struct {
	gate.Input
	at     point
	within atomic.Bool // somebody is in the passage
}

func (s *mortalSensor) Active() (bool, error) {
	passing, err := s.Input.Active()
	if err == nil && s.within.Swap(passing) && !passing && s.at == beforeSettle {
		die()
	}
	return passing, err
}

// mortalLog is the log of a kiosk that may die after what it says.
type mortalLog struct {
	at point
}

func (l mortalLog) Write(line []byte) (int, error) {
	n, err := os.Stderr.Write(line)
	if texts := said[l.at]; len(texts) > 0 {
		for _, text := range texts {
			if !strings.Contains(string(line), text) {
				return n, err
			}
		}
		die()
	}
	return n, err
}
