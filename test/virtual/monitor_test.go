// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
)

func TestParseLevels(t *testing.T) {
	levels, err := parseLevels("00000000090303fc: 0x00000009 0x00000007\r\n")
	if err != nil || levels != (Levels{High: 9, Outputs: 7}) {
		t.Fatalf("got %+v, %v", levels, err)
	}
	if !levels.Line(0) || levels.Line(1) || !levels.Line(3) || levels.Driven(3) || !levels.Driven(2) {
		t.Errorf("lines of %+v", levels)
	}
	for _, bad := range []string{
		"", "Cannot access memory", "00000000090303fc: 0x00000009",
		"00000000090303fc: 0x00000109 0x00000007", "00000000090303fc: 0x00000009 0xffffffff",
	} {
		if _, err := parseLevels(bad); err == nil {
			t.Errorf("%q was read as levels", bad)
		}
	}
}

func FuzzParseLevels(f *testing.F) {
	f.Add("00000000090303fc: 0x00000009 0x00000007\r\n")
	f.Add("00000000090303fc: 0x00000109 0x00000007")
	f.Fuzz(func(t *testing.T, text string) {
		levels, err := parseLevels(text)
		if err != nil {
			return
		}
		_, words, _ := strings.Cut(strings.TrimSpace(text), ": ")
		if again := fmt.Sprintf("0x%08x 0x%08x", levels.High, levels.Outputs); again != words {
			t.Errorf("%q was read as %s", text, again)
		}
	})
}

// emulate answers a monitor's requests in turn with raw messages.
func emulate(t *testing.T, conn net.Conn, greeting string, answers ...string) {
	t.Helper()
	done := make(chan struct{})
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	go func() {
		defer close(done)
		defer conn.Close()
		fmt.Fprintln(conn, greeting)
		requests := json.NewDecoder(bufio.NewReader(conn))
		for _, answer := range answers {
			var request map[string]any
			if requests.Decode(&request) != nil {
				return
			}
			fmt.Fprintln(conn, answer)
		}
	}()
}

func TestMonitor(t *testing.T) {
	near, far := net.Pipe()
	emulate(t, far, `{"QMP":{"version":{}}}`,
		`{"return":{}}`,
		`{"event":"RESUME","data":{}}`+"\n"+`{"return":"00000000090303fc: 0x00000001 0x00000007\r\n"}`,
		`{"error":{"class":"GenericError","desc":"no such thing"}}`)
	m, err := newMonitor(near)
	if err != nil {
		t.Fatal(err)
	}
	// An event may come between a command and its answer.
	if text, err := m.command(readLines); err != nil || !strings.HasPrefix(text, "00000000090303fc:") {
		t.Errorf("got %q, %v", text, err)
	}
	if _, err := m.command("nonsense"); !errors.Is(err, ErrMonitor) {
		t.Errorf("a refused command gave %v", err)
	}
	if _, err := m.command(readLines); err == nil {
		t.Error("a dead emulator answered")
	}
}
