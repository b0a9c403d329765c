// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gpio

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// chip is what is needed of a chip.
type chip interface {
	describe() description
	// request takes a line for this process in one of the modes.
	request(number int, m mode) (line, error)
}

// mode is how a line is requested.
type mode string

const (
	asIs      mode = "as it is"
	asOutput  mode = "output" // which makes it low
	asInput   mode = "input"
	pulledUp  mode = "input, pulled up"
	pulledLow mode = "input, pulled down"
)

// line is a line that this process holds, in physical levels.
type line interface {
	out(high bool) error // fails with EPERM where the line is an input
	read() (high bool, err error)
	close() error
}

// description is what a chip says of itself.
type description struct {
	name, label, path string
	lines             []lineInfo // by number
}

// lineInfo is one line of a chip. The consumer is who held it when the chip was opened.
type lineInfo struct{ name, consumer string }

// pick finds the chip that a configuration means. resolve follows links.
func pick(all []description, want string, resolve func(string) string) (int, error) {
	if want == "" {
		if len(all) == 1 {
			return 0, nil
		}
		want = "gpiochip0"
	}
	path := resolve(want)
	fits := func(d description) bool { return d.name == want || d.label == want || d.path == path }
	i := slices.IndexFunc(all, fits)
	switch {
	case i < 0:
		return 0, fmt.Errorf("gpio: %w as %q; this board has %s: set chip to one of them", ErrNoChip, want, chipList(all))
	case slices.ContainsFunc(all[i+1:], fits):
		return 0, fmt.Errorf("gpio: %w: several are called %q; this board has %s: set chip to a path", ErrNoChip, want, chipList(all))
	}
	return i, nil
}

func chipList(all []description) string {
	var list []string
	for _, d := range all {
		list = append(list, fmt.Sprintf("%s (%s, %s)", d.name, d.label, d.path))
	}
	return strings.Join(list, ", ")
}

// find gives the number of the one line of that name. periph puts the chip's name before a name that it has met before,
// on this chip or on another; without that prefix the names are the kernel's.
func (d description) find(name string) (int, error) {
	kernel := func(name string) string { return strings.TrimPrefix(name, d.name+"-") }
	found, times := 0, 0
	for number, l := range d.lines {
		if name != "" && kernel(l.name) == kernel(name) {
			found, times = number, times+1
		}
	}
	switch {
	case times == 1:
		return found, nil
	case times > 1:
		return 0, fmt.Errorf("%w: %d lines of %s are named %q, and the wrong one could move; "+
			"give them names of their own (gpio-line-names in the device tree)", ErrNoLine, times, d.name, kernel(name))
	}
	names := d.names()
	if names == "" {
		return 0, fmt.Errorf("%w as %q: the lines of %s (%s) have no names; "+
			"name them (gpio-line-names in the device tree) or choose another chip", ErrNoLine, name, d.name, d.label)
	}
	return 0, fmt.Errorf("%w as %q on %s (%s); it has %s", ErrNoLine, name, d.name, d.label, names)
}

func (d description) names() string {
	var names []string
	for _, l := range d.lines {
		if l.name != "" {
			names = append(names, l.name)
		}
	}
	return strings.Join(names, ", ")
}

// errnos are the errors of the kernel that are told apart.
var errnos = []unix.Errno{unix.EBUSY, unix.EPERM, unix.EACCES, unix.ENODEV, unix.EINVAL, unix.EIO, unix.ENOTTY}

// withErrno gives an error of periph its number back, which periph leaves out: it keeps only the text.
func withErrno(err error) error {
	if err == nil {
		return nil
	}
	for _, no := range errnos {
		if !errors.Is(err, no) && strings.HasSuffix(err.Error(), no.Error()) {
			return fmt.Errorf("%s%w", strings.TrimSuffix(err.Error(), no.Error()), no)
		}
	}
	return err
}

// requestError says what to do about a line that could not be had.
func requestError(d description, number int, err error) error {
	l := d.lines[number]
	switch {
	case errors.Is(err, unix.EBUSY):
		by := ""
		if l.consumer != "" {
			by = fmt.Sprintf(" (%s had it at the start)", l.consumer)
		}
		return fmt.Errorf("%w: line %s of %s%s: %w; gpioinfo shows who holds it: end that program, or the overlay that claims it",
			ErrHeld, l.name, d.name, by, err)
	case errors.Is(err, unix.EACCES):
		return permissionError(d.path, err)
	}
	return fmt.Errorf("line %s of %s: %w", l.name, d.name, err)
}

func permissionError(path string, err error) error {
	return fmt.Errorf("%w to open %s: %w; install the udev rule and put this user into the group gatehouse, then restart the service",
		ErrPermission, path, err)
}
