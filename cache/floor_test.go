// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"gatehouse/entry"
	"gatehouse/fleet"
)

// testBoot is a boot clock that a test turns.
type testBoot struct{ Boot }

func (b *testBoot) read() (Boot, error) { return b.Boot, nil }

func (b *testBoot) reboot(id string) { b.Boot = Boot{ID: id} }

func openFloor(t *testing.T, path string, b *testBoot) *Floor {
	t.Helper()
	f, err := OpenFloor(path, FloorOptions{Boot: b.read})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func floorTime(t *testing.T, f *Floor) time.Time {
	t.Helper()
	at, err := f.Time()
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func raise(t *testing.T, f *Floor, signed time.Time) {
	t.Helper()
	if err := f.Raise(Believed{Signed: signed}, Kept{}); err != nil {
		t.Fatal(err)
	}
}

func TestFloorNeverFalls(t *testing.T) {
	path, boot := filepath.Join(t.TempDir(), "floor"), &testBoot{Boot{ID: "one", Elapsed: time.Hour}}
	f := openFloor(t, path, boot)
	raise(t, f, morning)
	raise(t, f, morning.Add(-24*time.Hour)) // an older signed time
	if got := floorTime(t, f); !got.Equal(morning) {
		t.Errorf("floor %v, want %v", got, morning)
	}
	boot.Elapsed += 10 * time.Minute
	if got := floorTime(t, f); !got.Equal(morning.Add(10 * time.Minute)) {
		t.Errorf("ten minutes later: %v", got)
	}
	raise(t, f, time.Time{})
	f = openFloor(t, path, boot) // the process restarts, the machine does not
	boot.Elapsed += 5 * time.Minute
	if got := floorTime(t, f); !got.Equal(morning.Add(15 * time.Minute)) {
		t.Errorf("after a restart of the process: %v", got)
	}
	boot.reboot("two")
	boot.Elapsed = 3 * time.Minute
	f = openFloor(t, path, boot)
	if got := floorTime(t, f); !got.Equal(morning.Add(13 * time.Minute)) {
		t.Errorf("after a reboot: %v, want what was written and what this boot has run", got)
	}
}

func TestFloorBeginsAtTheBuild(t *testing.T) {
	boot := &testBoot{Boot{ID: "one"}}
	path := filepath.Join(t.TempDir(), "state", "floor")
	f, err := OpenFloor(path, FloorOptions{Boot: boot.read, Built: morning})
	if err != nil {
		t.Fatal(err)
	}
	if got := floorTime(t, f); !got.Equal(morning) || f.Fault() != nil {
		t.Errorf("a new floor is %v (%v), want the build's %v", got, f.Fault(), morning)
	}
}

func TestFloorKeepsMarksAndLedger(t *testing.T) {
	path, boot := filepath.Join(t.TempDir(), "floor"), &testBoot{Boot{ID: "one"}}
	marks := []fleet.Mark{{Kind: fleet.KindHead, Scope: "arena", Version: 7, Digest: fleet.DigestOf([]byte("head"))}}
	pin, kept := fleet.DigestOf([]byte("root")), Kept{ID: "abcd", Last: 9, Link: fleet.Link{1, 2, 3}}
	f := openFloor(t, path, boot)
	if err := f.Raise(Believed{Signed: morning, Pin: pin, Marks: marks}, kept); err != nil {
		t.Fatal(err)
	}
	raise(t, f, time.Time{}) // neither is forgotten by a later write
	f = openFloor(t, path, boot)
	if got := f.Marks(pin); len(got) != 1 || got[0] != marks[0] || f.Ledger() != kept {
		t.Errorf("marks %v, ledger %v", got, f.Ledger())
	}
	if got := f.Marks(fleet.DigestOf([]byte("another fleet"))); got != nil {
		t.Errorf("marks of another root bind: %v", got)
	}
}

// Either copy may be lost, cut or flipped anywhere: the other serves, and the fault is told.
func TestFloorSurvivesTheLossOfACopy(t *testing.T) {
	for _, spoil := range []struct {
		name string
		do   func(path string, text []byte) error
		told bool
	}{
		{"lost", func(path string, _ []byte) error { return os.Remove(path) }, false},
		{"empty", func(path string, _ []byte) error { return os.WriteFile(path, nil, 0o600) }, true},
		{"cut", func(path string, text []byte) error { return os.WriteFile(path, text[:len(text)-1], 0o600) }, true},
		{"longer", func(path string, text []byte) error { return os.WriteFile(path, append(text, 0), 0o600) }, true},
		{"huge", func(path string, _ []byte) error { return os.Truncate(path, maxFloor+1) }, true},
	} {
		for _, suffix := range []string{".a", ".b"} {
			t.Run(spoil.name+suffix, func(t *testing.T) {
				path, boot := filepath.Join(t.TempDir(), "floor"), &testBoot{Boot{ID: "one"}}
				f := openFloor(t, path, boot)
				raise(t, f, morning)
				raise(t, f, morning.Add(time.Minute))
				text, err := os.ReadFile(path + suffix)
				if err != nil {
					t.Fatal(err)
				}
				if err := spoil.do(path+suffix, text); err != nil {
					t.Fatal(err)
				}
				f = openFloor(t, path, boot)
				if got := floorTime(t, f); got.Before(morning) {
					t.Errorf("floor %v, want %v at least", got, morning)
				}
				if (f.Fault() != nil) != spoil.told || errors.Is(f.Fault(), ErrDamaged) {
					t.Errorf("fault %v", f.Fault())
				}
				raise(t, f, morning.Add(time.Hour))
				raise(t, f, time.Time{})
				if f = openFloor(t, path, boot); f.Fault() != nil {
					t.Errorf("not mended by writing: %v", f.Fault())
				}
			})
		}
	}
}

// A flipped bit anywhere in a copy is noticed: it never yields another time.
func TestFloorNoticesEveryFlippedByte(t *testing.T) {
	path, boot := filepath.Join(t.TempDir(), "floor"), &testBoot{Boot{ID: "one"}}
	raise(t, openFloor(t, path, boot), morning)
	text, err := os.ReadFile(path + ".b") // the first sequence number is 1
	if err != nil {
		t.Fatal(err)
	}
	for i := range text {
		text[i] ^= 0x10
		if err := os.WriteFile(path+".b", text, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := OpenFloor(path, FloorOptions{Boot: boot.read})
		if err != nil {
			t.Fatal(err)
		}
		if !errors.Is(f.Fault(), ErrDamaged) {
			t.Fatalf("byte %d flipped: fault %v, time %v", i, f.Fault(), floorTime(t, f))
		}
		text[i] ^= 0x10
	}
}

func TestFloorThatCannotBeWrittenStaysAsItIs(t *testing.T) {
	path, boot := filepath.Join(t.TempDir(), "state", "floor"), &testBoot{Boot{ID: "one"}}
	f := openFloor(t, path, boot)
	raise(t, f, morning)
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	if err := f.Raise(Believed{Signed: morning.Add(time.Hour)}, Kept{ID: "abcd"}); err == nil {
		t.Fatal("written into a folder that is gone")
	}
	if got := floorTime(t, f); !got.Equal(morning) || f.Ledger() != (Kept{}) {
		t.Errorf("what could not be written is believed: %v %v", got, f.Ledger())
	}
}

// A thief of the head's key signs a time ten years ahead. Once the root has replaced the key, what that key said of the
// time counts no more, also where the floor could not be written in between.
func TestPoisonedTimeIsFreedByANewRoot(t *testing.T) {
	path, boot := filepath.Join(t.TempDir(), "floor"), &testBoot{Boot{ID: "one"}}
	pin, poison := fleet.DigestOf([]byte("root")), morning.AddDate(10, 0, 0)
	under := func(root uint64) []fleet.Mark {
		return []fleet.Mark{{Kind: fleet.KindRoot, Scope: fleet.ScopeAll, Version: root}}
	}
	f, err := OpenFloor(path, FloorOptions{Boot: boot.read, Built: morning.AddDate(0, -1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		what string
		b    Believed
		want time.Time
	}{
		{"poisoned", Believed{Signed: poison, Pin: pin, Marks: under(1)}, poison},
		{"the thief signs no older time away", Believed{Signed: morning, Pin: pin, Marks: under(1), HeadRoot: 1}, poison},
		{"a new root that leaves the head's key", Believed{Signed: morning, Pin: pin, Marks: under(2)}, poison},
		{"a new root of another fleet", Believed{Signed: morning, Pin: fleet.DigestOf(nil), HeadRoot: 9}, poison},
		{"the key is replaced", Believed{Signed: morning, Pin: pin, Marks: under(3), HeadRoot: 3}, morning},
		{"it is told again later", Believed{Signed: morning.Add(-time.Hour), Pin: pin, Marks: under(3), HeadRoot: 3}, morning},
		{"poisoned again", Believed{Signed: poison, Pin: pin, Marks: under(3), HeadRoot: 3}, poison},
		{"nothing is believed yet", Believed{}, poison},
		{"the kiosk has another fleet", Believed{Signed: morning, Pin: fleet.DigestOf(nil), Marks: under(1)}, morning},
	} {
		if err := f.Raise(step.b, Kept{}); err != nil {
			t.Fatal(err)
		}
		if got := floorTime(t, f); !got.Equal(step.want) {
			t.Errorf("%s: the floor is %v, want %v", step.what, got, step.want)
		}
	}
}

// A commit is seen by readers before its fsync ends. A floor that remembered it would miss it after a power cut, and a
// kiosk whose ledger lost nothing would wait for a technician.
func TestKeptIsWhatIsDurable(t *testing.T) {
	l := openLedger(t, ledgerPath(t))
	drained(t, l)
	before, err := l.Kept()
	if err != nil || before.Last != 1 {
		t.Fatalf("%+v %v", before, err)
	}
	body, err := fleet.EncodeEvent(&entry.Event{At: morning, Kind: entry.EventStart})
	if err != nil {
		t.Fatal(err)
	}
	// As far as a write has come when its fsync stalls: committed, and nobody was told.
	if err := l.file.db.Update(func(tx *bbolt.Tx) error { _, err := l.appendEvent(tx, body); return err }); err != nil {
		t.Fatal(err)
	}
	if k, err := l.Kept(); err != nil || k != before {
		t.Errorf("kept is %+v %v, want %+v", k, err, before)
	}
	drained(t, l)
	if k, err := l.Kept(); err != nil || k.Last != 3 {
		t.Errorf("after the next write: %+v %v", k, err)
	}
}
