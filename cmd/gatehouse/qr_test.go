// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
)

// TestDrawAndRead goes through codes of every length; gozxing's search alone misses some perfect pictures.
func TestDrawAndRead(t *testing.T) {
	for n := 20; n <= 1500; n += 37 {
		text := "GH1:" + strings.Repeat("A1 %$*+-./:B", n/12+1)[:n]
		m, err := drawQR(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := readQR(picture(m, 3)); err != nil || string(got) != text {
			t.Errorf("%d characters: %v", n, err)
		}
	}
}

// TestTerminalDrawingIsTheCode reads the half blocks back.
func TestTerminalDrawingIsTheCode(t *testing.T) {
	const text = "GH1:SOME PASS+%"
	m, err := drawQR(text)
	if err != nil {
		t.Fatal(err)
	}
	drawing := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(terminalQR(m), "")
	lines := strings.Split(strings.TrimSuffix(drawing, "\n"), "\n")
	back, err := gozxing.NewBitMatrix(m.GetWidth(), 2*len(lines))
	if err != nil {
		t.Fatal(err)
	}
	for y, line := range lines {
		for x, r := range []rune(line) {
			if strings.ContainsRune("█▀", r) {
				back.Set(x, 2*y)
			}
			if strings.ContainsRune("█▄", r) {
				back.Set(x, 2*y+1)
			}
		}
	}
	if got, err := readQR(picture(back, 2)); err != nil || string(got) != text {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestDecodeReadsJPEG(t *testing.T) {
	const text = "GH1:SOME PASS"
	m, err := drawQR(text)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "pass.jpg")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := jpeg.Encode(f, picture(m, 8), nil); err != nil {
		t.Fatal(err)
	}
	f.Close()
	img, err := openPicture(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := readQR(img); err != nil || string(got) != text {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestDecodeSaysWhatToDo(t *testing.T) {
	blank := image.NewGray(image.Rect(0, 0, 200, 200))
	if _, err := readQR(blank); err == nil || !strings.Contains(fmt.Sprint(err), "cut the picture") {
		t.Errorf("a blank picture: %v", err)
	}
}

func picture(m *gozxing.BitMatrix, scale int) image.Image {
	img := image.NewGray(image.Rect(0, 0, m.GetWidth()*scale, m.GetHeight()*scale))
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			if !m.Get(x/scale, y/scale) {
				img.SetGray(x, y, color.Gray{Y: 255})
			}
		}
	}
	return img
}

// A pass is nobody else's to read, also where a file that everybody may read is written over; a device keeps its mode.
func TestPictureIsPrivate(t *testing.T) {
	m, err := drawQR("GH1:TEST")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "pass.png")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	device, err := os.Stat(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{file: 0o600, os.DevNull: device.Mode().Perm()} {
		if err := writePNG(name, m, 1); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v (%v)", name, info.Mode().Perm(), want, err)
		}
	}
}
