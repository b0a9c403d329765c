// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	statusMode  = 0o660
	controlMode = 0o660
)

// socketPeriod is how often it is looked whether the sockets are there: a tidy colleague, or a service manager that
// empties the run folder, must not leave a kiosk that nobody can ask.
const socketPeriod = 2 * time.Second

// socket is one of the two sockets of the local API. All but its making is done by one goroutine, in keep.
type socket struct {
	path     string
	mode     os.FileMode
	slots    chan struct{} // of its connections, whichever listener took them
	listener *net.UnixListener
	made     os.FileInfo // of the file that the listener made
}

// newSocket makes a socket that listens.
func newSocket(path string, mode os.FileMode) (*socket, error) {
	s := &socket{path: path, mode: mode, slots: make(chan struct{}, maxConnections)}
	return s, s.listen()
}

// listen makes the socket's file. It takes the place of one that a killed daemon left; the state folder's lock, taken
// before, tells that no other daemon lives here.
func (s *socket) listen() error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o755); err != nil {
		return fmt.Errorf("device: run: %w", err)
	}
	if err := os.Remove(s.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("device: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: s.path, Net: "unix"})
	if err != nil {
		return fmt.Errorf("device: local API: %w; the folder must belong to the user of the service, see: ls -ld %s", err, filepath.Dir(s.path))
	}
	if err := os.Chmod(s.path, s.mode); err != nil {
		return errors.Join(fmt.Errorf("device: %w", err), l.Close())
	}
	made, err := os.Lstat(s.path)
	if err != nil {
		return errors.Join(fmt.Errorf("device: %w", err), l.Close())
	}
	s.listener, s.made = l, made
	return nil
}

// close gives the socket up before it was served.
func (s *socket) close() error { return s.listener.Close() }

// keep serves the socket until ctx ends, and makes it again where it is gone. What is wrong meanwhile is reported.
func (s *socket) keep(ctx context.Context, server *http.Server, report func(error)) {
	var serving sync.WaitGroup
	defer serving.Wait()
	look := time.NewTicker(socketPeriod)
	defer look.Stop()
	for {
		listener, ended := limit(s.listener, s.slots), make(chan struct{})
		serving.Go(func() {
			defer close(ended)
			_ = server.Serve(listener) // how it ended does not matter: the socket is made again, or the kiosk ends
		})
		if !s.watch(ctx, look.C, ended) {
			return
		}
		s.listener.SetUnlinkOnClose(false) // what is there now is not its own
		_ = s.listener.Close()
		for err := s.listen(); err != nil; err = s.listen() {
			report(err)
			select {
			case <-look.C:
			case <-ctx.Done():
				return
			}
		}
		report(nil)
	}
}

// watch returns true when the socket's file is gone or its listener ended, false when ctx ended.
func (s *socket) watch(ctx context.Context, look <-chan time.Time, ended <-chan struct{}) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-ended:
			return ctx.Err() == nil
		case <-look:
			if now, err := os.Lstat(s.path); err != nil || !os.SameFile(now, s.made) {
				return true
			}
		}
	}
}
