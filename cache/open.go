// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"
)

// A page size of our own lets a file move between boards: a Pi 5 kernel has pages of 16 KiB.
const (
	pageSize    = 4096
	lockTimeout = time.Second
	fileMode    = 0o600
)

// initialMap is the address space, not memory, that is mapped from the start: growing a map blocks on readers. 32-bit
// boards have little of it.
func initialMap() int {
	if strconv.IntSize == 32 {
		return 32 << 20
	}
	return 256 << 20
}

// file is an open database. Its transactions turn bbolt's panics and faults of the medium into ErrDamaged; after one,
// or after a write that the disk did not confirm, the file answers every further transaction with that error, because
// bbolt may hold its locks or believe in pages that are not there.
type file struct {
	db    *bbolt.DB
	fd    *os.File
	path  string
	kind  kind
	fault atomic.Pointer[error]
	stuck atomic.Bool // bbolt may hold a lock that it never gives back

	readOnly bool // set before open
}

// openFile opens the database at path, or creates it where there is none.
func openFile(path string, k kind, noSync bool) (*file, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = create(path, k)
	}
	if err != nil {
		return nil, explain(path, k, err)
	}
	f, err := mapFile(path, k, 0, noSync)
	if err != nil {
		return nil, err
	}
	if err := f.migrate(); err != nil {
		f.close()
		return nil, err
	}
	if err := f.checkBuckets(); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// mapFile hands the file to bbolt. create is os.O_CREATE|os.O_EXCL or 0: an existing file that vanished meanwhile must
// not come back empty.
func mapFile(path string, k kind, create int, noSync bool) (*file, error) {
	f := &file{path: path, kind: k}
	if err := f.open(create, noSync); err != nil {
		f.release()
		return nil, explain(path, k, err)
	}
	if err := f.checkFile(); err != nil {
		f.close()
		return nil, explain(path, k, err)
	}
	return f, nil
}

// open calls bbolt, which panics on a damaged freelist or a short file with the descriptor open and locked: it is kept
// in f.fd for that.
func (f *file) open(create int, noSync bool) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = f.damaged(r)
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))

	f.db, err = bbolt.Open(f.path, fileMode, &bbolt.Options{
		Timeout:         lockTimeout,
		PageSize:        pageSize,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: initialMap(),
		NoStatistics:    true,
		NoSync:          noSync,
		ReadOnly:        f.readOnly,
		PreLoadFreelist: f.readOnly, // a damaged one is found where it is looked for
		OpenFile: func(name string, flag int, mode os.FileMode) (fd *os.File, err error) {
			fd, err = openRegular(name, flag&^os.O_CREATE|create, mode)
			f.fd = fd
			return fd, err
		},
	})
	return err
}

// errEmpty says that a file has no content: files are created whole, so it lost it. bbolt would make a new database of it.
var errEmpty = errors.New("it is empty")

func openRegular(name string, flag int, mode os.FileMode) (*os.File, error) {
	fd, err := os.OpenFile(name, flag, mode)
	if err != nil {
		return nil, err
	}
	info, err := fd.Stat()
	switch {
	case err == nil && !info.Mode().IsRegular():
		err = fmt.Errorf("cache: %s is not a regular file; move it away", name)
	case err == nil && info.Size() == 0 && flag&os.O_CREATE == 0:
		err = errEmpty
	}
	if err != nil {
		return nil, errors.Join(err, fd.Close())
	}
	return fd, nil
}

// The meta pages of bbolt's file format, version 2: two of them, written in turn, each with an FNV-1a sum over what
// stands before the sum. Integers are in the order of the machine, little-endian on all that this runs on.
const (
	metaOffset = 16 // of the meta within its page
	metaSummed = 56
)

// checkFile looks for what bbolt would not notice before it is too late. A trust store is verified as a whole anyway.
func (f *file) checkFile() error {
	if err := errors.Join(f.checkMeta(), f.checkSize()); err != nil || f.kind != kindLedger {
		return err
	}
	return f.checkPages()
}

// checkMeta wants both meta pages whole. bbolt is content with one; but if the newer one is damaged the last transaction
// is gone without a word. (One lies within a single sector, so a power cut leaves it old or new, not broken.)
func (f *file) checkMeta() error {
	for n := range int64(2) {
		var meta [metaSummed + 8]byte
		if _, err := f.fd.ReadAt(meta[:], n*pageSize+metaOffset); err != nil {
			return fmt.Errorf("meta page %d: %w", n, err)
		}
		sum := fnv.New64a()
		sum.Write(meta[:metaSummed])
		if sum.Sum64() != binary.LittleEndian.Uint64(meta[metaSummed:]) {
			return f.damaged(fmt.Sprintf("meta page %d is not what was written, the last transaction may be gone", n))
		}
	}
	return nil
}

// checkSize finds a file that was cut short, before a lookup runs off its end.
func (f *file) checkSize() error {
	var want int64
	if err := f.view(func(tx *bbolt.Tx) error { want = tx.Size(); return nil }); err != nil {
		return err
	}
	info, err := f.fd.Stat()
	if err != nil {
		return err
	}
	if info.Size() < want {
		return f.damaged(fmt.Sprintf("%d bytes of %d are there", info.Size(), want))
	}
	return nil
}

// view runs a read transaction.
func (f *file) view(fn func(*bbolt.Tx) error) (err error) {
	if fault := f.fault.Load(); fault != nil {
		return *fault
	}
	// Within fn a panic is harmless to bbolt's locks, at begin and end it is not.
	inside := false
	defer f.guard(&err, &inside)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return f.closed(f.db.View(func(tx *bbolt.Tx) error {
		inside = true
		err := fn(tx)
		inside = false
		return err
	}))
}

// update runs a write transaction. An error of fn comes back as it is, with nothing written.
func (f *file) update(fn func(*bbolt.Tx) error) (err error) {
	if fault := f.fault.Load(); fault != nil {
		return *fault
	}
	committing, harmless := false, false
	defer f.guard(&err, &harmless)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	err = f.db.Update(func(tx *bbolt.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		committing = true
		return nil
	})
	if err == nil {
		err = f.confirm()
	}
	if err == nil || !committing {
		return f.closed(err)
	}
	if isFull(err) {
		return fmt.Errorf("cache: %s: %w: %w; free some space on its partition", f.path, ErrFull, err)
	}
	fault := fmt.Errorf("cache: %s: %w: %w; check the card (dmesg) and restart gatehoused", f.path, ErrWrite, err)
	f.fault.Store(&fault)
	return fault
}

// confirm finds a file system that was made read-only under the open file, as Linux does in an emergency: writes then end
// in memory, and fsync says that all is well.
func (f *file) confirm() error {
	raw, err := f.fd.SyscallConn()
	if err != nil {
		return err
	}
	var fs unix.Statfs_t
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.Fstatfs(int(fd), &fs) }); err != nil {
		return err
	}
	if failed == nil && fs.Flags&unix.ST_RDONLY != 0 {
		failed = syscall.EROFS
	}
	return failed
}

// guard ends a transaction that panicked. It is deferred, so that its recover counts.
func (f *file) guard(err *error, harmless *bool) {
	if r := recover(); r != nil {
		fault := f.damaged(r)
		f.stuck.CompareAndSwap(false, !*harmless)
		f.fault.Store(&fault)
		*err = fault
	}
}

func (f *file) closed(err error) error {
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return fmt.Errorf("cache: %s: %w", f.path, ErrClosed)
	}
	return err
}

// damaged makes the error of a file that cannot be trusted.
func (f *file) damaged(what any) error {
	return damaged(f.path, f.kind, what)
}

// close releases the file; later transactions get ErrClosed.
func (f *file) close() error {
	if f.stuck.Load() {
		f.release()
		return nil
	}
	err := f.db.Close()
	closed := fmt.Errorf("cache: %s: %w", f.path, ErrClosed)
	f.fault.CompareAndSwap(nil, &closed)
	return err
}

// release gives up the lock and the descriptor, and leaves bbolt and its map to the end of the process. The map holds
// the file open, and the lock with it: closing the descriptor alone would not unlock. Where bbolt closed it already
// nothing happens.
func (f *file) release() {
	if f.fd == nil {
		return
	}
	if raw, err := f.fd.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { syscall.Flock(int(fd), syscall.LOCK_UN) })
	}
	f.fd.Close()
}

func damaged(path string, k kind, what any) error {
	return fmt.Errorf("cache: %s: %w (%v); %s", path, ErrDamaged, what, k.repair())
}

// explain turns what the system or bbolt said about opening a file into what a technician does about it.
func explain(path string, k kind, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrDamaged):
		return err
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("cache: %s: %w; ask the running daemon: gatehouse status", path, ErrInUse)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("cache: %s: %w; it must belong to the user that runs gatehoused: ls -l %s", path, err, filepath.Dir(path))
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("cache: %s: %w; the state directory must be on a partition that can be written: findmnt -T %s", path, err, filepath.Dir(path))
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cache: %s: %w; make the state directory: install -d -m 0700 %s", path, err, filepath.Dir(path))
	case isFull(err):
		return fmt.Errorf("cache: %s: %w: %w; free some space on its partition", path, ErrFull, err)
	case isDamage(err):
		return damaged(path, k, err)
	}
	return fmt.Errorf("cache: %s: %w", path, err)
}

// isFull tells that there was no room for a write: on the disk, under a quota or under a limit of the file's size.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// isDamage tells bbolt's complaints about what is in a file from those of the system about getting at it.
func isDamage(err error) bool {
	for _, e := range []error{bolterrors.ErrInvalid, bolterrors.ErrChecksum, bolterrors.ErrVersionMismatch, syscall.EIO} {
		if errors.Is(err, e) {
			return true
		}
	}
	var errno syscall.Errno
	var pathErr *fs.PathError
	return !errors.As(err, &errno) && !errors.As(err, &pathErr)
}
