// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const emulator = "qemu-system-aarch64"

// board is the machine's own part of the emulator's arguments: the tree that
// is dumped must be that of the board that boots.
func board() []string { return []string{"-cpu", "cortex-a53", "-m", "512"} }

// The emulator gets its listening sockets as open descriptors, so a client
// can connect at once and nobody waits for a socket to appear.
const (
	monitorFD = 3 + iota
	consoleFD
	scannerFD
)

// A Machine is a kiosk that is switched on.
type Machine struct {
	// Lines are read from outside, through the emulator's monitor.
	Lines *Lines
	// Scanner is the serial scanner, not yet plugged in.
	Scanner *Scanner
	// Console is what the kernel and the kiosk's programs write.
	Console *Console
	// Booted is when the emulated processor began to run.
	Booted time.Time

	monitor *monitor
	process *os.Process
	off     chan struct{} // closed when the emulator has ended
	ended   error         // of the emulator; read it after off only
	readers sync.WaitGroup
}

// Start switches the kiosk on. The machine must be switched off, by
// [Machine.Kill] or [Machine.PowerOff], before the bench is started again or
// closed. The emulator never outlives this process.
func (b *Bench) Start(ctx context.Context) (*Machine, error) {
	if err := b.makeDeviceTree(ctx); err != nil {
		return nil, err
	}
	names := []string{"monitor.sock", "console.sock", "scanner.sock"}
	files, err := b.listen(names)
	defer closeAll(files)
	if err != nil {
		return nil, err
	}
	path, err := findProgram(emulator)
	if err != nil {
		return nil, fmt.Errorf("virtual: %w", err)
	}
	complaint := new(strings.Builder)
	cmd := exec.Command(path, b.arguments()...)
	cmd.Dir = b.dir
	cmd.ExtraFiles = files
	cmd.Stderr = complaint
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}

	m := &Machine{Lines: newLines(b.config.Lines), off: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The death signal is tied to the thread that starts the emulator.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		err = cmd.Wait()
		m.ended = fmt.Errorf("virtual: the emulator ended: %v: %s", err, strings.TrimSpace(complaint.String()))
		close(m.off)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("virtual: %w", err)
	}
	m.process = cmd.Process
	closeAll(files) // the emulator's alone now: when it ends, so do the connections
	if err := m.connect(b); err != nil {
		err = errors.Join(err, m.Kill())
		return nil, errors.Join(err, m.ended)
	}
	return m, nil
}

// connect takes up the monitor and the console while the processor still
// stands, so that nothing of the boot is missed, then lets it run.
func (m *Machine) connect(b *Bench) error {
	conn, err := net.Dial("unix", b.path("monitor.sock"))
	if err != nil {
		return fmt.Errorf("virtual: %w", err)
	}
	m.readers.Go(func() {
		<-m.off
		conn.Close()
	})
	if m.monitor, err = newMonitor(conn); err != nil {
		return err
	}
	if err := m.Lines.poll(m.monitor); err != nil {
		return err
	}
	conn, err = net.Dial("unix", b.path("console.sock"))
	if err != nil {
		return fmt.Errorf("virtual: %w", err)
	}
	m.Console = newConsole(conn)
	m.readers.Go(m.Console.read)
	m.readers.Go(func() { m.Lines.watch(m.monitor) })
	m.Scanner = &Scanner{path: b.path("scanner.sock")}
	m.Booted = time.Now()
	_, err = m.monitor.execute("cont", nil)
	return err
}

func (b *Bench) arguments() []string {
	clock := b.config.Clock
	if clock.IsZero() {
		clock = time.Now()
	}
	socket := func(id string, fd int) string {
		return "socket,id=" + id + ",server=on,wait=off,fd=" + strconv.Itoa(fd)
	}
	args := append(board(),
		"-M", "virt", "-nodefaults", "-display", "none", "-no-reboot", "-S",
		"-kernel", b.kit.kernel, "-initrd", "initramfs",
		// A panic ends the machine, so that whoever waits for it hears of it.
		"-append", "console=ttyAMA0 quiet panic=-1",
		"-chardev", socket("monitor", monitorFD), "-mon", "chardev=monitor,mode=control",
		"-chardev", socket("console", consoleFD)+",logfile=console.log,logappend=on", "-serial", "chardev:console",
		"-device", "qemu-xhci",
		"-chardev", socket("scanner", scannerFD), "-device", "usb-serial,chardev=scanner,id=scanner",
		"-drive", "file=disk,if=virtio,format=raw",
		"-rtc", "base="+clock.UTC().Format("2006-01-02T15:04:05"),
	)
	if b.named() {
		args = append(args, "-dtb", "virt.dtb")
	}
	if b.config.Network {
		// The card tells the guest nothing of its link: a cut between two switches is not told either. The option
		// ROM is for booting from the network, and in a Debian package of its own.
		args = append(args, "-netdev", "user,id="+netdev, "-device", "virtio-net-pci,netdev="+netdev+",status=off,romfile=")
	}
	return args
}

// listen makes the sockets of a boot, in the place of those of the last.
func (b *Bench) listen(names []string) ([]*os.File, error) {
	var files []*os.File
	for _, name := range names {
		if err := os.Remove(b.path(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return files, fmt.Errorf("virtual: %w", err)
		}
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: b.path(name), Net: "unix"})
		if err != nil {
			return files, fmt.Errorf("virtual: %w", err)
		}
		l.SetUnlinkOnClose(false)
		file, err := l.File()
		l.Close()
		if err != nil {
			return files, fmt.Errorf("virtual: %w", err)
		}
		files = append(files, file)
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// Monitor runs a command of the emulator's human monitor and gives what it
// prints. Many a mistake is told there and not as an error.
func (m *Machine) Monitor(command string) (string, error) {
	return m.monitor.command(command)
}

const netdev = "n0"

// SetLink cuts the guest off from the host, or joins it again. What is sent
// meanwhile is lost, and the guest is not told of either.
func (m *Machine) SetLink(up bool) error {
	state := "off"
	if up {
		state = "on"
	}
	complaint, err := m.Monitor("set_link " + netdev + " " + state)
	if err == nil && complaint != "" {
		err = fmt.Errorf("%w: set_link: %s", ErrMonitor, strings.TrimSpace(complaint))
	}
	return err
}

// PulseSensor gives [SensorLine] one pulse from outside: high, then low.
func (m *Machine) PulseSensor() error {
	_, err := m.Monitor("system_powerdown")
	return err
}

// Kill pulls the plug: the emulator is killed between two instructions of the
// guest. What the guest had not flushed to its disk is lost. A machine that
// is off already stays so.
func (m *Machine) Kill() error {
	select {
	case <-m.off: // the number may be another's by now
		return m.wait()
	default:
	}
	err := syscall.Kill(-m.process.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		err = nil
	}
	return errors.Join(err, m.wait())
}

// PowerOff shuts the guest down in order: its programs are asked to end, the
// disk is unmounted.
func (m *Machine) PowerOff(ctx context.Context) error {
	const command = "kill -TERM -1; " +
		"while fuser -m /data >/dev/null 2>&1; do usleep 20000; done; umount /data; poweroff -f"
	if _, err := m.Shell(ctx, command); !errors.Is(err, ErrOff) {
		return fmt.Errorf("virtual: the guest did not power off: %w", err)
	}
	return m.wait()
}

// Off is closed when the emulator has ended, whatever ended it.
func (m *Machine) Off() <-chan struct{} { return m.off }

// wait waits for the emulator and for all that listens to it.
func (m *Machine) wait() error {
	<-m.off
	m.readers.Wait()
	if m.Scanner != nil {
		return m.Scanner.Unplug()
	}
	return nil
}
