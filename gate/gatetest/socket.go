// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gatetest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"gatehouse/gate"
)

// The protocol is one JSON object a line each way, a reply for each request, in order. A client has one connection for
// each output, so that one that hangs holds no other up.
type request struct {
	Lane   string      `json:"lane"`
	Output gate.Output `json:"output"`
	Active bool        `json:"active"`
}

type reply struct {
	Active bool   `json:"active,omitempty"` // of an input, which is read
	Error  string `json:"error,omitempty"`
}

// maxLine bounds a line of the protocol.
const maxLine = 1024

// Listen serves the board on a unix socket, until Close. A socket that is in the way is an error: give each board its own path.
func (b *Board) Listen(path string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.server != nil {
		return errors.New("gatetest: this board is closed or listens already")
	}
	server, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return fmt.Errorf("gatetest: serving the board: %w", err)
	}
	b.server = server
	b.served.Go(func() { b.accept(server) })
	return nil
}

// Close ends the serving, clears all faults and waits for the connections to end. The record stays readable.
func (b *Board) Close() error {
	b.mu.Lock()
	b.closed = true
	for o := range b.faults {
		b.lift(o)
	}
	for c := range b.clients {
		_ = c.Close()
	}
	server := b.server
	b.server = nil
	b.mu.Unlock()

	var err error
	if server != nil {
		err = server.Close()
	}
	b.served.Wait()
	return err
}

func (b *Board) accept(server *net.UnixListener) {
	for {
		c, err := server.AcceptUnix()
		if err != nil {
			return // Close
		}
		b.mu.Lock()
		if b.closed {
			_ = c.Close()
		} else {
			b.clients[c] = struct{}{}
			b.served.Go(func() { b.serve(c) })
		}
		b.mu.Unlock()
	}
}

// serve answers one client until it is gone or sends something else than requests.
func (b *Board) serve(c *net.UnixConn) {
	var seen []output
	defer func() {
		_ = c.Close()
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.clients, c)
		defer b.notify()
		if b.cfg.ReleaseOnClose {
			for _, o := range seen {
				b.set(o, false, time.Now())
			}
		}
	}()
	in := bufio.NewReaderSize(c, maxLine)
	for {
		line, err := in.ReadSlice('\n') // fails on a line beyond the buffer
		at := time.Now()
		if err != nil {
			return
		}
		req, err := readRequest(line)
		rep := b.do(req, err, at)
		if o := (output{req.Lane, req.Output}); err == nil && !isInput(o.out) && !slices.Contains(seen, o) {
			seen = append(seen, o)
		}
		if send(c, rep) != nil {
			return
		}
	}
}

// do answers one request.
func (b *Board) do(req request, err error, at time.Time) (rep reply) {
	switch {
	case err != nil:
	case isInput(req.Output):
		rep.Active, err = b.contact(output{req.Lane, req.Output})
	default:
		err = b.drive(output{req.Lane, req.Output}, req.Active, at)
	}
	if err != nil {
		rep.Error = err.Error()
	}
	return rep
}

var errNoRequest = errors.New("gatetest: not a request")

// readRequest reads a line of the protocol.
func readRequest(line []byte) (req request, err error) {
	if err := json.Unmarshal(line, &req); err != nil || !known(req) {
		return request{}, errNoRequest
	}
	return req, nil
}

// WaitAlone waits until no client is connected: what a process that was killed still asked for has been done then.
func (b *Board) WaitAlone(ctx context.Context) error {
	for {
		b.mu.Lock()
		n, changed := len(b.clients), b.changed
		b.mu.Unlock()
		if n == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("gatetest: waiting for %d clients to be gone: %w", n, ctx.Err())
		}
	}
}

func known(r request) bool {
	return r.Lane != "" && (isInput(r.Output) || slices.Contains(gate.Outputs(), r.Output))
}

func send(c *net.UnixConn, message any) error {
	line, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if len(line) >= maxLine {
		return errors.New("gatetest: message too long")
	}
	_, err = c.Write(append(line, '\n'))
	return err
}

// Dial gives the outputs of a lane on the board that listens at path. A connection that breaks is made anew by the
// next call that needs it.
func Dial(path, lane string) (gate.Lines, error) {
	r := &remote{outputs: make(map[gate.Output]*wire)}
	for _, o := range gate.Outputs() {
		w := &wire{path: path, lane: lane, output: o}
		if err := w.connect(); err != nil {
			_ = r.Close()
			return nil, unreachable(err)
		}
		r.outputs[o] = w
	}
	return r, nil
}

// remote is a lane of a board elsewhere.
type remote struct{ outputs map[gate.Output]*wire }

func (r *remote) Drive(o gate.Output, active bool) error {
	w := r.outputs[o]
	if w == nil {
		return fmt.Errorf("gatetest: no output %q", o)
	}
	_, err := w.ask(request{w.lane, w.output, active})
	return err
}

func (r *remote) Close() error {
	var errs []error
	for _, w := range r.outputs {
		errs = append(errs, w.close())
	}
	return errors.Join(errs...)
}

// wire is the connection of one output.
type wire struct {
	path, lane string
	output     gate.Output

	calls sync.Mutex // held for a whole call, however long it hangs
	mu    sync.Mutex // guards what follows
	conn  *net.UnixConn
	in    *bufio.Reader
	shut  bool
}

func (w *wire) connect() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.shut {
		return net.ErrClosed
	}
	if w.conn != nil {
		return nil
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: w.path, Net: "unix"})
	if err != nil {
		return err
	}
	w.conn, w.in = conn, bufio.NewReaderSize(conn, maxLine)
	return nil
}

func unreachable(err error) error { return fmt.Errorf("gatetest: reaching the board: %w", err) }

// ask sends a request and waits for its reply.
func (w *wire) ask(req request) (rep reply, err error) {
	w.calls.Lock()
	defer w.calls.Unlock()
	if err := w.connect(); err != nil {
		return rep, unreachable(err)
	}
	err = send(w.conn, req)
	if err == nil {
		var line []byte
		if line, err = w.in.ReadSlice('\n'); err == nil {
			err = json.Unmarshal(bytes.TrimSpace(line), &rep)
		}
	}
	if err != nil {
		w.drop()
		return rep, fmt.Errorf("gatetest: the board did not answer: %w", err)
	}
	if rep.Error != "" {
		return rep, errors.New(rep.Error)
	}
	return rep, nil
}

func (w *wire) drop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		_ = w.conn.Close()
		w.conn = nil
	}
}

// close lets go of a call that hangs.
func (w *wire) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shut = true
	if w.conn == nil {
		return nil
	}
	err := w.conn.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return err
}
