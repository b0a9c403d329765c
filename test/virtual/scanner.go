// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// ErrUnplugged is returned where a code is sent by a scanner that is not
// plugged in.
var ErrUnplugged = errors.New("virtual: the scanner is not plugged in")

// Scanner is an FTDI serial adapter, 0403:6001, on the guest's USB, and what
// would be behind it. The guest's own ftdi_sio makes it /dev/ttyUSB0.
type Scanner struct {
	path string

	mu   sync.Mutex
	conn net.Conn
}

// Plug plugs the scanner into the guest. The guest has seen it some tenths of
// a second later; see [Machine.Console] and [Machine.Shell] to wait for that.
func (s *Scanner) Plug() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		return nil
	}
	conn, err := net.Dial("unix", s.path)
	if err != nil {
		return fmt.Errorf("virtual: scanner: %w", err)
	}
	s.conn = conn
	return nil
}

// Unplug pulls the scanner out. One that is out already stays so.
func (s *Scanner) Unplug() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return nil
	}
	err := s.conn.Close()
	s.conn = nil
	if err != nil {
		return fmt.Errorf("virtual: scanner: %w", err)
	}
	return nil
}

// Send sends a code as a scanner in its factory state does: the text, then a
// carriage return. What is sent while the guest has not opened the port is
// kept by the adapter, as much of it as fits.
func (s *Scanner) Send(code string) error { return s.SendRaw(code + "\r") }

// SendRaw sends bytes as they are.
func (s *Scanner) SendRaw(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return ErrUnplugged
	}
	if _, err := io.WriteString(s.conn, text); err != nil {
		return fmt.Errorf("virtual: scanner: %w", err)
	}
	return nil
}
