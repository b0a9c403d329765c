// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Command hello is the floor of a daemon's start: it tells the service manager that it is ready and ends. It deliberately
// imports nothing that has to be initialised.
package main

import (
	"os"
	"syscall"
)

func main() {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	if err == nil {
		err = syscall.Sendto(fd, []byte("READY=1"), 0, &syscall.SockaddrUnix{Name: os.Getenv("NOTIFY_SOCKET")})
	}
	if err != nil {
		println("hello:", err.Error())
		os.Exit(1)
	}
}
