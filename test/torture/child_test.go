// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package torture

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// child is a process that was started.
type child struct {
	cmd   *exec.Cmd
	began time.Time
	ended chan struct{} // closed
	how   error         // after ended
}

// spawn starts a process that writes into a log, and waits for nothing.
func spawn(log *os.File, env []string, program string, args ...string) (*child, error) {
	c := &child{cmd: exec.Command(program, args...), ended: make(chan struct{})}
	c.cmd.Env, c.cmd.Stderr = env, log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.began = time.Now()
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		c.how = c.cmd.Wait()
		close(c.ended)
	}()
	return c, nil
}

// kill is kill -9, and waits until the child is gone. That somebody else ended it first is an error.
func (c *child) kill() error {
	_ = c.cmd.Process.Kill() // it may have ended by itself
	<-c.ended
	return c.wantKilled()
}

func (c *child) wantKilled() error {
	if status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		return fmt.Errorf("%s ended by itself: %w", filepath.Base(c.cmd.Path), c.how)
	}
	return nil
}
