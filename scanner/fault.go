// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package scanner

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"go.bug.st/serial"
)

// What State reports. Each error says what to do; the scanner goes on looking for its port.
var (
	// ErrNoPort: the device is not there, or went away. Plug the scanner in.
	ErrNoPort = errors.New("scanner: no serial port")
	// ErrPermission: this user may not open the device. Grant it.
	ErrPermission = errors.New("scanner: may not open the port")
	// ErrNotSerial: what the path names is no serial device. Correct the path.
	ErrNotSerial = errors.New("scanner: not a serial port")
	// ErrBusy: another program holds the device. Stop that program.
	ErrBusy = errors.New("scanner: port in use")
	// ErrUnusable: the device cannot be opened or read, for the reason that follows. See to that.
	ErrUnusable = errors.New("scanner: port unusable")
)

// fault is a kind of trouble with the port and what a technician does about it.
type fault struct {
	kind error
	todo string
}

var (
	noPort = fault{ErrNoPort,
		"plug the scanner in, or set the port to a name that `ls /dev/serial/by-id` shows"}
	permission = fault{ErrPermission,
		"add the service's user to the group of the device (`ls -lL` shows it, mostly dialout) or install the udev rule, then restart the service"}
	notSerial = fault{ErrNotSerial,
		"set the port to a name that `ls /dev/serial/by-id` shows"}
	busy = fault{ErrBusy,
		"find the program that holds it with `fuser -v` and stop it (ModemManager and brltty take such ports: the udev rule keeps them off)"}
	unusable = fault{ErrUnusable,
		"unplug the scanner and plug it in again; if that does not help, see `dmesg`"}
)

// portError is a fault of a port.
type portError struct {
	*fault
	port  string
	cause error
}

func (e *portError) Error() string {
	return fmt.Sprintf("%v: %s: %v: %s", e.kind, e.port, e.cause, e.todo)
}

func (e *portError) Unwrap() []error { return []error{e.kind, e.cause} }

// openFault sorts the error of opening a port.
func openFault(err error) *fault {
	var p *serial.PortError
	if errors.As(err, &p) {
		switch p.Code() {
		case serial.PortBusy:
			return &busy
		case serial.PermissionDenied:
			return &permission
		case serial.InvalidSerialPort:
			return &notSerial
		case serial.PortNotFound, serial.PortClosed:
			return &noPort
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV),
		errors.Is(err, syscall.EIO): // the last: the device went away while it was opened
		return &noPort
	case errors.Is(err, fs.ErrPermission): // also EPERM, of a unit whose DeviceAllow does not name the device
		return &permission
	case errors.Is(err, syscall.EISDIR):
		return &notSerial
	}
	return &unusable
}
