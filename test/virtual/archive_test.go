// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"testing"
)

// entries reads a newc archive back, by the lengths in its headers alone.
func entries(t *testing.T, archive []byte) (names []string, data map[string]string, modes map[string]uint64) {
	t.Helper()
	data, modes = map[string]string{}, map[string]uint64{}
	at := 0
	for {
		header := string(archive[at : at+110])
		if header[:6] != "070701" {
			t.Fatalf("no entry at byte %d: %q", at, header)
		}
		field := func(n int) int {
			v, err := strconv.ParseUint(header[6+8*n:14+8*n], 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			return int(v)
		}
		size, nameSize := field(6), field(11)
		name := string(archive[at+110 : at+110+nameSize-1])
		at += (110 + nameSize + 3) &^ 3
		if name == "TRAILER!!!" {
			return names, data, modes
		}
		names = append(names, name)
		data[name], modes[name] = string(archive[at:at+size]), uint64(field(1))
		at += (size + 3) &^ 3
	}
}

func TestArchive(t *testing.T) {
	var buf bytes.Buffer
	a := newArchive(&buf)
	a.device("/dev/console", 5, 1)
	a.file("/etc/gatehouse/x", 0o600, []byte("five5"))
	a.file("/etc/gatehouse/y", 0o755, nil)
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	names, data, modes := entries(t, buf.Bytes())
	want := []string{"dev", "dev/console", "etc", "etc/gatehouse", "etc/gatehouse/x", "etc/gatehouse/y"}
	if len(names) != len(want) {
		t.Fatalf("entries %q, want %q", names, want)
	}
	for i := range want {
		if names[i] != want[i] { // a folder comes once, and before what is in it
			t.Errorf("entry %d is %q, want %q", i, names[i], want[i])
		}
	}
	if data["etc/gatehouse/x"] != "five5" || modes["etc/gatehouse/x"] != 0o100600 {
		t.Errorf("file: %q, mode %o", data["etc/gatehouse/x"], modes["etc/gatehouse/x"])
	}
	if modes["etc"] != 0o040755 || modes["dev/console"] != 0o020600 {
		t.Errorf("modes: folder %o, device %o", modes["etc"], modes["dev/console"])
	}
}

// full is a disk that is.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestArchiveTellsOfAFullDisk(t *testing.T) {
	a := newArchive(full{})
	a.file("/init", 0o755, initScript)
	if err := a.close(); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("close gave %v", err)
	}
}
