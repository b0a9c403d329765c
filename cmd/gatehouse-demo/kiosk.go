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
	"path/filepath"
	"syscall"
	"time"

	"gatehouse/device"
	"gatehouse/device/client"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
)

// The environment that makes this program the kiosk: its local config and the socket of the simulated board.
const (
	envConfig = "GATEHOUSE_DEMO_CONFIG"
	envBoard  = "GATEHOUSE_DEMO_BOARD"
)

// runKiosk is the child: gatehoused in all but the board.
func runKiosk(ctx context.Context, config, board string) error {
	cfg, err := device.LoadConfig(config)
	if err != nil {
		return err
	}
	hw := device.Hardware{
		Lines:  func(l device.LaneConfig) (gate.Lines, error) { return gatetest.Dial(board, l.Name) },
		Sensor: func(l device.LaneConfig) (gate.Sensor, error) { return gatetest.DialSensor(board, l.Name) },
		Clock:  device.SystemClock(),
	}
	hw.Clock.Synced = func() bool { return true } // the morning has a time server
	return device.Run(ctx, cfg, hw, slog.New(slog.NewTextHandler(os.Stderr, nil)))
}

// kiosk is the running child.
type kiosk struct {
	cmd  *exec.Cmd
	log  *os.File
	done chan error
}

// startKiosk starts the child; its log goes to a file in the stage's folder.
func (s *stage) startKiosk(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "kiosk.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), envConfig+"="+s.config, envBoard+"="+s.boardSocket)
	cmd.Stderr = log
	// Ctrl-C is for the parent, which ends the child in order; and the child does not outlive the parent.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return errors.Join(err, log.Close())
	}
	s.kiosk = &kiosk{cmd, log, make(chan error, 1)}
	go func(k *kiosk) { k.done <- cmd.Wait() }(s.kiosk)
	_, err = s.await(ctx, "the kiosk to be ready", func(st *client.Status) bool {
		return len(st.Lanes) == 1 && st.Ready && st.Lanes[0].Scanner == "connected"
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
	_ = k.log.Close()
}

// await asks the kiosk how it is until an answer satisfies.
func (s *stage) await(ctx context.Context, what string, ok func(*client.Status) bool) (*client.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
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
			return nil, fmt.Errorf("waited for %s in vain: %w; the kiosk's log is %s", what, errors.Join(err, context.Cause(ctx)), s.kiosk.log.Name())
		case err := <-s.kiosk.done:
			s.kiosk.done <- err
			return nil, fmt.Errorf("the kiosk ended while it was waited for %s: %w; its log is %s", what, err, s.kiosk.log.Name())
		case <-poll.C:
		}
	}
}
