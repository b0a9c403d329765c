// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// kind is which of the two databases a file is. It is written into it, so that one is never opened as the other.
type kind string

const (
	kindTrust  kind = "trust"
	kindLedger kind = "ledger"
)

// metaBucket holds the head of a file: kind, schema, id and, for a ledger, its tail. All values are sealed.
var (
	metaBucket = []byte("meta")
	metaKind   = []byte("kind")
	metaSchema = []byte("schema")
	metaID     = []byte("id")
	metaTail   = []byte("tail")
)

// buckets are the top-level buckets that a file of this kind is created with.
func (k kind) buckets() [][]byte {
	if k == kindTrust {
		return [][]byte{documentBucket, markBucket}
	}
	return [][]byte{eventBucket, useBucket, openBucket}
}

// repair is what to do about a damaged file of this kind.
func (k kind) repair() string {
	if k == kindTrust {
		return "restart gatehoused: the file is set aside and a clean one begun; then import a bundle: gatehouse import FILE"
	}
	return "it is left as it is, because the uses and events in it are nowhere else; " +
		"stop gatehoused, keep the file for the operator and check the card (dmesg)"
}

// create makes a database whole or not at all: under another name, synced, then linked to its own.
func create(path string, k kind) error {
	draft := path + ".new"
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := mapFile(draft, k, os.O_CREATE|os.O_EXCL, false)
	if err != nil {
		return err
	}
	err = f.update(func(tx *bbolt.Tx) error { return writeHead(tx, k) })
	if err := errors.Join(err, f.close()); err != nil {
		return err
	}
	// A link, unlike a rename, never replaces what another process put there meanwhile.
	if err := os.Link(draft, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := os.Remove(draft); err != nil {
		return err
	}
	return syncDir(path)
}

func writeHead(tx *bbolt.Tx, k kind) error {
	meta, err := tx.CreateBucket(metaBucket)
	if err != nil {
		return err
	}
	var id [16]byte
	rand.Read(id[:])
	for _, kv := range [][2][]byte{
		{metaKind, []byte(k)},
		{metaSchema, binary.BigEndian.AppendUint32(nil, k.schema())},
		{metaID, id[:]},
	} {
		if err := meta.Put(kv[0], seal(kv[0], kv[1])); err != nil {
			return err
		}
	}
	for _, name := range k.buckets() {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	if k == kindLedger {
		return tail{}.write(tx)
	}
	return nil
}

// readSchema reads what a file says of itself.
func (f *file) readSchema() (schema uint32, err error) {
	err = f.view(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		if meta == nil {
			return f.damaged("it has no head")
		}
		is, err := unseal(metaKind, meta.Get(metaKind))
		if err != nil {
			return f.damaged(err)
		}
		if kind(is) != f.kind {
			return f.damaged(fmt.Sprintf("it is a %s database", is))
		}
		b, err := unseal(metaSchema, meta.Get(metaSchema))
		if err != nil || len(b) != 4 {
			return f.damaged("its schema cannot be read")
		}
		schema = binary.BigEndian.Uint32(b)
		if schema == 0 {
			return f.damaged("its schema cannot be read")
		}
		if schema > f.kind.schema() {
			return fmt.Errorf("cache: %s: %w (schema %d, this one knows %d); install the version of gatehoused that wrote it",
				f.path, ErrNewerSchema, schema, f.kind.schema())
		}
		return nil
	})
	return schema, err
}

// checkCurrent sees that a file that is not to be migrated has the present schema.
func (f *file) checkCurrent() error {
	schema, err := f.readSchema()
	if err == nil && schema < f.kind.schema() {
		err = fmt.Errorf("cache: %s: %w (schema %d, this one has %d); the next start of gatehoused migrates it", f.path, ErrOlderSchema, schema, f.kind.schema())
	}
	if err != nil {
		return err
	}
	return f.checkBuckets()
}

// checkBuckets sees that a file of the present schema has all that it was created with.
func (f *file) checkBuckets() error {
	return f.view(func(tx *bbolt.Tx) error {
		for _, name := range f.kind.buckets() {
			if tx.Bucket(name) == nil {
				return f.damaged(fmt.Sprintf("bucket %s is missing", name))
			}
		}
		return nil
	})
}

// maxAside bounds the damaged files that are kept: a card that goes on failing must not fill itself with them.
const maxAside = 8

// SetLedgerAside renames a ledger that is damaged (ErrDamaged of OpenLedger) and returns its new name: the next
// OpenLedger begins a new one. What the former one knew is lost with it, so somebody must answer for that.
func SetLedgerAside(path string) (string, error) { return setAside(path) }

// setAside renames a damaged file to its name and ".corrupt-<n>", which it returns.
func setAside(path string) (string, error) {
	var aside string
	for n := 1; n <= maxAside; n++ {
		aside = fmt.Sprintf("%s.corrupt-%d", path, n)
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err := os.Rename(path, aside); err != nil {
		return "", fmt.Errorf("cache: set the damaged file aside: %w", err)
	}
	return aside, syncDir(path)
}

// syncDir makes a new name in the directory of path survive a power cut.
func syncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// sealSize is what a seal adds to a value.
const sealSize = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is the CRC-32C of a key and its value, so that a value found under a damaged key is noticed too.
func checksum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}

// seal puts the checksum of key and value before the value.
func seal(key, value []byte) []byte {
	b := make([]byte, 0, sealSize+len(value))
	return append(binary.BigEndian.AppendUint32(b, checksum(key, value)), value...)
}

// errSeal says that a value is not the one that was written under its key.
var errSeal = errors.New("a checksum is wrong")

// errKeyOrder says that keys of a bucket are not in order.
var errKeyOrder = errors.New("keys are out of order")

// unseal returns the value within sealed without copying it.
func unseal(key, sealed []byte) ([]byte, error) {
	if len(sealed) < sealSize || binary.BigEndian.Uint32(sealed) != checksum(key, sealed[sealSize:]) {
		return nil, errSeal
	}
	return sealed[sealSize:], nil
}
