// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A daemon that is stopped accepts and says nothing: the kernel does that for it.
func TestSilentKiosk(t *testing.T) {
	run := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(run, StatusSocket))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var s Status
	c := Dial(run)
	err = c.call(context.Background(), 50*time.Millisecond, c.status, "GET", "/v1/status", &s)
	if !errors.Is(err, ErrSilent) || !strings.Contains(err.Error(), "restart") {
		t.Errorf("got %v", err)
	}
}
