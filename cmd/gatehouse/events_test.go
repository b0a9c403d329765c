// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/device/client"
)

// answering is a kiosk of answers alone, and returns its run folder.
func answering(t *testing.T, mux *http.ServeMux) string {
	t.Helper()
	run := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(run, client.StatusSocket))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: mux}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return run
}

// A record that is followed shows what comes, once, and a new ledger from its begin.
func TestEventsFollow(t *testing.T) {
	pages := make(chan client.Page, 4)
	asked := make(chan string, 16)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/events", func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.RawQuery
		p := <-pages
		_ = json.NewEncoder(w).Encode(p)
	})
	pages <- client.Page{First: 1, Last: 7, Events: []client.Event{{Number: 7, Kind: "trust", Note: "seven"}}, Next: 0}
	pages <- client.Page{First: 1, Last: 8, Events: []client.Event{{Number: 8, Kind: "trust", Note: "eight"}}, Next: 9}
	pages <- client.Page{First: 1, Last: 1, Next: 9}
	pages <- client.Page{First: 1, Last: 1, Events: []client.Event{{Number: 1, Kind: "trust", Note: "anew"}}, Next: 2}
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	out, in := io.Pipe()
	done := make(chan error, 1)
	cmd := newRoot()
	cmd.SetArgs([]string{"events", "--follow", "--run", answering(t, mux)})
	cmd.SetOut(in)
	go func() { done <- cmd.ExecuteContext(ctx); in.Close() }()
	lines := bufio.NewScanner(out)
	for _, want := range []string{"seven", "eight", "anew"} {
		if !lines.Scan() || !strings.HasSuffix(lines.Text(), want) {
			t.Fatalf("got %q, want %s; %v", lines.Text(), want, lines.Err())
		}
	}
	stop()
	close(pages)
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, want := range []string{"limit=20", "from=8", "from=9", "from=1"} {
		if got := <-asked; got != want {
			t.Errorf("asked %q, want %q", got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"", 3, ""}, {"日票", 4, "日票"}, {"日票", 3, "日…"}, {"日票", 2, "…"}, {"abc", 0, ""},
		{"a\x1b[2Jb\nc", 10, "a [2Jb c"}, {"\u202eabc", 9, " abc"},
	} {
		if got := cut(c.text, c.width); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.text, c.width, got, c.want)
		}
	}
	if got := pad("日", 4); got != "日  " {
		t.Errorf("pad: %q", got)
	}
}
