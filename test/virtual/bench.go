// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"bufio"
	"context"
	"debug/elf"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

//go:embed init
var initScript []byte

// recipeModules are loaded in this order, for the USB scanner, virtio and the
// disk. The kernel package has no modules.dep (depmod makes it at installation).
const recipeModules = "usb-common usbcore usbserial ftdi_sio xhci-hcd xhci-pci " +
	"failover net_failover virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_net " +
	"virtio_blk crc32c_generic jbd2 mbcache crc16 ext4"

// HostAddress is where the guest finds what listens on the host's loopback.
const HostAddress = "10.0.2.2"

// LineCount is how many lines the board's PL061 controller has.
const LineCount = 8

// SensorLine is the one line that can be driven from outside:
// [Machine.PulseSensor].
const SensorLine = 3

// Config describes one kiosk. The zero value boots to a shell with unnamed lines.
type Config struct {
	// Lines are the names that the guest's kernel gives the lines of
	// /dev/gpiochip0, in their order.
	Lines [LineCount]string
	// Files are put into the guest's root file system, by their absolute path.
	// That is made anew at every boot; what must last is on the disk, at /data.
	Files map[string]File
	// Start is a shell script, run beside everything else once the disk is
	// mounted on /data. What it writes goes to the console.
	Start string
	// Modules are loaded after those of the recipe (dm-flakey, netem, …).
	Modules []string
	// Network joins the machine to the host's loopback, which the guest reaches
	// at [HostAddress]; [Machine.SetLink] cuts it.
	Network bool
	// Clock is what the board's clock shows at power-on; zero is the host's time.
	Clock time.Time
}

// File is a file of the guest.
type File struct {
	Data []byte
	Mode uint32 // permission bits; 0 means 0644
}

// diskSize is that of the data partition: sparse, so small on the host.
const diskSize = 64 << 20

// A Bench is one kiosk, switched off: its root file system, and its disk,
// which lasts from boot to boot.
type Bench struct {
	kit    *Kit
	config Config
	dir    string
}

// NewBench makes a kiosk with an empty disk. [Bench.Close] removes it again.
func (k *Kit) NewBench(ctx context.Context, config Config) (*Bench, error) {
	// Not under testing's TempDir: the path of a unix socket is limited to 108 bytes.
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, fmt.Errorf("virtual: %w", err)
	}
	b := &Bench{kit: k, config: config, dir: dir}
	if err := errors.Join(b.makeInitramfs(ctx), b.makeDisk(ctx)); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// Close removes the kiosk and its disk. Its machine must be off.
func (b *Bench) Close() error {
	if err := os.RemoveAll(b.dir); err != nil {
		return fmt.Errorf("virtual: %w", err)
	}
	return nil
}

func (b *Bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *Bench) makeInitramfs(ctx context.Context) error {
	busybox, err := os.ReadFile(b.kit.busybox)
	if err != nil {
		return fmt.Errorf("virtual: %w", err)
	}
	f, err := os.Create(b.path("initramfs"))
	if err != nil {
		return fmt.Errorf("virtual: %w", err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	a := newArchive(w)
	a.device("/dev/console", 5, 1)
	a.file("/init", 0o755, initScript)
	a.file("/bin/busybox", 0o755, busybox)
	var order strings.Builder
	for _, name := range append(strings.Fields(recipeModules), b.config.Modules...) {
		data, err := b.kit.module(ctx, name)
		if err != nil {
			return err
		}
		if data != nil {
			a.file("/modules/"+name+".ko", 0o644, data)
			fmt.Fprintln(&order, name)
		}
	}
	a.file("/modules/order", 0o644, []byte(order.String()))
	if b.config.Start != "" {
		a.file("/start", 0o755, []byte(b.config.Start))
	}
	for name, file := range b.config.Files {
		mode := file.Mode
		if mode == 0 {
			mode = 0o644
		}
		a.file(name, mode, file.Data)
	}
	if err := errors.Join(a.close(), w.Flush(), f.Close()); err != nil {
		return fmt.Errorf("virtual: initramfs: %w", err)
	}
	return nil
}

func (b *Bench) makeDisk(ctx context.Context) error {
	f, err := os.Create(b.path("disk"))
	if err != nil {
		return fmt.Errorf("virtual: %w", err)
	}
	if err := errors.Join(f.Truncate(diskSize), f.Close()); err != nil {
		return fmt.Errorf("virtual: %w", err)
	}
	return run(ctx, "mkfs.ext4", "-q", "-F", b.path("disk"))
}

// named tells whether the lines have names; a board without is one of the
// traps that a kiosk must notice.
func (b *Bench) named() bool { return b.config.Lines != [LineCount]string{} }

// makeDeviceTree dumps the board's own tree and names the lines in it. It is
// made for every boot: the tree carries the seed of the guest's random
// numbers, and two boots of one seed would not be two boots. Unnamed lines
// need none of this, and a dumped tree as it is, padded to 1 MiB and not
// repacked by fdtput, does not boot.
func (b *Bench) makeDeviceTree(ctx context.Context) error {
	if !b.named() {
		return nil
	}
	tree := b.path("virt.dtb")
	args := append(board(), "-M", "virt,dumpdtb="+tree)
	if err := run(ctx, emulator, append(args, "-display", "none", "-nodefaults")...); err != nil {
		return err
	}
	args = []string{"-t", "s", tree, "/pl061@9030000", "gpio-line-names"}
	return run(ctx, "fdtput", append(args, b.config.Lines[:]...)...)
}

// BuildGuest builds a Go program of this module for the guest; its package is
// given by import path. Where the working directory is does not matter as
// long as it is inside the module.
func BuildGuest(ctx context.Context, pkg string, tags ...string) (File, error) {
	dir, err := os.MkdirTemp("", "guest-")
	if err != nil {
		return File{}, fmt.Errorf("virtual: %w", err)
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "program")
	_, err = output(ctx, "", []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64"},
		"go", "build", "-trimpath", "-ldflags=-s -w", "-tags", strings.Join(tags, ","), "-o", program, pkg)
	if err != nil {
		return File{}, err
	}
	if err := checkArm64(program); err != nil {
		return File{}, err
	}
	data, err := os.ReadFile(program)
	if err != nil {
		return File{}, fmt.Errorf("virtual: %w", err)
	}
	return File{Data: data, Mode: 0o755}, nil
}

// checkArm64 catches a package without a main: go build then writes an archive
// and says nothing, and the guest would say only "not found".
func checkArm64(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("virtual: what was built is no program: %w", err)
	}
	defer f.Close()
	if f.Machine != elf.EM_AARCH64 || f.Type != elf.ET_EXEC {
		return fmt.Errorf("virtual: what was built is a %v for %v, no static program for arm64", f.Type, f.Machine)
	}
	return nil
}
