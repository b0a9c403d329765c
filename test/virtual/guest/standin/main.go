// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Command standin is a kiosk of a few lines, for the proof of the bench: a
// code on the scanner is noted on the disk, then raises the relay for half a
// second ("hold": for ever); a code that is on the disk already lights the red
// lamp. It deliberately verifies nothing.
package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"

	"go.bug.st/serial"
	"periph.io/x/conn/v3/driver/driverreg"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/host/v3/gpioioctl"
)

const (
	port  = "/dev/ttyUSB0"
	uses  = "/data/uses"
	pulse = 500 * time.Millisecond
)

// Bits of the line set, in the order of its names.
const (
	relay = 1 << iota
	green
	red
)

func main() {
	fmt.Fprintln(os.Stderr, "standin:", kiosk())
	os.Exit(1)
}

// kiosk runs until something is wrong, which it returns.
func kiosk() error {
	if _, err := driverreg.Init(); err != nil {
		return err
	}
	if len(gpioioctl.Chips) == 0 {
		return fmt.Errorf("no GPIO chip")
	}
	lines, err := gpioioctl.Chips[0].LineSet(gpioioctl.LineOutput, gpio.NoEdge, gpio.PullNoChange,
		"relay0", "green0", "red0")
	if err != nil {
		return err
	}
	if err := lines.Out(0, 0); err != nil {
		return err
	}
	fmt.Println("standin: ready")
	for {
		if err := scan(lines); err != nil {
			fmt.Println("standin: scanner:", err)
		}
	}
}

// scan reads codes until the scanner is unplugged.
func scan(lines *gpioioctl.LineSet) error {
	var p serial.Port
	for {
		var err error
		if p, err = serial.Open(port, &serial.Mode{BaudRate: 115200}); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	defer p.Close()
	fmt.Println("standin: scanner open")
	var frame []byte
	buf := make([]byte, 1024)
	for {
		n, err := p.Read(buf)
		if err != nil {
			return err
		}
		frame = append(frame, buf[:n]...)
		code, rest, whole := bytes.Cut(frame, []byte("\r"))
		if !whole {
			continue
		}
		frame = rest
		if err := admit(lines, string(code)); err != nil {
			return err
		}
	}
}

func admit(lines *gpioioctl.LineSet, code string) error {
	known, _ := os.ReadFile(uses)
	lamp := gpio.GPIOValue(relay | green)
	if strings.Contains(string(known), code+"\n") {
		lamp = red
	} else if err := note(code); err != nil {
		return err
	}
	if err := lines.Out(lamp, 0); err != nil {
		return err
	}
	if code == "hold" {
		select {}
	}
	time.Sleep(pulse)
	fmt.Printf("standin: answered %d bytes\n", len(code))
	return lines.Out(0, 0)
}

func note(code string) error {
	f, err := os.OpenFile(uses, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString(code + "\n"); err != nil {
		return err
	}
	return f.Sync()
}
