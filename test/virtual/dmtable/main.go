// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Command dmtable makes and changes devices of the kernel's device mapper, for the guest of the virtual bench, which has
// no dmsetup:
//
//	dmtable create NAME SECTORS TYPE PARAMETERS…   makes /dev/mapper's device NAME and prints its node
//	dmtable load NAME SECTORS TYPE PARAMETERS…     gives it another table, without flushing what is above it
//	dmtable suspend NAME                           holds back every request, until
//	dmtable resume NAME
//
// The interface is that of linux/dm-ioctl.h, version 4.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The commands: _IOWR(0xfd, n, struct dm_ioctl).
const (
	devCreate  = 0xc138fd03
	devSuspend = 0xc138fd06
	tableLoad  = 0xc138fd09
)

const (
	flagSuspend    = 1 << 1
	flagSkipLockFS = 1 << 10 // the file system is not asked to come to rest first
)

// header is struct dm_ioctl.
type header struct {
	Version             [3]uint32
	DataSize, DataStart uint32
	TargetCount         uint32
	OpenCount           int32
	Flags, EventNr, Pad uint32
	Dev                 uint64
	Name                [128]byte
	UUID                [129]byte
	Data                [7]byte
}

// request is a header with room for one target.
type request struct {
	header
	Start, Length uint64
	Status        int32
	Next          uint32
	Type          [16]byte
	Parameters    [256]byte
}

const usage = "usage: dmtable create|load NAME SECTORS TYPE PARAMETERS…, or dmtable suspend|resume NAME"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "dmtable:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New(usage)
	}
	control, err := os.OpenFile("/dev/mapper/control", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer control.Close()
	call := func(command uint, r *request) error {
		copy(r.Name[:], args[1])
		return ioctl(control, command, r)
	}
	switch verb := args[0]; {
	case verb == "suspend" && len(args) == 2:
		return call(devSuspend, &request{header: header{Flags: flagSuspend | flagSkipLockFS}})
	case verb == "resume" && len(args) == 2:
		return call(devSuspend, &request{})
	case (verb == "create" || verb == "load") && len(args) >= 4:
		table, err := parse(args[2:])
		if err != nil {
			return err
		}
		if verb == "create" {
			made := &request{}
			if err := call(devCreate, made); err != nil {
				return err
			}
			fmt.Printf("/dev/dm-%d\n", unix.Minor(made.Dev))
		}
		if err := call(tableLoad, table); err != nil {
			return err
		}
		if verb == "load" {
			if err := call(devSuspend, &request{header: header{Flags: flagSuspend | flagSkipLockFS}}); err != nil {
				return err
			}
		}
		return call(devSuspend, &request{})
	}
	return errors.New(usage)
}

// parse makes the request of a table of one target.
func parse(args []string) (*request, error) {
	r := &request{header: header{TargetCount: 1}}
	var err error
	if r.Length, err = strconv.ParseUint(args[0], 10, 64); err != nil {
		return nil, err
	}
	parameters := strings.Join(args[2:], " ")
	if len(args[1]) >= len(r.Type) || len(parameters) >= len(r.Parameters) {
		return nil, errors.New("the table is too long")
	}
	copy(r.Type[:], args[1])
	copy(r.Parameters[:], parameters)
	return r, nil
}

func ioctl(control *os.File, command uint, r *request) error {
	r.Version = [3]uint32{4, 0, 0}
	r.DataSize, r.DataStart = uint32(unsafe.Sizeof(*r)), uint32(unsafe.Offsetof(r.Start))
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, control.Fd(), uintptr(command), uintptr(unsafe.Pointer(r))); errno != 0 {
		return errno
	}
	return nil
}
