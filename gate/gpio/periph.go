// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gpio

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/driver"
	"periph.io/x/conn/v3/driver/driverreg"
	periph "periph.io/x/conn/v3/gpio"
	"periph.io/x/host/v3/gpioioctl"
)

// probing guards periph's list of chips, which is a global of its own.
var probing sync.Mutex

// openChip finds a chip. periph opens all of them, once for the process.
func openChip(want string) (chip, error) {
	probing.Lock()
	defer probing.Unlock()
	if err := probe(); err != nil {
		return nil, err
	}
	var all []description
	for _, c := range gpioioctl.Chips {
		all = append(all, kernelChip{c}.describe())
	}
	i, err := pick(all, want, resolve)
	if err != nil {
		return nil, errors.Join(err, denied())
	}
	return kernelChip{gpioioctl.Chips[i]}, nil
}

func resolve(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// probe makes periph look for chips until it has found one.
func probe() error {
	if len(gpioioctl.Chips) > 0 {
		return nil
	}
	state, err := driverreg.Init()
	if err != nil {
		return fmt.Errorf("gpio: looking for chips: %w", err)
	}
	if len(gpioioctl.Chips) == 0 {
		// periph looks once and says no more than "skipped". A chip can come later, with its module or its
		// permissions, so the driver itself is asked again.
		for _, f := range append(state.Skipped, state.Failed...) {
			if f.D.String() == "ioctl-gpio" {
				err = errors.Join(f.Err, again(f.D))
			}
		}
	}
	// Where one chip has two device files (Raspberry Pi 5) periph closes descriptor 0, and the next file that
	// anybody opens would get it.
	if err := keepDescriptor0(); err != nil {
		return err
	}
	if len(gpioioctl.Chips) > 0 {
		return nil
	}
	if err := denied(); err != nil {
		return err
	}
	return errors.Join(fmt.Errorf("gpio: %w: no /dev/gpiochip* can be used; "+
		"is this the right board, is the chip's kernel module loaded, does the service have DeviceAllow=char-gpiochip?", ErrNoChip), err)
}

func again(d driver.Impl) error {
	_, err := d.Init()
	return err
}

// denied looks for a chip that this user may not open: periph only logs that.
func denied() error {
	paths, err := filepath.Glob("/dev/gpiochip*")
	if err != nil {
		return err
	}
	for _, path := range paths {
		f, err := os.Open(path)
		if errors.Is(err, os.ErrPermission) {
			return fmt.Errorf("gpio: %w", permissionError(path, err))
		}
		if err == nil {
			_ = f.Close()
		}
	}
	return nil
}

// keepDescriptor0 puts /dev/null where descriptor 0 was closed.
func keepDescriptor0() error {
	if _, err := unix.FcntlInt(0, unix.F_GETFD, 0); !errors.Is(err, unix.EBADF) {
		return nil
	}
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil && fd != 0 {
		err = unix.Close(fd) // somebody else was faster: it is in use, and that is all that matters
	}
	if err != nil {
		return fmt.Errorf("gpio: keeping descriptor 0: %w", err)
	}
	return nil
}

// kernelChip is a chip of periph.
type kernelChip struct{ *gpioioctl.GPIOChip }

func (c kernelChip) describe() description {
	d := description{name: c.Name(), label: c.Label(), path: c.Path()}
	for _, l := range c.Lines() {
		d.lines = append(d.lines, lineInfo{name: l.Name(), consumer: l.Consumer()})
	}
	return d
}

func (c kernelChip) request(number int, m mode) (line, error) {
	direction, pull := gpioioctl.LineInput, periph.PullNoChange
	switch m {
	case asIs:
		direction = gpioioctl.LineDirNotSet
	case asOutput:
		direction = gpioioctl.LineOutput
	case pulledUp:
		pull = periph.PullUp
	case pulledLow:
		pull = periph.PullDown
	}
	set, err := c.LineSet(direction, periph.NoEdge, pull, c.Lines()[number].Name())
	if err != nil {
		return nil, err
	}
	if got := set.Lines()[0].Number(); got != number {
		return nil, errors.Join(fmt.Errorf("%w: line %d was asked for and %d was got", ErrNoLine, number, got), set.Close())
	}
	return kernelLine{set}, nil
}

// kernelLine is a line set of one.
type kernelLine struct{ *gpioioctl.LineSet }

func (l kernelLine) out(high bool) error {
	var bits periph.GPIOValue
	if high {
		bits = 1
	}
	return l.Out(bits, 1)
}

func (l kernelLine) read() (bool, error) {
	bits, err := l.Read(1)
	return bits&1 == 1, err
}

func (l kernelLine) close() error { return l.Close() }
