// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package virtual is the virtual bench: it boots Debian's own arm64 kernel in
// qemu-system-aarch64 with a kiosk's programs on it, plays the serial scanner
// on the emulated USB, and reads the levels of the GPIO lines from outside the
// machine, through the emulator's monitor.
//
// [Prepare] sees to the tools and the kernel, [Kit.NewBench] makes one kiosk's
// initramfs and disk, [Bench.Start] switches it on, and the [Machine] is what
// a test holds: its lines, its scanner, its console, its plug. Emulators are
// started only by the tests behind the build tag "virtual" (make virtual):
//
//	go test -tags virtual -count=1 -v ./test/virtual/
//
// What it deliberately does not do: it builds no kernel, it patches nothing,
// and it is no proof of timing on a real board. Under software emulation the
// guest is some ten times slower than the host.
package virtual
