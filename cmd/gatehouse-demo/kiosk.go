// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/device"
	"gatehouse/device/client"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
)

// The environment that makes this program the kiosk: its local config, the socket of the simulated board, and the hands of
// its clock.
const (
	envConfig = "GATEHOUSE_DEMO_CONFIG"
	envBoard  = "GATEHOUSE_DEMO_BOARD"
	envHands  = "GATEHOUSE_DEMO_HANDS"
)

// runKiosk is the child: gatehoused in all but board and clock.
func runKiosk(ctx context.Context, config, board string) error {
	signal.Ignore(syscall.SIGXFSZ) // a write beyond the limit fails, as on a full disk, and ends nothing
	cfg, err := device.LoadConfig(config)
	if err != nil {
		return err
	}
	h, err := openHands(os.Getenv(envHands))
	if err != nil {
		return err
	}
	hw := device.Hardware{
		Lines: func(l device.LaneConfig) (gate.Lines, error) { return gatetest.Dial(board, l.Name) },
		Input: func(l device.LaneConfig, c gate.Contact) (gate.Input, error) {
			return gatetest.DialInput(board, l.Name, c)
		},
		Clock: h.clock(),
	}
	return device.Run(ctx, cfg, hw, slog.New(slog.NewJSONHandler(os.Stderr, nil)))
}

// kiosk is the running child.
type kiosk struct {
	cmd  *exec.Cmd
	done chan error
}

// startKiosk starts the child and waits until it is ready.
func (s *stage) startKiosk(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), envConfig+"="+s.config, envBoard+"="+s.boardSocket, envHands+"="+s.handsFile)
	cmd.Stderr = s.journal
	// Ctrl-C is for the parent, which ends the child in order; and the child does not outlive the parent.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.kiosk = &kiosk{cmd, make(chan error, 1)}
	go func(k *kiosk) { k.done <- cmd.Wait() }(s.kiosk)
	_, err = s.await(ctx, "the kiosk to be ready", func(st *client.Status) bool {
		return len(st.Lanes) == 1 && st.Ready && st.Lanes[0].Scanner == "connected" && st.Lanes[0].Sensor == "well"
	})
	return err
}

// end sends a signal to the child and waits for its end.
func (k *kiosk) end(sig syscall.Signal) {
	if k == nil {
		return
	}
	_ = k.cmd.Process.Signal(sig) // it may have ended by itself
	select {
	case <-k.done:
	case <-time.After(10 * time.Second):
		_ = k.cmd.Process.Kill()
		<-k.done
	}
}

// fillDisk has the kernel refuse every byte that the kiosk writes to a file, as that of a full disk does, or take them again.
func (k *kiosk) fillDisk(full bool) error {
	var limit unix.Rlimit
	if err := unix.Prlimit(k.cmd.Process.Pid, unix.RLIMIT_FSIZE, nil, &limit); err != nil {
		return fmt.Errorf("the kiosk's limit on files: %w", err)
	}
	limit.Cur = limit.Max
	if full {
		limit.Cur = 0
	}
	if err := unix.Prlimit(k.cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
		return fmt.Errorf("the kiosk's limit on files: %w", err)
	}
	return nil
}

// await asks the kiosk how it is until an answer satisfies.
func (s *stage) await(ctx context.Context, what string, ok func(*client.Status) bool) (*client.Status, error) {
	return s.awaitFor(ctx, 20*time.Second, what, ok)
}

// awaitFor is await for what may take longer.
func (s *stage) awaitFor(ctx context.Context, most time.Duration, what string, ok func(*client.Status) bool) (*client.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		st, err := s.client.Status(ctx)
		if err == nil && ok(st) {
			return st, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waited for %s in vain: %w", what, errors.Join(err, context.Cause(ctx)))
		case err := <-s.kiosk.done:
			s.kiosk.done <- err
			return nil, fmt.Errorf("the kiosk ended while it was waited for %s: %w", what, err)
		case <-poll.C:
		}
	}
}
