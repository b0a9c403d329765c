// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

func TestConsole(t *testing.T) {
	near, far := net.Pipe()
	c := newConsole(near)
	read := make(chan struct{})
	go func() {
		defer close(read)
		c.read()
	}()
	if _, err := io.WriteString(far, "bench: up\r\nkiosk started\r\n"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	end, err := c.Wait(ctx, "bench: up\n", 0)
	if err != nil || end != len("bench: up\n") {
		t.Fatalf("got %d, %v", end, err)
	}
	if _, err := c.Wait(ctx, "kiosk started", end); err != nil {
		t.Error(err)
	}
	far.Close()
	<-read
	if _, err := c.Wait(ctx, "bench: up", end); !errors.Is(err, ErrOff) {
		t.Errorf("waiting at a console that is off gave %v", err)
	}
	if text := c.Text(); text != "bench: up\nkiosk started\n" {
		t.Errorf("text %q", text)
	}
}

func TestAnswer(t *testing.T) {
	const text = "time=… msg=scan\n@7 one\nmsg=other\n@6 not ours\n@7 \n@7 status quo\n@7 status 3\n@7 late\n"
	out, status := answer(text, 7)
	if out != "one\n\nstatus quo\n" || status != 3 {
		t.Errorf("got %q, %d", out, status)
	}
	if _, status := answer("@7 one\n", 7); status == 0 {
		t.Error("an answer without a status is a success")
	}
}
