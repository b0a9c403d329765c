// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"errors"
	"math/rand/v2"
	"testing"

	"gatehouse/entry"
	"gatehouse/fleet"
)

func TestWhatComesOneByOneIsBelievedOnceItIsWhole(t *testing.T) {
	f := newTestFleet(t)
	trust := f.open(trustPath(t))
	if trust.Root() != nil {
		t.Error("a root before the first bundle")
	}
	first := f.bundle(edition{head: 1, list: 1, base: ids("lost")})
	var heap []fleet.Document
	for i, n := range rand.Perm(len(first.Documents)) {
		heap = append(heap, first.Documents[n])
		missing, changed, err := trust.Offer(t.Context(), heap, nil, morning)
		if _, none := trust.Belief(); len(changed) > 0 || !errors.Is(none, ErrNoBelief) {
			t.Fatalf("after %d documents: %v", i+1, changed)
		}
		if err != nil && !errors.Is(err, fleet.ErrIncomplete) {
			t.Fatalf("after %d documents: %v", i+1, err)
		}
		if i == len(first.Documents)-1 && (len(missing.Blobs) != 1 || len(missing.Documents) != 0) {
			t.Fatalf("all but the blob are here, and missing is %+v", missing)
		}
	}
	missing, changed, err := trust.Offer(t.Context(), heap, first.Blobs, morning)
	if err != nil || len(changed) == 0 || len(missing.Blobs) != 0 || trust.Root() == nil {
		t.Fatalf("with the blob: missing %+v, changed %v, %v", missing, changed, err)
	}
	expect(t, believe(t, trust), entry.Revoked, "lost")

	// A newer head comes before what it names; what it waits for is told until it is here, through a restart.
	second := f.bundle(edition{head: 2, list: 2, base: ids("lost", "stolen")})
	if missing, _, err = trust.Offer(t.Context(), append(heap, second.Documents...), nil, morning); err != nil || len(missing.Blobs) != 1 {
		t.Fatalf("before the new blob: %+v, %v", missing, err)
	}
	expect(t, believe(t, trust), entry.NotRevoked, "stolen")
	if err := trust.Close(); err != nil {
		t.Fatal(err)
	}
	trust = f.open(trust.file.path)
	<-trust.checked
	if missing, _, err = trust.Offer(t.Context(), nil, nil, morning); err != nil || len(missing.Blobs) != 1 {
		t.Fatalf("after a restart: %+v, %v", missing, err)
	}
	if missing, _, err = trust.Offer(t.Context(), nil, second.Blobs, morning); err != nil || len(missing.Blobs) != 0 {
		t.Fatalf("with the new blob: %+v, %v", missing, err)
	}
	expect(t, believe(t, trust), entry.Revoked, "stolen")

	// All of it again, and an older head, say nothing new and are no error.
	if _, changed, err = trust.Offer(t.Context(), append(heap, second.Documents...), nil, morning); err != nil || len(changed) != 0 {
		t.Errorf("again: %v, %v", changed, err)
	}
}

func TestOfferWithoutAnythingThatBelongs(t *testing.T) {
	f := newTestFleet(t)
	trust := f.open(trustPath(t))
	b := f.bundle(edition{head: 1, list: 1})
	if _, changed, err := trust.Offer(t.Context(), b.Documents[1:], b.Blobs, morning); err != nil || len(changed) != 0 {
		t.Errorf("without the root: %v, %v", changed, err)
	}
}
