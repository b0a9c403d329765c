// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"gatehouse/entry"
	"gatehouse/fleet"
)

// tamper changes a closed trust store as somebody would who can write the file and knows its checksums.
func tamper(t *testing.T, path string, with func(tx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(with), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestTamperedStoreIsSetAsideAndNotBelieved(t *testing.T) {
	f := newTestFleet(t)
	other := newTestFleet(t)
	delta := fleet.Delta{Add: fleet.JoinRevocations(ids("later"))}
	bundle := f.bundle(edition{head: 1, list: 1, base: ids("lost"), deltas: []fleet.Delta{delta},
		status: []statusEdition{{uri: statusURI, size: pageBits + 8, bits: statusBits()}}})
	for name, with := range map[string]func(tx *bbolt.Tx) error{
		"foreign document": func(tx *bbolt.Tx) error {
			return putDocument(tx, 1, other.bundle(edition{head: 1, list: 1}).Documents[1].Bytes())
		},
		"document taken out": func(tx *bbolt.Tx) error {
			return tx.Bucket(documentBucket).Delete([]byte{0, 0, 0, 1})
		},
		"no document": func(tx *bbolt.Tx) error { return putDocument(tx, 1, []byte("nothing")) },
		"checksum": func(tx *bbolt.Tx) error {
			return tx.Bucket(documentBucket).Put([]byte{0, 0, 0, 1}, []byte("nothing sealed"))
		},
		"base taken out": func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketOf(tx, setBlob)) },
		"base emptied":   func(tx *bbolt.Tx) error { return rebuild(tx, setBlob, nil) },
		"base with another id": func(tx *bbolt.Tx) error {
			return rebuild(tx, setBlob, fleet.JoinRevocations(ids("another")))
		},
		"bits taken out": func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketOf(tx, statusBlob)) },
		"bits cleared":   func(tx *bbolt.Tx) error { return rebuild(tx, statusBlob, make([]byte, len(statusBits()))) },
		"bits cut short": func(tx *bbolt.Tx) error { return rebuild(tx, statusBlob, statusBits()[:pageBytes]) },
		"pages of another size": func(tx *bbolt.Tx) error {
			if err := rebuild(tx, statusBlob, nil); err != nil {
				return err
			}
			b := tx.Bucket(bucketOf(tx, statusBlob))
			return errors.Join(b.Put(pageKey(0), seal(pageKey(0), statusBits()[:100])), b.Put(pageKey(1), seal(pageKey(1), statusBits()[100:])))
		},
		"marks taken out": func(tx *bbolt.Tx) error {
			return tx.Bucket(markBucket).Delete(markKey)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := trustPath(t)
			trust := f.open(path)
			apply(t, trust, bundle)
			trust.Close()
			tamper(t, path, with)

			trust = f.open(path)
			if _, err := trust.Belief(); !errors.Is(err, ErrNoBelief) {
				t.Errorf("it is believed: %v", err)
			}
			if err := trust.SetAside(); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path+".corrupt-1") {
				t.Errorf("said to the device: %v", err)
			}
			if _, err := os.Stat(path + ".corrupt-1"); err != nil {
				t.Error(err)
			}
			apply(t, trust, bundle)
			expect(t, believe(t, trust), entry.Revoked, "lost", "later")
		})
	}
}

func putDocument(tx *bbolt.Tx, place uint32, raw []byte) error {
	key := binary.BigEndian.AppendUint32(nil, place)
	return tx.Bucket(documentBucket).Put(key, seal(key, raw))
}

// bucketOf is the name of the one blob of a kind.
func bucketOf(tx *bbolt.Tx, want blobKind) (found []byte) {
	eachBlob(tx, func(k blobKind, name []byte) {
		if string(k.prefix) == string(want.prefix) {
			found = slices.Clone(name)
		}
	})
	return found
}

// rebuild builds the one blob of a kind anew, checksums and all, from other bytes than its document signed.
func rebuild(tx *bbolt.Tx, k blobKind, bytes []byte) error {
	name := bucketOf(tx, k)
	if err := tx.DeleteBucket(name); err != nil {
		return err
	}
	b, err := tx.CreateBucket(name)
	for key, value := range k.parts(bytes) {
		err = errors.Join(err, b.Put(key, value))
	}
	return err
}

func TestDamageFoundByALookupIsAnErrorAndTheFileIsSetAside(t *testing.T) {
	f := newTestFleet(t)
	path := trustPath(t)
	trust := f.open(path)
	bundle := f.bundle(edition{head: 1, list: 1, base: ids("lost")})
	apply(t, trust, bundle)
	err := trust.file.update(func(tx *bbolt.Tx) error { // in a running kiosk: at a start it is found anyway
		id := revocationID("lost")
		return tx.Bucket(bucketOf(tx, setBlob)).Delete(id[:indexSize])
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := believe(t, trust).Revoked(ticket("lost")); !errors.Is(err, ErrDamaged) || got == entry.NotRevoked {
		t.Errorf("got %v, %v", got, err)
	}
	if err := trust.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + ".corrupt-1"); err != nil {
		t.Error(err)
	}
	trust = f.open(path)
	apply(t, trust, bundle)
	expect(t, believe(t, trust), entry.Revoked, "lost")
}

func TestGarbageTrustFileIsSetAside(t *testing.T) {
	f := newTestFleet(t)
	for name, content := range map[string]string{"empty": "", "garbage": strings.Repeat("garbage ", 4096)} {
		path := trustPath(t)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		trust := f.open(path)
		if err := trust.SetAside(); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		apply(t, trust, f.bundle(edition{head: 1, list: 1}))
		if aside, err := os.ReadFile(path + ".corrupt-1"); err != nil || string(aside) != content {
			t.Errorf("%s: the former file was not kept: %v", name, err)
		}
	}
}
