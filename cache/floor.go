// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"gatehouse/fleet"
)

// Floor is what a kiosk cannot have been before: a time, the versions of documents it believed and the ledger it kept. It
// lives outside both databases, in two copies, so that the loss of either database leaves a trace and a clock that was
// set back is noticed. It is safe for concurrent use.
//
// Only verified signed times and the time that passed since raise it. The wall clock never does: one wrong step of NTP
// would otherwise make every later and right time a past one, for ever.
type Floor struct {
	path  string
	boot  func() (Boot, error)
	built time.Time

	mu     sync.Mutex
	record floorRecord
	fault  error // why a copy could not be read at the start
}

// Boot is how long which boot of the machine has run (CLOCK_BOOTTIME, which counts through suspension and which nobody
// can set).
type Boot struct {
	ID      string
	Elapsed time.Duration
}

// FloorOptions are the choices of OpenFloor.
type FloorOptions struct {
	Boot  func() (Boot, error)
	Built time.Time // when the program was built: no time is earlier; zero is unknown
}

// floorRecord is a copy as it is stored: CBOR behind a checksum.
type floorRecord struct {
	Sequence uint64       `cbor:"1,keyasint"`
	Time     int64        `cbor:"2,keyasint"` // nanoseconds since 1970, at Elapsed of Boot
	Boot     string       `cbor:"3,keyasint,omitempty"`
	Elapsed  int64        `cbor:"4,keyasint,omitempty"` // nanoseconds
	Ledger   string       `cbor:"5,keyasint,omitempty"`
	Marks    []fleet.Mark `cbor:"6,keyasint,omitempty"`
	Pin      fleet.Digest `cbor:"7,keyasint,omitempty"` // of the root under which the marks are
	Last     uint64       `cbor:"8,keyasint,omitempty"` // event of the ledger
	Link     fleet.Link   `cbor:"9,keyasint,omitempty"` // at Last
}

const maxFloor = 1 << 20

// floorMagic begins a copy, and is what its checksum is bound to.
var floorMagic = []byte("gatehouse floor 1\n")

// OpenFloor reads both copies of the floor at path (path.a and path.b) and takes the newer. Where there is none it
// begins a new one, and writes nothing before the first Raise. A copy that cannot be read is told by Fault.
func OpenFloor(path string, o FloorOptions) (*Floor, error) {
	f := &Floor{path: path, boot: o.Boot, built: o.Built}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("cache: the floor: %w", err)
	}
	for copyNumber := range uint64(2) {
		r, err := readFloor(f.copyPath(copyNumber))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			f.fault = errors.Join(f.fault, fmt.Errorf("cache: %s: %w; the other copy is used and this one written again", f.copyPath(copyNumber), err))
		case r.Sequence >= f.record.Sequence:
			f.record = r
		}
	}
	if f.record.Sequence == 0 && f.fault != nil {
		f.fault = fmt.Errorf("cache: the floor %s is lost; what the databases and new documents say is all that is known of the past: %w", path, ErrDamaged)
	}
	if built := o.Built.UnixNano(); !o.Built.IsZero() && built > f.record.Time {
		if err := f.stamp(built); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// Fault tells why a copy of the floor could not be read at the start; ErrDamaged when none could.
func (f *Floor) Fault() error { return f.fault }

// Time is the time that it is at least.
func (f *Floor) Time() (time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, err := f.now()
	return time.Unix(0, now).UTC(), err
}

// now is the stored time and what passed since: within one boot all of it, after a restart what the new boot has
// run. How long the machine was off nobody knows.
func (f *Floor) now() (int64, error) {
	b, err := f.boot()
	if err != nil {
		return f.record.Time, fmt.Errorf("cache: the floor: %w", err)
	}
	passed := b.Elapsed
	if b.ID == f.record.Boot {
		passed -= time.Duration(f.record.Elapsed)
	}
	return f.record.Time + int64(max(passed, 0)), nil
}

// stamp notes that it is at, now.
func (f *Floor) stamp(at int64) error {
	b, err := f.boot()
	if err != nil {
		return fmt.Errorf("cache: the floor: %w", err)
	}
	f.record.Time, f.record.Boot, f.record.Elapsed = at, b.ID, int64(b.Elapsed)
	return nil
}

// Ledger is what the kiosk's ledger was at least; zero before the first.
func (f *Floor) Ledger() Kept {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Kept{ID: f.record.Ledger, Last: f.record.Last, Link: f.record.Link}
}

// Marks are the highest versions that were believed under the root of this digest; they outlive trust.db. A kiosk that
// was given to another fleet begins with none.
func (f *Floor) Marks(pin fleet.Digest) []fleet.Mark {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.record.Pin != pin {
		return nil
	}
	return slices.Clone(f.record.Marks)
}

// Believed is what a kiosk believes, as far as a floor keeps it. Trust.Believed tells it.
type Believed struct {
	Signed time.Time    // the verified signed time of the head in force; zero: none
	Pin    fleet.Digest // of the first root
	Marks  []fleet.Mark // nil: nothing is believed, and the floor keeps what it has
	// HeadRoot is the root that replaced the keys for heads, 0 for none that is known. What heads under an earlier root
	// said of the time counts no more, or a thief who signed a time ten years ahead would have spoilt the clock for good.
	HeadRoot uint64
}

// Kept is a ledger up to one event. Ledger.Kept tells it.
type Kept struct {
	ID   string     // zero: the floor keeps what it has
	Last uint64     // number of the event, 0 for none
	Link fleet.Link // the chain's hash there
}

// Raise notes what is believed and kept, and writes it with the time that passed. The time falls only where the keys for
// heads were replaced since the floor was written, or the documents of another fleet are believed now.
func (f *Floor) Raise(b Believed, k Kept) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, err := f.now()
	if err != nil {
		return err
	}
	before := f.record
	if b.Pin == f.record.Pin && b.HeadRoot > rootVersion(f.record.Marks) || b.Marks != nil && b.Pin != f.record.Pin {
		now = max(f.built.UnixNano(), 0) // of an unknown build, 1970
	}
	if !b.Signed.IsZero() {
		now = max(now, b.Signed.UnixNano())
	}
	if b.Marks != nil {
		f.record.Pin, f.record.Marks = b.Pin, slices.Clone(b.Marks)
	}
	if k.ID != "" {
		f.record.Ledger, f.record.Last, f.record.Link = k.ID, k.Last, k.Link
	}
	if err := f.stamp(now); err != nil {
		f.record = before
		return err
	}
	f.record.Sequence++
	if err := f.write(); err != nil {
		f.record = before
		return err
	}
	return nil
}

func rootVersion(marks []fleet.Mark) uint64 {
	for _, m := range marks {
		if m.Kind == fleet.KindRoot {
			return m.Version
		}
	}
	return 0
}

// copyPath names the copy that a sequence number is written to: each in turn, so that the other is whole at any time.
func (f *Floor) copyPath(sequence uint64) string {
	return f.path + [2]string{".a", ".b"}[sequence%2]
}

func (f *Floor) write() error {
	body, err := deterministicCBOR.Marshal(f.record)
	if err != nil {
		return fmt.Errorf("cache: the floor: %w", err)
	}
	if err := replaceFile(f.copyPath(f.record.Sequence), slices.Concat(floorMagic, seal(floorMagic, body))); err != nil {
		return fmt.Errorf("cache: the floor: %w", err)
	}
	return nil
}

func readFloor(path string) (r floorRecord, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return r, err
	}
	if info.Size() > maxFloor {
		return r, errSeal
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	sealed, ok := bytes.CutPrefix(text, floorMagic)
	if !ok {
		return r, errSeal
	}
	body, err := unseal(floorMagic, sealed)
	if err != nil {
		return r, err
	}
	if err := storedCBOR.Unmarshal(body, &r); err != nil || r.Sequence == 0 {
		return r, errors.Join(errSeal, err)
	}
	return r, nil
}

// replaceFile puts a file in place as a whole or not at all, durably: the name is there before the call returns. The draft
// has one name, so that those that power cuts leave do not pile up; each file has one writer.
func replaceFile(path string, content []byte) (err error) {
	draft, err := os.OpenFile(path+".draft", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(draft.Name()))
		}
	}()
	if _, err := draft.Write(content); err != nil {
		return errors.Join(err, draft.Close())
	}
	if err := errors.Join(draft.Sync(), draft.Close()); err != nil {
		return err
	}
	if err := os.Rename(draft.Name(), path); err != nil {
		return err
	}
	return syncDir(path)
}
