// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// Whoever draws a code must not steer the terminal of who reads it; a program behind a pipe has the code as it is.
func TestDecodeSteersNoTerminal(t *testing.T) {
	const code = "before\x1b]0;mine\x07\x1b[2Jafter"
	drawn, err := qrcode.NewQRCodeWriter().Encode(code, gozxing.BarcodeFormat_QR_CODE, 200, 200, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "code.png")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, drawn); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	command := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], "decode", path)
		cmd.Env = append(os.Environ(), envMain+"=gatehouse", "TERM=vt100")
		return cmd
	}
	if piped, err := command().Output(); err != nil || string(piped) != code+"\n" {
		t.Errorf("piped: %q, %v", piped, err)
	}
	cmd := command()
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	shown, _ := io.ReadAll(tty) // ends with an error where the program closes its side
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(string(shown), "\x1b\x07") || !strings.Contains(string(shown), "before") || !strings.Contains(string(shown), "after") {
		t.Errorf("on a terminal: %q", shown)
	}
}
