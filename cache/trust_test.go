// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/entry"
	"gatehouse/fleet"
)

func trustPath(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "trust.db")
}

func apply(tb testing.TB, t *Trust, b *fleet.Bundle) []string {
	tb.Helper()
	changed, err := t.Apply(tb.Context(), b, morning)
	if err != nil {
		tb.Fatal(err)
	}
	return changed
}

func believe(tb testing.TB, t *Trust) entry.Belief {
	tb.Helper()
	b, err := t.Belief()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// expect asks for tickets of arena by their cti.
func expect(tb testing.TB, b entry.Belief, want entry.Revocation, ctis ...string) {
	tb.Helper()
	for _, cti := range ctis {
		if got, err := b.Revoked(ticket(cti)); err != nil || got != want {
			tb.Errorf("%s: %v, %v; want %v", cti, got, err, want)
		}
	}
}

func TestTrustBeforeTheFirstBundle(t *testing.T) {
	f := newTestFleet(t)
	if _, err := f.open(trustPath(t)).Belief(); !errors.Is(err, ErrNoBelief) {
		t.Errorf("got %v", err)
	}
}

func TestApplyPutsABundleInForceAndReopenKeepsIt(t *testing.T) {
	f := newTestFleet(t)
	path := trustPath(t)
	trust := f.open(path)
	delta := fleet.Delta{Add: fleet.JoinRevocations(ids("later")), Remove: fleet.JoinRevocations(ids("pardoned"))}
	bundle := f.bundle(edition{head: 1, list: 1, base: ids("lost", "pardoned"), deltas: []fleet.Delta{delta}})
	if changed := apply(t, trust, bundle); len(changed) == 0 {
		t.Error("nothing is said to have changed")
	}
	for range 2 {
		b := believe(t, trust)
		if keys, err := b.Keys(credential.GH1, "arena", f.kid(f.arena)); err != nil || len(keys) != 1 || keys[0].Issuer != "arena" {
			t.Errorf("keys of arena: %v, %v", keys, err)
		}
		if terms := b.Terms(); terms.Venue != "arena" || terms.Kiosk != "gate-1" || len(terms.Policy.Accept) != 1 || !terms.Signed.Equal(morning.Truncate(time.Second)) {
			t.Errorf("terms: %+v", terms)
		}
		expect(t, b, entry.Revoked, "lost", "later")
		expect(t, b, entry.NotRevoked, "pardoned", "other")
		if err := trust.Close(); err != nil {
			t.Fatal(err)
		}
		trust = f.open(path)
		if err := trust.SetAside(); err != nil {
			t.Errorf("set aside: %v", err)
		}
	}
}

func TestKeys(t *testing.T) {
	f := newTestFleet(t)
	trust := f.open(trustPath(t))
	apply(t, trust, f.bundle(edition{head: 1, list: 1}))
	b := believe(t, trust)
	for _, c := range []struct {
		name   string
		format credential.Format
		issuer string
		kid    []byte
		want   []string
		err    error
	}{
		{"by issuer and kid", credential.GH1, "arena", f.kid(f.arena), []string{"arena"}, nil},
		{"HC1 by kid over all issuers", credential.HC1, "", []byte(sharedKID), []string{"at", "de"}, nil},
		{"HC1 of one issuer", credential.HC1, "de", []byte(sharedKID), []string{"de"}, nil},
		{"unknown kid", credential.GH1, "arena", []byte{1}, nil, nil},
		{"unknown HC1 kid", credential.HC1, "", []byte{1}, nil, nil},
		{"another issuer's kid", credential.GH1, "at", f.kid(f.arena), nil, nil},
		{"another format's kid", credential.GH1, "at", []byte(sharedKID), nil, nil},
		{"a GH1 key asked for as HC1", credential.HC1, "", f.kid(f.arena), nil, nil},
		{"unknown issuer", credential.GH1, "nobody", f.kid(f.arena), nil, credential.ErrUnknownIssuer},
		{"no issuer where one is needed", credential.GH1, "", f.kid(f.arena), nil, credential.ErrUnknownIssuer},
	} {
		keys, err := b.Keys(c.format, c.issuer, c.kid)
		var got []string
		for _, k := range keys {
			got = append(got, k.Issuer)
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) || !errors.Is(err, c.err) {
			t.Errorf("%s: %v, %v; want %v, %v", c.name, got, err, c.want, c.err)
		}
	}
}

func TestRevokedOfIssuersWithoutAListAndOfStatusLists(t *testing.T) {
	f := newTestFleet(t)
	trust := f.open(trustPath(t))
	apply(t, trust, f.bundle(edition{head: 1, list: 1, base: ids("lost")}))
	b := believe(t, trust)
	listed := func(cti string) *credential.Pass { return indexed(cti, statusURI, 7) }
	if got, err := b.Revoked(&credential.Pass{Format: credential.GH1, Issuer: "at", ID: []byte("lost")}); got != entry.NotRevoked || err != nil {
		t.Errorf("an issuer that revokes nothing: %v, %v", got, err)
	}
	if got, err := b.Revoked(listed("other")); got != entry.RevocationUnknown || err != nil {
		t.Errorf("a status list that is not here: %v, %v", got, err)
	}
	if got, err := b.Revoked(listed("lost")); got != entry.Revoked || err != nil {
		t.Errorf("revoked by its id, whatever the status list says: %v, %v", got, err)
	}
}

func TestOlderIsRefusedAndWhatWasInForceStays(t *testing.T) {
	f := newTestFleet(t)
	path := trustPath(t)
	trust := f.open(path)
	apply(t, trust, f.bundle(edition{head: 2, list: 2, base: ids("lost")}))
	for name, e := range map[string]edition{
		"older head": {head: 1, list: 2, base: ids("lost")},
		"older list": {head: 3, list: 1},
	} {
		if _, err := trust.Apply(t.Context(), f.bundle(e), morning); !errors.Is(err, fleet.ErrOlder) {
			t.Errorf("%s: %v", name, err)
		}
		expect(t, believe(t, trust), entry.Revoked, "lost")
	}
	trust.Close()
	expect(t, believe(t, f.open(path)), entry.Revoked, "lost")
}

func TestTheSameBundleAgainIsNotWritten(t *testing.T) {
	f := newTestFleet(t)
	path := trustPath(t)
	trust := f.open(path)
	bundle := f.bundle(edition{head: 1, list: 1, base: ids("lost")})
	apply(t, trust, bundle)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if changed := apply(t, trust, bundle); len(changed) != 0 {
		t.Errorf("changed: %v", changed)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the file was written: %v", err)
	}
}

// A head is renewed by itself; one that names what has not arrived makes the data stale, not the lane dead.
func TestHeadAloneAndHeadAheadOfItsDocuments(t *testing.T) {
	f := newTestFleet(t)
	path := trustPath(t)
	trust := f.open(path)
	apply(t, trust, f.bundle(edition{head: 1, list: 1, base: ids("lost")}))

	renewed := f.bundle(edition{head: 2, list: 1, base: ids("lost")})
	apply(t, trust, only(renewed, fleet.KindHead))
	expect(t, believe(t, trust), entry.Revoked, "lost")

	ahead := f.bundle(edition{head: 3, list: 2, base: ids("lost", "found")})
	apply(t, trust, only(ahead, fleet.KindHead))
	for range 2 {
		b := believe(t, trust)
		expect(t, b, entry.Revoked, "lost")
		expect(t, b, entry.NotRevoked, "found")
		if waits := b.Terms().Incomplete; len(waits) != 1 || !strings.Contains(waits[0], "revocations/arena") {
			t.Errorf("incomplete: %v", waits)
		}
		trust.Close()
		trust = f.open(path)
	}
	apply(t, trust, ahead)
	expect(t, believe(t, trust), entry.Revoked, "lost", "found")
	if waits := believe(t, trust).Terms().Incomplete; len(waits) != 0 {
		t.Errorf("incomplete: %v", waits)
	}
}

func only(b *fleet.Bundle, kind fleet.Kind) *fleet.Bundle {
	part := &fleet.Bundle{}
	for _, d := range b.Documents {
		if d.Kind() == kind {
			part.Documents = append(part.Documents, d)
		}
	}
	return part
}

func TestDecisionsGoOnWhileABundleIsApplied(t *testing.T) {
	f := newTestFleet(t)
	trust := f.open(trustPath(t))
	apply(t, trust, f.bundle(edition{head: 1, list: 1, base: ids("lost")}))
	done := make(chan struct{})
	var lanes sync.WaitGroup
	for range 2 {
		lanes.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				b, err := trust.Belief()
				if err != nil {
					t.Error(err)
					return
				}
				expect(t, b, entry.Revoked, "lost")
				expect(t, b, entry.NotRevoked, "other")
			}
		})
	}
	for n := uint64(2); n < 12; n++ {
		list := ids("lost")
		for i := range n * 500 {
			list = append(list, fleet.RevocationID(fmt.Sprint(n, i)))
		}
		apply(t, trust, f.bundle(edition{head: n, list: n, base: list}))
	}
	close(done)
	lanes.Wait()
}

func TestForeignFleetIsRefused(t *testing.T) {
	f := newTestFleet(t)
	trust := f.open(trustPath(t))
	if _, err := trust.Apply(t.Context(), newTestFleet(t).bundle(edition{head: 1, list: 1}), morning); !errors.Is(err, fleet.ErrRootMismatch) {
		t.Errorf("got %v", err)
	}
	if _, err := trust.Belief(); !errors.Is(err, ErrNoBelief) {
		t.Errorf("then believed: %v", err)
	}
}

func TestApplyWithAContextThatEnded(t *testing.T) {
	f := newTestFleet(t)
	trust := f.open(trustPath(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := trust.Apply(ctx, f.bundle(edition{head: 1, list: 1}), morning); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestTrustFileInUseOrNewerIsNotSetAside(t *testing.T) {
	f := newTestFleet(t)
	path := trustPath(t)
	trust := f.open(path)
	if _, err := OpenTrust(path, f.options()); !errors.Is(err, ErrInUse) {
		t.Errorf("in use: %v", err)
	}
	trust.Close()
	setSchema(t, path, 1000)
	if _, err := OpenTrust(path, f.options()); !errors.Is(err, ErrNewerSchema) {
		t.Errorf("newer: %v", err)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) != 0 {
		t.Errorf("set aside: %v", left)
	}
}

func TestClosedTrustAnswersNothing(t *testing.T) {
	f := newTestFleet(t)
	trust := f.open(trustPath(t))
	apply(t, trust, f.bundle(edition{head: 1, list: 1, base: ids("lost")}))
	b := believe(t, trust)
	if err := errors.Join(trust.Close(), trust.Close()); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Revoked(ticket("lost")); !errors.Is(err, ErrClosed) || got != entry.RevocationUnknown {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := trust.Apply(t.Context(), f.bundle(edition{head: 2, list: 1, base: ids("lost")}), morning); !errors.Is(err, ErrClosed) {
		t.Errorf("apply: %v", err)
	}
}

// A list that was withdrawn is no list that is missing: the issuer's passes are not revoked.
func TestWithdrawnListIsNoUnknownOne(t *testing.T) {
	f := newTestFleet(t)
	path := trustPath(t)
	trust := f.open(path)
	guest := func(head, version uint64, body any) *fleet.Bundle {
		b := f.bundle(edition{head: head, list: 1, base: ids("lost")})
		list := f.sign(fleet.RevocationsOf("at"), fleet.ScopeAll, version, body)
		var named []fleet.Entry
		for _, d := range append(b.Documents[:4:4], list) {
			named = append(named, fleet.EntryOf(d))
		}
		b.Documents = append(b.Documents[:4:4], list, f.sign(fleet.KindHead, "arena", head, &fleet.Head{
			FreshUntil: uint64(morning.Add(time.Hour).Unix()), HardAfter: uint64(morning.Add(24 * time.Hour).Unix()), Documents: named,
		}))
		return b
	}
	pass := &credential.Pass{Format: credential.GH1, Issuer: "at", ID: []byte("gone")}
	gone := fleet.Delta{Add: fleet.JoinRevocations([][fleet.RevocationSize]byte{fleet.RevocationID(pass.RevocationIDs()[0])})}
	apply(t, trust, guest(1, 1, fleet.RevocationList{Deltas: []fleet.Delta{gone}}))
	if got, err := believe(t, trust).Revoked(pass); got != entry.Revoked || err != nil {
		t.Fatalf("%v, %v", got, err)
	}
	apply(t, trust, guest(2, 2, fleet.Tombstone{}))
	for range 2 {
		if got, err := believe(t, trust).Revoked(pass); got != entry.NotRevoked || err != nil {
			t.Errorf("withdrawn: %v, %v", got, err)
		}
		expect(t, believe(t, trust), entry.Revoked, "lost")
		trust.Close()
		trust = f.open(path)
	}
	if _, err := trust.Apply(t.Context(), guest(3, 1, fleet.RevocationList{}), morning); !errors.Is(err, fleet.ErrOlder) {
		t.Errorf("the former list again: %v", err)
	}
}
