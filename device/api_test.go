// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/device/client"
)

// A caller that holds connections takes neither descriptors nor memory from the lanes: those beyond the bound wait.
func TestConnectionsAreBounded(t *testing.T) {
	b := newBench(t)
	b.start()
	b.importBundle()
	var held []net.Conn
	for range maxConnections + 1 {
		c, err := net.Dial("unix", filepath.Join(b.cfg.Run, client.StatusSocket))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		held = append(held, c)
	}
	ask := func(c net.Conn, patience time.Duration) error {
		_ = c.SetDeadline(time.Now().Add(patience))
		if _, err := fmt.Fprint(c, "GET /v1/status HTTP/1.1\r\nHost: kiosk\r\n\r\n"); err != nil {
			return err
		}
		_, err := bufio.NewReader(c).ReadString('\n')
		return err
	}
	for i, c := range held[:maxConnections] {
		if err := ask(c, 10*time.Second); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	last := held[maxConnections]
	if err := ask(last, 100*time.Millisecond); err == nil {
		t.Errorf("connection %d was answered while as many as are allowed were open", maxConnections+1)
	}
	held[0].Close()
	if err := ask(last, 10*time.Second); err != nil {
		t.Errorf("the one that waited: %v", err)
	}
	for _, c := range held {
		c.Close()
	}
	b.expect("ok", b.pass(credential.Claims{}))
}

// One bundle at a time is in memory, and whoever waits and leaves has changed nothing.
func TestImportsWaitTheirTurn(t *testing.T) {
	a := &api{importing: make(chan struct{}, 1)}
	a.importing <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	body := strings.NewReader("a bundle")
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/import", body)
	if _, err := a.importBody(httptest.NewRecorder(), r); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if body.Len() == 0 {
		t.Error("its body was read")
	}
}

// A caller that never ends its request does not hold the kiosk up when it stops.
func TestStopDuringASlowImport(t *testing.T) {
	b := newBench(t)
	b.start()
	c, err := net.Dial("unix", filepath.Join(b.cfg.Run, client.ControlSocket))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprint(c, "POST /v1/import HTTP/1.1\r\nHost: kiosk\r\nContent-Length: 1000000\r\n\r\nabc"); err != nil {
		t.Fatal(err)
	}
	if err := b.halt(); err != nil {
		t.Error(err)
	}
}
