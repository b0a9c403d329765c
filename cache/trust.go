// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"gatehouse/entry"
	"gatehouse/fleet"
)

// ErrNoBelief: the kiosk has no signed documents yet, or lost them. Nobody can be admitted until a bundle is imported.
var ErrNoBelief = errors.New("cache: there are no signed documents on this kiosk; import a bundle: gatehouse import FILE")

// TrustOptions are the choices of OpenTrust.
type TrustOptions struct {
	Pin   fleet.Digest // of the first root, from the kiosk's own config
	Place fleet.Place
	// Floor are the marks of Floor.Marks: a store that was put back behind them is set aside, and a lost one does not open
	// the way to older documents.
	Floor []fleet.Mark
	Log   *slog.Logger // nil: nothing is logged
}

// Trust is trust.db: the signed documents in force and what follows from them. It implements entry.Knowledge and is safe
// for concurrent use.
type Trust struct {
	file    *file
	pin     fleet.Digest
	place   fleet.Place
	floor   []fleet.Mark
	aside   error // why and where the former file was set aside; nil if it was not
	spoiled atomic.Bool

	checked     chan struct{}            // closed when the bases found at start are known to be whole
	revocations []fleet.RevocationUpdate // that are to be checked

	apply   sync.Mutex      // one Apply at a time, or Close
	stored  map[string]bool // names of the buckets of blobs that are whole: hashed at start or built since
	closed  bool
	current atomic.Pointer[belief]
}

var _ entry.Knowledge = (*Trust)(nil)

// OpenTrust opens the trust store at path, or begins one where there is none. Documents found in it are verified again
// from the pin. A file that is damaged, or whose documents are not what the pinned root vouches for, is not believed: it
// is set aside as path.corrupt-<n> and a clean one begun, which SetAside then tells.
//
// The bases of revocations, which can be large, are hashed while OpenTrust has returned already. Nothing is decided before
// that is done: Belief waits for it, and so does all else but Believed.
//
// ErrInUse, ErrNewerSchema, fleet.ErrUnsupported and what the system says of the file are errors and change nothing.
func OpenTrust(path string, o TrustOptions) (*Trust, error) {
	t, err := openTrust(path, o)
	switch {
	case err == nil:
		go t.checkBases(o)
		return t, nil
	case errors.Is(err, ErrDamaged):
		if t, err = beginTrust(path, o, err); err == nil {
			close(t.checked)
		}
		return t, err
	}
	return nil, err
}

func openTrust(path string, o TrustOptions) (*Trust, error) {
	f, err := openFile(path, kindTrust, false)
	if err != nil {
		return nil, err
	}
	t := newTrust(f, o)
	if err := t.load(); err != nil {
		f.close()
		return nil, err
	}
	return t, nil
}

// beginTrust sets a damaged file aside and begins a clean one.
func beginTrust(path string, o TrustOptions, damage error) (*Trust, error) {
	aside, err := setAside(path)
	if err != nil {
		return nil, errors.Join(damage, err)
	}
	t, err := openTrust(path, o)
	if err != nil {
		return nil, errors.Join(damage, err)
	}
	t.aside = fmt.Errorf("cache: the trust store was set aside as %s and a clean one begun; import a bundle: %w", aside, damage)
	if o.Log != nil {
		o.Log.Error("trust store set aside", "file", aside, "err", damage)
	}
	return t, nil
}

// checkBases hashes the bases of the revocations in force. Until it is done nobody else has the file.
func (t *Trust) checkBases(o TrustOptions) {
	defer close(t.checked)
	damage := t.verifyBases()
	if damage == nil {
		return
	}
	t.current.Store(nil)
	_ = t.file.close() // it is damaged
	fresh, err := beginTrust(t.file.path, o, damage)
	if err != nil {
		t.spoiled.Store(true)
		t.file.fault.Store(&err)
		return
	}
	t.file, t.aside, t.floor, t.stored = fresh.file, fresh.aside, fresh.floor, fresh.stored
}

func (t *Trust) verifyBases() error {
	return t.file.view(func(tx *bbolt.Tx) error {
		if err := checkBlobs(tx, t.revocations); err != nil {
			return t.file.damaged(err)
		}
		t.revocations = nil
		return nil
	})
}

func newTrust(f *file, o TrustOptions) *Trust {
	return &Trust{file: f, pin: o.Pin, place: o.Place, floor: o.Floor, stored: map[string]bool{}, checked: make(chan struct{})}
}

// load verifies the stored documents anew. They were believed when their time had come; the clock of a kiosk that just
// started is not asked.
func (t *Trust) load() error {
	// Which blobs are the right ones is checked below, of those that the documents name.
	known, err := t.known(blobKind.whole)
	if err != nil || len(known.Documents) == 0 {
		return err
	}
	u, err := fleet.Open(known, nil, time.Time{})
	if errors.Is(err, fleet.ErrUnsupported) {
		return fmt.Errorf("cache: %s: %w", t.file.path, err)
	}
	if err != nil {
		return t.file.damaged(err)
	}
	return t.file.view(func(tx *bbolt.Tx) error {
		t.revocations = u.Revocations()
		b := newBelief(t, tx.ID(), u)
		maps.Copy(t.stored, b.blobs)
		t.current.Store(b)
		return nil
	})
}

// Belief returns what is believed now. ErrNoBelief before the first bundle; ErrDamaged, ErrWrite or ErrClosed when the
// file can no longer be asked.
func (t *Trust) Belief() (entry.Belief, error) {
	<-t.checked
	if fault := t.file.fault.Load(); fault != nil {
		return nil, *fault
	}
	b := t.current.Load()
	if b == nil {
		return nil, ErrNoBelief
	}
	return b, nil
}

// Believed is what a floor keeps of the documents in force; zero before the first bundle.
func (t *Trust) Believed() Believed {
	b := t.current.Load()
	if b == nil {
		return Believed{}
	}
	return b.believed
}

// SetAside tells why and where to OpenTrust set a former file aside, matching ErrDamaged; nil when it did not.
func (t *Trust) SetAside() error {
	<-t.checked
	return t.aside
}

// putInForce writes what was believed of a bundle, in one transaction, and frees the blobs that have no use any more. Those
// of the view before stay until the next time: a decision may just have begun with it.
func (t *Trust) putInForce(u *fleet.Update) (next *belief, err error) {
	used := map[string]bool{}
	if former := t.current.Load(); former != nil {
		maps.Copy(used, former.blobs)
	}
	err = t.file.update(func(tx *bbolt.Tx) error {
		next = newBelief(t, tx.ID(), u)
		maps.Copy(used, next.blobs)
		return errors.Join(writeUpdate(tx, u), freeBlobs(tx, used))
	})
	if err == nil {
		maps.DeleteFunc(t.stored, func(name string, _ bool) bool { return !used[name] })
	}
	return next, err
}

// nothingNew spares the card the writing of a bundle that is imported again.
func nothingNew(known fleet.Known, u *fleet.Update) bool {
	same := func(a, b fleet.Document) bool { return a.Digest() == b.Digest() }
	return len(u.Changed()) == 0 && slices.EqualFunc(known.Documents, u.Documents(), same) && slices.Equal(known.Marks, u.Marks())
}

func writeUpdate(tx *bbolt.Tx, u *fleet.Update) error {
	if err := tx.DeleteBucket(documentBucket); err != nil {
		return err
	}
	documents, err := tx.CreateBucket(documentBucket)
	if err != nil {
		return err
	}
	for i, d := range u.Documents() {
		key := binary.BigEndian.AppendUint32(nil, uint32(i))
		if err := documents.Put(key, seal(key, d.Bytes())); err != nil {
			return err
		}
	}
	marks, err := deterministicCBOR.Marshal(u.Marks())
	if err != nil {
		return fmt.Errorf("cache: encode the marks: %w", err)
	}
	return tx.Bucket(markBucket).Put(markKey, seal(markKey, marks))
}

// known reads what is stored, unverified, with the blobs that are held.
func (t *Trust) known(held func(k blobKind, tx *bbolt.Tx, name []byte) bool) (fleet.Known, error) {
	known := fleet.Known{Pin: t.pin, Place: t.place, Floor: t.floor}
	err := t.file.view(func(tx *bbolt.Tx) error {
		err := tx.Bucket(documentBucket).ForEach(func(key, sealed []byte) error {
			raw, err := unseal(key, sealed)
			if err != nil {
				return err
			}
			d, err := fleet.ParseDocument(raw)
			known.Documents = append(known.Documents, d)
			return err
		})
		if errors.Is(err, fleet.ErrUnsupported) {
			return fmt.Errorf("cache: %s: %w", t.file.path, err)
		}
		if err == nil {
			err = readMarks(tx, &known)
		}
		if err != nil {
			return t.damaged(err)
		}
		eachBlob(tx, func(k blobKind, name []byte) {
			if held(k, tx, name) {
				known.Blobs = append(known.Blobs, fleet.Digest(name[len(k.prefix):]))
			}
		})
		return nil
	})
	return known, err
}

func readMarks(tx *bbolt.Tx, known *fleet.Known) error {
	sealed := tx.Bucket(markBucket).Get(markKey)
	if sealed == nil {
		if len(known.Documents) > 0 {
			return errors.New("the marks are missing")
		}
		return nil
	}
	body, err := unseal(markKey, sealed)
	if err != nil {
		return err
	}
	return storedCBOR.Unmarshal(body, &known.Marks)
}

// damaged notes that the file is to be set aside when it is closed.
func (t *Trust) damaged(err error) error {
	t.spoiled.Store(true)
	return t.file.damaged(err)
}

// Close waits for an Apply under way and releases the file. One in which damage was found is set aside now, so that the
// next OpenTrust begins a clean one.
func (t *Trust) Close() error {
	<-t.checked
	t.apply.Lock()
	defer t.apply.Unlock()
	if t.closed {
		return nil
	}
	t.closed = true
	fault := t.file.fault.Load()
	err := t.file.close()
	if t.spoiled.Load() || fault != nil && errors.Is(*fault, ErrDamaged) {
		_, asideErr := setAside(t.file.path)
		return errors.Join(err, asideErr)
	}
	return err
}
