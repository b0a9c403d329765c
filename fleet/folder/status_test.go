// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder_test

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/fleet"
	"gatehouse/fleet/folder"
)

const list2026 = "arena/2026"

func (o *operator) issueListed(uri string, count int) (ids []string) {
	o.t.Helper()
	passes, err := o.IssueListed("arena", uri, credential.Claims{Kind: "ticket", Issued: morning, Expires: morning.Add(time.Hour)}, count)
	check(o.t, err)
	for _, p := range passes {
		ids = append(ids, p.ID)
	}
	return ids
}

func TestPassesWithAPlaceInAStatusList(t *testing.T) {
	o := newOperator(t)
	first := o.issueListed(list2026, 3)
	o.issueListed("arena/2025", 1)
	later := o.issueListed(list2026, 2)
	text, err := os.ReadFile(o.path("status", "arena.txt"))
	check(t, err)
	want := "list arena/2026\n0 " + first[0] + "\n1 " + first[1] + "\n2 " + first[2] + "\n3 " + later[0] + "\n4 " + later[1] + "\nlist arena/2025\n0 "
	if !strings.Contains(string(text), want) {
		t.Errorf("kept:\n%s", text)
	}
	_, err = o.Revoke("arena", first[1], later[1])
	check(t, err)
	r := o.deliver().Revocations()[0]
	if len(r.Overlay.Add) != 2*fleet.RevocationSize {
		t.Errorf("revoked by id: %x", r.Overlay.Add)
	}
	if len(r.Lists) != 2 || r.Lists[0].URI != "arena/2025" || r.Lists[0].Flipped != nil || r.Lists[1].Size != 1<<17 || r.Lists[1].Base != nil ||
		!slices.Equal(r.Lists[1].Flipped, []uint32{1, 4}) {
		t.Errorf("lists %+v", r.Lists)
	}
	// A pass is told by its code too, and says where its place is.
	p, err := o.IssueListed("arena", list2026, credential.Claims{Kind: "ticket", Issued: morning, Expires: morning.Add(time.Hour)}, 1)
	check(t, err)
	_, ids, err := o.Identify(p[0].Code, morning)
	check(t, err)
	_, err = o.Revoke("arena", ids...)
	check(t, err)
	if r := o.deliver().Revocations()[0]; !slices.Equal(r.Lists[1].Flipped, []uint32{1, 4, 5}) {
		t.Errorf("lists %+v", r.Lists)
	}
}

// Where flips and ids are too many for a manifest, bases are made; lifting one flips its bit back.
func TestManyRevokedPlaces(t *testing.T) {
	o := newOperator(t)
	ids := o.issueListed(list2026, 3000)
	_, err := o.Revoke("arena", ids[:1001]...)
	check(t, err)
	r := o.deliver().Revocations()[0]
	l := r.Lists[0]
	if r.Base == nil || r.Base.Count != 1001 || l.Base == nil || l.Base.Count != 1008 || len(l.Blob) != 126 || l.Flipped != nil {
		t.Fatalf("base %+v, list %+v", r.Base, l)
	}
	for i := range 1008 {
		if l.Blob[i/8]>>(i%8)&1 == 1 != (i < 1001) {
			t.Fatalf("entry %d", i)
		}
	}
	base := *l.Base
	_, err = o.Revoke("arena", ids[2999])
	check(t, err)
	text, err := os.ReadFile(o.path("revoked", "arena.txt"))
	check(t, err)
	o.write(strings.Replace(string(text), ids[7]+"\n", "", 1), "revoked", "arena.txt")
	if l = o.deliver().Revocations()[0].Lists[0]; !reflect.DeepEqual(*l.Base, base) || !slices.Equal(l.Flipped, []uint32{7, 2999}) {
		t.Errorf("list %+v", l)
	}
}

func TestStatusListGrowsBeforeItIsFull(t *testing.T) {
	o := newOperator(t)
	var text strings.Builder
	text.WriteString("list a\n")
	for i := range 1<<16 + 1 {
		text.WriteString(fmt.Sprintf("%d %032x\n", i, i))
	}
	o.write(text.String(), "status", "arena.txt")
	if l := o.deliver().Revocations()[0].Lists[0]; l.Size != 1<<18 || l.Base != nil {
		t.Errorf("list %+v", l.StatusList)
	}
}

func TestLostPlacesAreNotGivenAgain(t *testing.T) {
	o := newOperator(t)
	ids := o.issueListed(list2026, 3)
	o.deliver()
	for name, text := range map[string]string{
		"gone":       "",
		"a line out": "list arena/2026\n0 " + ids[0] + "\n2 " + ids[2] + "\n",
		"a list out": "list arena/2025\n0 " + ids[0] + "\n",
		"no list":    "0 " + ids[0] + "\n",
		"no id":      "list arena/2026\n0 lost\n",
	} {
		o.write(text, "status", "arena.txt")
		if name == "gone" {
			check(t, os.Remove(o.path("status", "arena.txt")))
		}
		if _, err := o.IssueListed("arena", list2026, credential.Claims{Kind: "ticket", Expires: morning}, 1); !errors.Is(err, folder.ErrConfig) {
			t.Errorf("%s: issue: %v", name, err)
		}
		if _, err := o.Bundle("arena", morning); !errors.Is(err, folder.ErrConfig) {
			t.Errorf("%s: bundle: %v", name, err)
		}
	}
	for _, uri := range []string{"", "a b", "a\nb", strings.Repeat("a", 257), "ä"} {
		if _, err := o.IssueListed("arena", uri, credential.Claims{}, 1); !errors.Is(err, folder.ErrName) {
			t.Errorf("%q: %v", uri, err)
		}
	}
}
