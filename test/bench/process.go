// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Bounds of what a started program may take.
const (
	readyMost = 20 * time.Second
	stopMost  = 20 * time.Second
	idle      = time.Second // before its memory is read
	watch     = 50 * time.Millisecond
)

// manager stands for the service manager: a socket on which programs report that they are ready (sd_notify(3)).
type manager struct {
	path   string
	socket *net.UnixConn
}

func newManager(path string) (*manager, error) {
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("a socket to be notified on (set TMPDIR to a shorter path?): %w", err)
	}
	return &manager{path, socket}, nil
}

func (m *manager) close() { _ = m.socket.Close() }

// process is a program that was started and has reported ready.
type process struct {
	cmd   *exec.Cmd
	log   bytes.Buffer  // to be read when it has ended
	ended chan struct{} // closed then
	err   error         // how it ended
	ready time.Duration // from the start to the report
}

// start starts a program and waits until it reports ready.
func (m *manager) start(ctx context.Context, args []string) (*process, error) {
	if err := m.drain(); err != nil {
		return nil, err
	}
	p := &process{cmd: exec.CommandContext(ctx, args[0], args[1:]...), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+m.path)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		p.err = p.cmd.Wait()
	}()
	if err := m.awaitReady(p, began.Add(readyMost)); err != nil {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.ended
		return nil, fmt.Errorf("%s: not ready: %w (%v)\n%s", args[0], err, p.err, &p.log)
	}
	p.ready = time.Since(began)
	return p, nil
}

// awaitReady waits for the report of a program, or for its end.
func (m *manager) awaitReady(p *process, until time.Time) error {
	for {
		ended := false
		select {
		case <-p.ended:
			ended = true // what it has reported is in the socket
		default:
		}
		err := m.await("READY=1", time.Now().Add(watch))
		if !errors.Is(err, os.ErrDeadlineExceeded) || ended || time.Now().After(until) {
			return err
		}
	}
}

// drain drops what the program before reported while it stopped.
func (m *manager) drain() error {
	err := m.await("", time.Now().Add(time.Millisecond))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// await reads reports until one has the line; no report has an empty one.
func (m *manager) await(line string, until time.Time) error {
	if err := m.socket.SetReadDeadline(until); err != nil {
		return err
	}
	var report [4096]byte
	for {
		n, err := m.socket.Read(report[:])
		if err != nil {
			return err
		}
		for l := range strings.SplitSeq(strings.TrimSuffix(string(report[:n]), "\n"), "\n") {
			if l == line {
				return nil
			}
		}
	}
}

// stop ends the program as a service manager does. One that has ended by itself is well too.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	late := time.AfterFunc(stopMost, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	<-p.ended
	if p.err != nil {
		return fmt.Errorf("%s: stopping: %w\n%s", p.cmd.Path, p.err, &p.log)
	}
	return nil
}

// memory reports the resident memory of an idle program: all of it, and what no file backs.
func memory(ctx context.Context, p *process) ([]row, error) {
	select {
	case <-time.After(idle):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, f := range []struct{ field, name string }{{"VmRSS", "MemoryIdle/resident"}, {"RssAnon", "MemoryIdle/anonymous"}} {
		kB, err := statusField(string(text), f.field)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{Name: f.name, Value: float64(kB) * 1024 / 1e6, Unit: "MB", Met: true})
	}
	return rows, nil
}

// statusField reads a field of /proc/PID/status in kB (proc_pid_status(5)), which are of 1024 bytes.
func statusField(status, name string) (kB uint64, err error) {
	for l := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(l, name+":"); ok {
			f := strings.Fields(rest)
			if len(f) != 2 || f[1] != "kB" {
				return 0, fmt.Errorf("/proc/PID/status: %q is no amount of memory", strings.TrimSpace(l))
			}
			return strconv.ParseUint(f[0], 10, 64)
		}
	}
	return 0, fmt.Errorf("/proc/PID/status has no %s", name)
}
