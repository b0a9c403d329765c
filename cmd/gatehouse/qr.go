// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"strings"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"github.com/spf13/cobra"
)

func newQR() *cobra.Command {
	var file string
	var scale int
	cmd := &cobra.Command{
		Use:   "qr",
		Short: "Draw a code from standard input as a QR code",
		Long: `Qr reads the text of one code from standard input and draws it in the terminal, black on white
whatever the terminal's colours, or into a PNG file that only you can read.

The code is not checked; use "gatehouse verify" for that. One line end after the text is taken off, nothing else.`,
		Example: `  gatehouse qr <pass.txt
  gatehouse qr --png pass.png <pass.txt`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := readCode(cmd.InOrStdin(), "qr")
			if err != nil {
				return err
			}
			m, err := drawQR(text)
			if err != nil {
				return err
			}
			if file == "" {
				_, err = io.WriteString(cmd.OutOrStdout(), terminalQR(m))
				return err
			}
			return writePNG(file, m, scale)
		},
	}
	cmd.Flags().StringVar(&file, "png", "", "write a PNG `file` instead of drawing in the terminal")
	cmd.Flags().IntVar(&scale, "scale", 8, "`pixels` a module of the PNG, 1 to 64")
	return cmd
}

// maxQR is the most that one QR code holds (ISO/IEC 18004, version 40-L, alphanumeric).
const maxQR = 4296

// readCode reads the one code that a command is given.
func readCode(in io.Reader, command string) (string, error) {
	codes, err := readCodes(in, command, 1)
	if err != nil {
		return "", err
	}
	return codes[0], nil
}

// readCodes reads one code a line, of one entry: at most one or two. Its errors tell nothing of them.
func readCodes(in io.Reader, command string, most int) ([]string, error) {
	b, err := io.ReadAll(io.LimitReader(in, int64(most*(maxQR+3))))
	if err != nil {
		return nil, fmt.Errorf("reading the code from standard input: %w", err)
	}
	text := strings.TrimSuffix(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n")
	codes := strings.Split(text, "\n")
	give, lines := "give one code", "one line"
	if most > 1 {
		give, lines = "give one code, or the two of one entry, each on its line", "two lines"
	}
	if len(codes) > most {
		return nil, fmt.Errorf("standard input has more than %s; %s", lines, give)
	}
	for _, code := range codes {
		switch {
		case code == "":
			return nil, fmt.Errorf("no code on standard input; try: gatehouse %s <pass.txt", command)
		case len(code) > maxQR:
			return nil, fmt.Errorf("more than %d characters on standard input; %s", maxQR, give)
		case strings.ContainsFunc(code, func(r rune) bool { return r < ' ' || r > '~' }):
			return nil, fmt.Errorf("standard input has characters that no pass has; %s", give)
		}
	}
	return codes, nil
}

// drawQR returns the modules with a quiet zone of four around them.
func drawQR(text string) (*gozxing.BitMatrix, error) {
	m, err := qrcode.NewQRCodeWriter().EncodeWithoutHint(text, gozxing.BarcodeFormat_QR_CODE, 0, 0)
	if err != nil {
		return nil, fmt.Errorf("the code of %d characters does not fit into a QR code: %w", len(text), err)
	}
	return m, nil
}

// terminalQR draws two modules a character with half blocks. Both colours are set explicitly: drawn in
// the terminal's own, the code would be inverted on one of the usual themes.
func terminalQR(m *gozxing.BitMatrix) string {
	const blackOnWhite, reset = "\x1b[38;2;0;0;0;48;2;255;255;255m", "\x1b[0m\n"
	var s strings.Builder
	for y := 0; y < m.GetHeight(); y += 2 {
		s.WriteString(blackOnWhite)
		for x := range m.GetWidth() {
			upper, lower := m.Get(x, y), y+1 < m.GetHeight() && m.Get(x, y+1)
			switch {
			case upper && lower:
				s.WriteRune('█')
			case upper:
				s.WriteRune('▀')
			case lower:
				s.WriteRune('▄')
			default:
				s.WriteByte(' ')
			}
		}
		s.WriteString(reset)
	}
	return s.String()
}

func writePNG(file string, m *gozxing.BitMatrix, scale int) error {
	if scale < 1 || scale > 64 {
		return fmt.Errorf("--scale %d is out of range; use 1 to 64", scale)
	}
	img := image.NewPaletted(image.Rect(0, 0, m.GetWidth()*scale, m.GetHeight()*scale), color.Palette{color.White, color.Black})
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			if m.Get(x/scale, y/scale) {
				img.SetColorIndex(x, y, 1)
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return fmt.Errorf("--png %s: %w", file, err)
	}
	if err := writePrivate(file, b.Bytes()); err != nil {
		return fmt.Errorf("--png: %w", err)
	}
	return nil
}

// writePrivate writes a file that only this user can read, also where there was one before that others could.
func writePrivate(file string, content []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() { // not a pipe or a device
		err = f.Chmod(0o600)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if _, err := f.Write(content); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}
