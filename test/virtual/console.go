// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
)

// Console is the guest's serial console: what was written on it since
// power-on, and the way to type.
type Console struct {
	conn net.Conn

	mu      sync.Mutex
	text    []byte
	ended   bool
	change  chan struct{} // closed and made anew at every change
	command int           // number of the last one typed
}

func newConsole(conn net.Conn) *Console {
	return &Console{conn: conn, change: make(chan struct{})}
}

// Text is everything that was written so far, with plain line ends.
func (c *Console) Text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.text)
}

// Wait waits until the text is written somewhere after the first from bytes of
// [Console.Text], and gives where it ends: the from of what comes next.
func (c *Console) Wait(ctx context.Context, text string, from int) (int, error) {
	for {
		c.mu.Lock()
		at := strings.Index(string(c.text[from:]), text)
		change, ended := c.change, c.ended
		c.mu.Unlock()
		if at >= 0 {
			return from + at + len(text), nil
		}
		if ended {
			return 0, fmt.Errorf("%w: %q is not on the console", ErrOff, text)
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("virtual: %q is not on the console: %w", text, ctx.Err())
		case <-change:
		}
	}
}

// read takes what comes until the emulator is gone.
func (c *Console) read() {
	defer c.conn.Close()
	buf := make([]byte, 4096)
	for {
		n, err := c.conn.Read(buf)
		c.take(buf[:n], err != nil)
		if err != nil {
			return
		}
	}
}

func (c *Console) take(p []byte, ended bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range p {
		if b != '\r' {
			c.text = append(c.text, b)
		}
	}
	c.ended = ended
	close(c.change)
	c.change = make(chan struct{})
}

// enter numbers a command and types it, and tells from where its answer comes.
func (c *Console) enter(command string) (number, from int, err error) {
	c.mu.Lock()
	c.command++
	number, from = c.command, len(c.text)
	c.mu.Unlock()
	_, err = io.WriteString(c.conn, fmt.Sprintf("%d %s\n", number, command))
	if err != nil {
		return 0, 0, fmt.Errorf("%w: %w", ErrOff, err)
	}
	return number, from, nil
}

// Shell runs a command of one line in the guest, as root, and gives what it
// wrote. A status other than 0 is an error; the output is given with it. Only
// one command runs at a time, and only once the guest is up.
func (m *Machine) Shell(ctx context.Context, command string) (string, error) {
	if strings.Contains(command, "\n") {
		return "", fmt.Errorf("virtual: %q is more than one line", command)
	}
	if _, err := m.Console.Wait(ctx, "bench: up", 0); err != nil {
		return "", err
	}
	number, from, err := m.Console.enter(command)
	if err != nil {
		return "", err
	}
	end, err := m.Console.Wait(ctx, fmt.Sprintf("\n@%d status ", number), from-1)
	if err == nil {
		_, err = m.Console.Wait(ctx, "\n", end)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", command, err)
	}
	out, status := answer(m.Console.Text()[from:], number)
	if status != 0 {
		return out, fmt.Errorf("virtual: in the guest: %s: status %d: %s", command, status, strings.TrimSpace(out))
	}
	return out, nil
}

// answer takes the numbered command's lines out of the console's, and their
// status out of the last of them.
func answer(text string, number int) (out string, status int) {
	prefix := fmt.Sprintf("@%d ", number)
	status = -1
	for line := range strings.Lines(text) {
		line, ours := strings.CutPrefix(line, prefix)
		if !ours {
			continue
		}
		if s, last := strings.CutPrefix(line, "status "); last {
			if n, err := strconv.Atoi(strings.TrimSpace(s)); err == nil {
				return out, n
			}
		}
		out += line
	}
	return out, status
}
