// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"fmt"
	"io"
	"path"
	"sort"
)

// File modes of an archive's entries, as stat(2) has them.
const (
	modeDir  = 0o040000
	modeFile = 0o100000
	modeChar = 0o020000
)

// archive writes an initramfs: a cpio archive of the "newc" kind, as the
// kernel's Documentation/driver-api/early-userspace/buffer-format.rst has it.
// It is left uncompressed: unpacking costs the emulated processor more than
// the host saves.
type archive struct {
	w       io.Writer
	written int64
	inode   int
	dirs    map[string]bool
	err     error
}

func newArchive(w io.Writer) *archive {
	return &archive{w: w, dirs: map[string]bool{}}
}

// file adds a file and the folders above it.
func (a *archive) file(name string, perm uint32, data []byte) {
	a.parents(name)
	a.entry(name, modeFile|perm, 0, 0, data)
}

// device adds a character device's node. The kernel opens /dev/console for
// the first process before anything can have mounted a /dev.
func (a *archive) device(name string, major, minor int) {
	a.parents(name)
	a.entry(name, modeChar|0o600, major, minor, nil)
}

// close ends the archive and gives the first error of all that was written.
func (a *archive) close() error {
	a.entry("TRAILER!!!", 0, 0, 0, nil)
	if a.err != nil {
		return fmt.Errorf("virtual: initramfs: %w", a.err)
	}
	return nil
}

func (a *archive) parents(name string) {
	var missing []string
	for dir := path.Dir(path.Clean("/" + name)); dir != "/" && !a.dirs[dir]; dir = path.Dir(dir) {
		missing = append(missing, dir)
	}
	sort.Strings(missing)
	for _, dir := range missing {
		a.dirs[dir] = true
		a.entry(dir, modeDir|0o755, 0, 0, nil)
	}
}

func (a *archive) entry(name string, mode uint32, major, minor int, data []byte) {
	if name[0] == '/' {
		name = name[1:]
	}
	a.inode++
	header := "070701"
	for _, field := range []int{
		a.inode, int(mode), 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name) + 1, 0,
	} {
		header += fmt.Sprintf("%08x", field)
	}
	a.write([]byte(header + name + "\x00"))
	a.write(make([]byte, -a.written&3))
	a.write(data)
	a.write(make([]byte, -a.written&3))
}

func (a *archive) write(p []byte) {
	if a.err != nil {
		return
	}
	var n int
	n, a.err = a.w.Write(p)
	a.written += int64(n)
}
