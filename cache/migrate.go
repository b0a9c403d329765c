// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"go.etcd.io/bbolt"

	"gatehouse/fleet"
)

// steps lead a database of each kind from schema 1 to the present one, in order: the first from 1 to 2, and so on.
var steps = map[kind][]func(*file, *bbolt.Tx) error{
	kindTrust:  {dropOverlays},
	kindLedger: {countEvents, together},
}

// schema is the layout that this version writes.
func (k kind) schema() uint32 { return uint32(len(steps[k])) + 1 }

// migrate brings a file of a lower schema to the present one: in one transaction, so that an interrupted migration
// leaves the file as it was and starts over, and after a copy of it (path + ".schema-<n>"), for who must go back to the
// version that wrote it. DropCopies removes the copies.
func (f *file) migrate() error {
	from, err := f.readSchema()
	if err != nil || from == f.kind.schema() {
		return err
	}
	if err := f.copyFor(from); err != nil {
		return fmt.Errorf("cache: %s: it is not migrated from schema %d to %d: %w", f.path, from, f.kind.schema(), err)
	}
	return f.update(func(tx *bbolt.Tx) error {
		for _, step := range steps[f.kind][from-1:] {
			if err := step(f, tx); err != nil {
				return err
			}
		}
		return tx.Bucket(metaBucket).Put(metaSchema, seal(metaSchema, binary.BigEndian.AppendUint32(nil, f.kind.schema())))
	})
}

// spare is the room, in bytes, that must be left on the disk beside a copy.
const spare = 16 << 20

// copyFor copies the file, which nobody else can write: bbolt holds its lock. A former copy of the same schema is
// replaced.
func (f *file) copyFor(schema uint32) error { return f.copyInto(schema, freeSpace) }

// copyInto is copyFor on a disk that has some room.
func (f *file) copyInto(schema uint32, room func(dir string) (uint64, error)) error {
	var size int64 // bbolt grows a file ahead of what is in it
	if err := f.view(func(tx *bbolt.Tx) error { size = tx.Size(); return nil }); err != nil {
		return err
	}
	draft, copied := f.path+".copy", fmt.Sprintf("%s.schema-%d", f.path, schema)
	// What an interrupted migration left goes first: the room that it takes must not keep the next start from a copy.
	for _, former := range []string{draft, copied} {
		if err := os.Remove(former); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	free, err := room(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	if need := uint64(size) + spare; free < need {
		return fmt.Errorf("%w: a copy needs %d MiB on its partition; free some and start gatehoused again", ErrFull, need>>20)
	}
	to, err := os.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, io.NewSectionReader(f.fd, 0, size))
	if err := errors.Join(err, to.Sync(), to.Close()); err != nil {
		return errors.Join(err, os.Remove(draft))
	}
	if err := os.Rename(draft, copied); err != nil {
		return err
	}
	return syncDir(f.path)
}

// freeSpace is the room, in bytes, that is left for this user on the disk of a folder.
func freeSpace(dir string) (uint64, error) {
	var fs syscall.Statfs_t
	err := syscall.Statfs(dir, &fs)
	return fs.Bavail * uint64(fs.Bsize), err
}

// DropCopies removes the copies of a database that were made before it was migrated, and returns their names. They are of
// use only to a version that cannot read the present schema, and grow stale with every event.
func DropCopies(path string) (dropped []string, err error) {
	copies, err := filepath.Glob(path + ".schema-*")
	if err != nil {
		return nil, err
	}
	for _, c := range copies {
		if err := os.Remove(c); err != nil {
			return dropped, fmt.Errorf("cache: %w", err)
		}
		dropped = append(dropped, c)
	}
	return dropped, nil
}

// dropOverlays frees what the trust store of schema 1 kept of revocations beside their bases: the manifests say it all, and
// a version that knows schema 1 alone would miss it.
func dropOverlays(_ *file, tx *bbolt.Tx) error {
	var former [][]byte
	err := tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
		if string(name) == "revocations" || bytes.HasPrefix(name, []byte("over\x00")) {
			former = append(former, slices.Clone(name))
		}
		return nil
	})
	for _, name := range former {
		err = errors.Join(err, tx.DeleteBucket(name))
	}
	return err
}

// countEvents begins the tail of a ledger of schema 1, and chains the events of one that was begun before there was a
// chain. A chain that is broken stays so: CheckChain must find it.
func countEvents(f *file, tx *bbolt.Tx) error {
	id, err := unseal(metaID, tx.Bucket(metaBucket).Get(metaID))
	if err != nil || len(id) != 16 {
		return f.damaged("its id cannot be read")
	}
	events := tx.Bucket(eventBucket)
	if events == nil {
		return f.damaged("bucket events is missing")
	}
	bare := false
	err = events.ForEach(func(key, sealed []byte) error {
		value, err := unseal(key, sealed)
		if err != nil || len(key) != 8 {
			return f.damaged(errEvent)
		}
		bare = bare || isBare(value)
		return nil
	})
	if err == nil && bare {
		err = chainEvents(events, fleet.LedgerID(id))
	}
	if err != nil {
		return err
	}
	var t tail
	if err := events.ForEach(func(key, sealed []byte) error { t.bytes += kept(key, sealed); return nil }); err != nil {
		return err
	}
	return t.write(tx)
}

// together is the step to schema 3, in which a reservation may be of several passes, and a use may have been given back by
// an exit. What schema 2 wrote is a case of it; a version that knows schema 2 alone would take such a reservation for damage,
// and such a use for one that counts.
func together(*file, *bbolt.Tx) error { return nil }

// isBare tells an event that was stored without a link, which is nothing but a CBOR map: of 32 random bytes before one
// nobody can make that.
func isBare(value []byte) bool {
	ev, err := fleet.DecodeEvent(0, value)
	return err == nil && ev.Kind != ""
}

// chainEvents gives every event its link anew.
func chainEvents(events *bbolt.Bucket, id fleet.LedgerID) error {
	var link fleet.Link
	for seq := uint64(1); seq <= events.Sequence(); seq++ {
		key := eventKey(seq)
		value, err := unseal(key, events.Get(key))
		if err != nil {
			return fmt.Errorf("%w at event %d", ErrChain, seq)
		}
		body := slices.Clone(value)
		if !isBare(value) {
			body = body[min(len(link), len(body)):]
		}
		link = link.Next(id, seq, body)
		if err := events.Put(key, seal(key, slices.Concat(link[:], body))); err != nil {
			return err
		}
	}
	return nil
}
