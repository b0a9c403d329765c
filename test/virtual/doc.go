// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package virtual is the virtual bench: it boots Debian's own arm64 kernel in
// qemu-system-aarch64 with a kiosk's programs on it, plays the serial scanner
// on the emulated USB, and reads the levels of the GPIO lines from outside the
// machine, through the emulator's monitor. Where [Config.Network] says so the
// guest reaches what listens on the host's loopback, and [Machine.SetLink]
// cuts it off.
//
// [Prepare] sees to the tools and the kernel, [Kit.NewBench] makes one kiosk's
// initramfs and disk, [Bench.Start] switches it on, and the [Machine] is what
// a test holds: its lines, its scanner, its console, its plug. Emulators are
// started only by the tests behind the build tag "virtual" (make virtual, which
// runs one more at a time than there are processors on a small machine: a kiosk
// that is cut off from its fleet mostly waits):
//
//	go test -tags virtual -count=1 -parallel 3 -v ./test/virtual/
//
// What it deliberately does not do: it builds no kernel, it patches nothing,
// and it is no proof of timing on a real board. Under software emulation the
// guest is some ten times slower than the host.
package virtual
