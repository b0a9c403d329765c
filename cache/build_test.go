// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"math/rand/v2"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/fleet"
)

// stopAfter ends when its Done has been asked for some times: buildBlob asks once after each transaction.
type stopAfter struct {
	context.Context
	left int
	done chan struct{}
}

func (c *stopAfter) Done() <-chan struct{} {
	if c.left--; c.left < 0 {
		close(c.done)
	}
	return c.done
}

func (c *stopAfter) Err() error {
	if c.left < 0 {
		return context.Canceled
	}
	return nil
}

// A base that a power cut or a stop left half built, or whole and not yet in force, changes nothing, and the same bundle
// builds it anew.
func TestHalfBuiltBaseIsNotBelievedAndFreed(t *testing.T) {
	f := newTestFleet(t)
	many := ids("lost")
	r := rand.New(rand.NewPCG(1, 2))
	for range 60_000 {
		many = append(many, [fleet.RevocationSize]byte(binary.BigEndian.AppendUint64(nil, r.Uint64())))
	}
	bits := statusBits()
	next := edition{head: 2, list: 2, base: many, status: []statusEdition{{uri: statusURI, size: pageBits, bits: bits[:pageBytes]}}}
	for steps := 0; ; steps++ {
		path := trustPath(t)
		trust := f.open(path)
		apply(t, trust, f.bundle(edition{head: 1, list: 1, base: ids("former")}))
		bundle := f.bundle(next)
		_, err := trust.Apply(&stopAfter{t.Context(), steps, make(chan struct{})}, bundle, morning)
		if err == nil {
			if steps < 3 {
				t.Fatalf("the bases were built in %d steps", steps)
			}
			return
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if steps%2 == 1 { // else in the same process
			trust.Close()
			if trust = f.open(path); trust.SetAside() != nil {
				t.Fatal(trust.SetAside())
			}
		}
		expect(t, believe(t, trust), entry.Revoked, "former")
		expect(t, believe(t, trust), entry.NotRevoked, "lost")
		apply(t, trust, bundle)
		expect(t, believe(t, trust), entry.Revoked, "lost")
		ask(t, believe(t, trust), indexed("other", statusURI, 1), entry.Revoked)
		// What is given up meanwhile goes with the bundle after the next: the one before stays for decisions under way.
		apply(t, trust, f.bundle(edition{head: 3, list: 3}))
		apply(t, trust, f.bundle(edition{head: 4, list: 4}))
		if n := storedBlobs(t, trust); n != 0 {
			t.Errorf("%d bases are left", n)
		}
		trust.Close()
	}
}

// A base that is whole in the file but was never checked by this process is built anew: somebody may have put it there.
func TestPlantedBaseIsNotUsed(t *testing.T) {
	f := newTestFleet(t)
	for _, documents := range []bool{false, true} {
		path := trustPath(t)
		trust := f.open(path)
		if documents {
			apply(t, trust, f.bundle(edition{head: 1, list: 1}))
		}
		signed, planted := fleet.JoinRevocations(ids("lost")), fleet.JoinRevocations(ids("another"))
		putBlob(t, trust.file, blobRef{setBlob, fleet.DigestOf(signed), planted})
		trust.Close()
		trust = f.open(path)
		bundle := f.bundle(edition{head: 2, list: 2, base: ids("lost")})
		without := &fleet.Bundle{Documents: bundle.Documents}
		if _, err := trust.Apply(t.Context(), without, morning); documents != (err == nil) || !documents && !errors.Is(err, fleet.ErrIncomplete) {
			t.Errorf("without its blob: %v", err)
		}
		if documents {
			expect(t, believe(t, trust), entry.NotRevoked, "another", "lost") // head 1, and waits for the blob
		}
		apply(t, trust, bundle)
		expect(t, believe(t, trust), entry.Revoked, "lost")
		expect(t, believe(t, trust), entry.NotRevoked, "another")
		trust.Close()
	}
}

// A decision that is still under way when its view was superseded more than once goes by the newest.
func TestSupersededViewGoesByTheNewest(t *testing.T) {
	f := newTestFleet(t)
	trust := f.open(trustPath(t))
	apply(t, trust, f.bundle(edition{head: 1, list: 1, base: ids("a")}))
	old := believe(t, trust)
	for i, cti := range []string{"b", "c", "d"} {
		n := uint64(i) + 2
		apply(t, trust, f.bundle(edition{head: n, list: n, base: ids(cti)}))
		check(t, old, []string{cti})
	}
}

const million = 1_000_000

// A million revocations, as a hash set and as a status list, are taken, kept and told from others.
func TestMillionRevocations(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	list := make([][fleet.RevocationSize]byte, million)
	for i := range list {
		binary.BigEndian.PutUint64(list[i][:], r.Uint64())
	}
	// Tickets that a gate would be shown, among them.
	shown := make([]*credential.Pass, 1000)
	bits := make([]byte, 4*million/8)
	for i := range 4 * million {
		if i%4 == 0 {
			bits[i/8] |= 1 << (i % 8)
		}
	}
	for i := range shown {
		shown[i] = ticket(string(binary.BigEndian.AppendUint64(nil, uint64(i))))
		if i%2 == 0 {
			list[i*7] = fleet.RevocationID(shown[i].RevocationIDs()[0])
		}
	}
	f := newTestFleet(t)
	path := trustPath(t)
	trust := f.open(path)
	bundle := f.bundle(edition{head: 1, list: 1, base: list, status: []statusEdition{{uri: statusURI, size: 4 * million, bits: bits}}})
	began := time.Now()
	apply(t, trust, bundle)
	t.Logf("applied in %v", time.Since(began))
	for range 2 {
		b := believe(t, trust)
		for i, p := range shown {
			want := entry.NotRevoked
			if i%2 == 0 {
				want = entry.Revoked
			}
			if got, err := b.Revoked(p); err != nil || got != want {
				t.Fatalf("ticket %d: %v, %v; want %v", i, got, err, want)
			}
		}
		for range 1000 {
			index := r.Uint64N(4 * million)
			want := entry.NotRevoked
			if index%4 == 0 {
				want = entry.Revoked
			}
			ask(t, b, indexed("other", statusURI, index), want)
		}
		set := b.(*belief).lists["arena"].set
		for i := range 20_000 {
			if found, err := revoked(trust.file, &set, binary.BigEndian.Uint64(list[i*50][:])); err != nil || !found {
				t.Fatalf("id %d: %v, %v", i, found, err)
			}
			if found, err := revoked(trust.file, &set, r.Uint64()); err != nil || found {
				t.Fatalf("another id: %v, %v", found, err)
			}
		}
		trust.Close()
		began = time.Now()
		if trust = f.open(path); trust.SetAside() != nil {
			t.Fatal(trust.SetAside())
		}
		t.Logf("opened in %v", time.Since(began))
	}
}

// A transaction of a build has a bounded size, whatever the list.
func TestBuildStepsAreBounded(t *testing.T) {
	f := openSets(t)
	next, stop := iter.Pull2(pageParts(make([]byte, 3*buildBytes)))
	defer stop()
	name, before, steps := []byte("bits"), 0, 0
	for done := false; !done; steps++ {
		err := f.update(func(tx *bbolt.Tx) (err error) {
			b, err := tx.CreateBucketIfNotExists(name)
			if err != nil {
				return err
			}
			done, err = putParts(b, next)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		err = f.view(func(tx *bbolt.Tx) error {
			pages := tx.Bucket(name).Stats().KeyN
			if put := (pages - before) * pageBytes; put > buildBytes+pageBytes {
				t.Errorf("step %d put %d bytes", steps, put)
			}
			before = pages
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if want := (3*buildBytes + pageBytes - 1) / pageBytes; before != want || steps < 3 {
		t.Errorf("%d pages in %d steps, want %d pages", before, steps, want)
	}
}
