// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/fleet"
	"gatehouse/fleet/folder"
)

func (o *operator) plan(venues ...string) *folder.Plan {
	o.t.Helper()
	before := signed(o)
	p, err := o.Plan(morning.Add(time.Hour), venues...)
	check(o.t, err)
	if after := signed(o); after != before {
		o.t.Errorf("a plan changed the folder:\n%s", after)
	}
	return p
}

// signed are the names and bytes of all that was published.
func signed(o *operator) string {
	text := published(o.t, o)
	blobs, _ := os.ReadDir(o.path("published", "blobs"))
	return fmt.Sprint(len(text), blobs)
}

func documents(v folder.VenuePlan) (all []string) {
	for _, d := range v.Documents {
		all = append(all, fmt.Sprintf("%s of %s %d-%d %s %s", d.Kind, d.Scope, d.From, d.To, d.Why, strings.Join(d.Kiosks, " ")))
	}
	return all
}

func TestPlanOfNothing(t *testing.T) {
	o := plainOperator(t)
	o.deliver()
	v := o.plan("arena").Venues[0]
	if !v.Same() || v.Head != 1 || len(v.Policies)+len(v.Issuers)+len(v.Revocations) != 0 || !v.FreshUntil.Equal(morning.Add(7*24*time.Hour)) {
		t.Errorf("plan %+v", v)
	}
}

func TestPlanOfTheFirstBundle(t *testing.T) {
	o := plainOperator(t)
	check(t, os.MkdirAll(o.path("published"), 0o755))
	v := o.plan().Venues[0]
	want := []string{"root of all 0-1 new gate-1", "issuers of all 0-1 new gate-1", "config of arena 0-1 new gate-1", "revocations/arena of all 0-1 new gate-1"}
	if got := documents(v); !slices.Equal(got, want) {
		t.Errorf("documents %q", got)
	}
	if v.Head != 0 || len(v.Policies) != 1 || !strings.HasPrefix(v.Policies[0].Changes[0], `rule "day ticket" is new: a ticket of arena`) {
		t.Errorf("plan %+v", v)
	}
}

// What a plan says is what the next bundle brings, no more and no less.
func TestPlanIsWhatTheBundleBrings(t *testing.T) {
	o := plainOperator(t)
	_, err := o.AddKiosk(fleet.Place{Venue: "arena", Kiosk: "gate-2"})
	check(t, err)
	o.deliver()
	check(t, o.AddIssuer("telecom", folder.IssuerOptions{Kinds: []string{"travel"}}))
	check(t, o.SetDown("telecom", morning, morning))
	_, err = o.Revoke("arena", "00112233445566778899aabbccddeeff")
	check(t, err)
	o.write("accept:\n  - name: travel\n    all: [{kind: travel, issuers: [telecom], level: [green], max_age: 24h, outage_max_age: 72h}]\n    hours: [mon-fri 09:00-18:00]\n"+
		"  - name: day ticket\n    all: [{kind: ticket, issuers: [arena], uses: 2}]\ntime_zone: UTC\nmax_fresh: 7d\nmax_hard: 30d\n", "venues", "arena.yaml")
	o.write("private: [staff]\n", "kiosks", "arena", "gate-2", "policy.yaml")

	v := o.plan().Venues[0]
	want := []string{
		"issuers of all 1-2 changed gate-1 gate-2", "config of arena 1-2 changed gate-1 gate-2", "config of arena/gate-2 0-1 new gate-2",
		"revocations/arena of all 1-2 changed gate-1 gate-2", "revocations/telecom of all 0-1 new gate-1 gate-2",
	}
	if got := documents(v); !slices.Equal(got, want) {
		t.Errorf("documents %q", got)
	}
	if len(v.Policies) != 2 {
		t.Fatalf("policies %q", v.Policies)
	}
	for i, c := range []folder.PolicyChange{
		{Kiosks: []string{"gate-1", "gate-2"}, Changes: []string{
			`rule "travel" is new: a travel pass of telecom that says green, at most 1d old (3d in an outage), in the hours mon-fri 09:00-18:00`,
			`rule "day ticket" is a ticket of arena, 2 times, instead of a ticket of arena`,
			`time_zone is UTC, instead of nothing`,
		}},
		{Kiosks: []string{"gate-2"}, Changes: []string{"private is [staff], instead of nothing"}},
	} {
		if !slices.Equal(v.Policies[i].Kiosks, c.Kiosks) || !slices.Equal(v.Policies[i].Changes, c.Changes) {
			t.Errorf("policy %q", v.Policies[i])
		}
	}
	if len(v.Issuers) != 1 || !strings.HasPrefix(v.Issuers[0], "issuer telecom is new: key ") || !strings.HasSuffix(v.Issuers[0], " (EdDSA) for gh1, kind travel") {
		t.Errorf("issuers %q", v.Issuers)
	}
	if len(v.Revocations) != 1 || !slices.Equal(v.Revocations[0].Revoked, []string{"00112233445566778899aabbccddeeff"}) || v.Revocations[0].Lifted != 0 {
		t.Errorf("revocations %+v", v.Revocations)
	}
	if len(v.Down) != 1 || v.Down[0].Issuer != "telecom" || !v.Down[0].Since.Equal(morning) {
		t.Errorf("down %+v", v.Down)
	}

	u := o.deliver()
	for _, d := range v.Documents {
		if strings.HasSuffix(d.Scope, "/gate-2") {
			continue
		}
		if got := version(u, fleet.Kind(d.Kind), d.Scope); got != d.To {
			t.Errorf("%s: the bundle brings version %d", d.Kind, got)
		}
	}
	if v := o.plan().Venues[0]; !v.Same() {
		t.Errorf("after the bundle: %+v", v)
	}
	check(t, o.SetUp("telecom"))
	check(t, os.WriteFile(o.path("revoked", "arena.txt"), nil, 0o600))
	if v := o.plan().Venues[0]; !slices.Equal(v.Up, []string{"telecom"}) || len(v.Revocations) != 1 || v.Revocations[0].Lifted != 1 {
		t.Errorf("up and lifted: %+v", v)
	}
}

func TestPlanOfManyRevocations(t *testing.T) {
	o := plainOperator(t)
	o.deliver()
	var ids []string
	for i := range 3000 {
		ids = append(ids, fmt.Sprintf("%032x", i))
	}
	_, err := o.Revoke("arena", ids...)
	check(t, err)
	if r := o.plan().Venues[0].Revocations; len(r) != 1 || len(r[0].Revoked) != 3000 {
		t.Error("a base: not all ids are told")
	}
	o.deliver()
	_, err = o.Revoke("arena", fmt.Sprintf("%032x", 5000))
	check(t, err)
	if r := o.plan().Venues[0].Revocations; len(r) != 1 || len(r[0].Revoked) != 1 {
		t.Error("a delta to a base: not the one id is told")
	}
}

// What was signed for another venue meanwhile is there already, and what the venue had before is not kept.
func TestPlanOfAnotherVenuesDocuments(t *testing.T) {
	o := plainOperator(t)
	o.deliver()
	check(t, o.AddVenue("stadium"))
	o.write("private: [crew]\n", "venues", "all.yaml")
	_, err := o.Revoke("arena", "00112233445566778899aabbccddeeff")
	check(t, err)
	_, err = o.Bundle("stadium", morning)
	check(t, err)
	o.write("private: [staff]\n", "venues", "all.yaml")
	_, err = o.Bundle("stadium", morning)
	check(t, err)
	v := o.plan("arena").Venues[0]
	want := []string{"config of all 0-2 issued gate-1", "revocations/arena of all 1-2 issued gate-1"}
	if got := documents(v); !slices.Equal(got, want) {
		t.Errorf("documents %q", got)
	}
	if len(v.Policies) != 1 || len(v.Unknown) != 1 || !strings.HasPrefix(v.Unknown[0], "revocations/arena@all: version 1 is not kept") {
		t.Errorf("plan %+v", v)
	}
}

// A layer that the kiosks have, and that was signed anew for another venue since, is not kept: what changes is not guessed.
func TestPlanOfALayerThatIsNotKept(t *testing.T) {
	o := plainOperator(t)
	o.write("private: [crew]\n", "venues", "all.yaml")
	o.deliver()
	check(t, o.AddVenue("stadium"))
	o.write("private: [staff]\n", "venues", "all.yaml")
	_, err := o.Bundle("stadium", morning)
	check(t, err)
	v := o.plan("arena").Venues[0]
	if got := documents(v); !slices.Equal(got, []string{"config of all 1-2 issued gate-1"}) || len(v.Policies) != 0 {
		t.Errorf("documents %q, policies %q", got, v.Policies)
	}
	if len(v.Unknown) != 1 || !strings.HasPrefix(v.Unknown[0], "config of arena/gate-1: a layer that it has is not kept here any more") {
		t.Errorf("unknown %q", v.Unknown)
	}
}

func TestPlanAfterARotation(t *testing.T) {
	o := plainOperator(t)
	o.deliver()
	_, err := o.Rotate(folder.Rotation{Replace: map[string][]byte{"offline-b": nil}}, morning)
	check(t, err)
	p := o.plan("arena")
	want := []string{"root of all 1-2 changed gate-1", "issuers of all 1-2 signatures gate-1", "config of arena 1-2 signatures gate-1"}
	if got := documents(p.Venues[0]); !slices.Equal(got, want) || len(p.Venues[0].Policies) != 0 {
		t.Errorf("plan %+v", p)
	}
	for _, name := range []string{"offline-a", "offline-b-2"} {
		check(t, os.Remove(o.path("keys", name+".pem")))
	}
	i := slices.IndexFunc(o.plan("arena").Keys, func(k folder.KeyNeed) bool { return k.Role == "config" })
	if i < 0 {
		t.Fatal("config needs no key")
	}
	if k := o.plan("arena").Keys[i]; k.Missing() != "config takes 2 of offline-a, offline-b-2, offline-c, and 1 of them is in keys/" {
		t.Errorf("missing %q", k.Missing())
	}
}

func TestPlanOfAFault(t *testing.T) {
	o := plainOperator(t)
	o.write("accept: 3\n", "venues", "arena.yaml")
	if _, err := o.Plan(morning); !errors.Is(err, folder.ErrConfig) {
		t.Error(err)
	}
	if _, err := o.Plan(morning, "stadium"); !errors.Is(err, folder.ErrUnknown) {
		t.Error(err)
	}
}
