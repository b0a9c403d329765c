// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatehouse/fleet"
	"gatehouse/fleet/folder"
)

// bodiesOf are the documents of a bundle but for its head.
func bodiesOf(b *fleet.Bundle) (docs []string, head fleet.Document) {
	for _, d := range b.Documents {
		if d.Kind() == fleet.KindHead {
			head = d
			continue
		}
		docs = append(docs, d.String()+" "+d.Digest().String())
	}
	return docs, head
}

// A head that is renewed brings what was published and nothing that somebody is in the middle of writing.
func TestARenewedHeadBringsNoEdit(t *testing.T) {
	o := newOperator(t)
	if _, err := o.Renewed("arena", morning); !errors.Is(err, folder.ErrUnpublished) || !strings.Contains(err.Error(), "gatehouse-fleet apply") {
		t.Fatalf("before anything was published: %v", err)
	}
	var many []string // so many that they come as a blob
	for i := range 1100 {
		many = append(many, fmt.Sprintf("%032x", i))
	}
	_, err := o.Revoke("arena", many...)
	check(t, err)
	first, err := o.Online("arena", morning)
	check(t, err)
	o.write("private: [staff]\n", "venues", "arena.yaml") // half a file, and a valid one
	_, err = o.Revoke("arena", "ffeeddccbbaa99887766554433221100")
	check(t, err)
	later := morning.Add(10 * time.Minute)
	check(t, o.SetDown("arena", morning, later))
	second, err := o.Renewed("arena", later)
	check(t, err)
	was, oldHead := bodiesOf(first)
	is, newHead := bodiesOf(second)
	if !reflect.DeepEqual(was, is) || len(second.Blobs) != 0 {
		t.Errorf("published\n%v\nand renewed\n%v", was, is)
	}
	if len(first.Blobs) != 1 {
		t.Fatalf("%d blobs", len(first.Blobs))
	}
	if blob, err := o.Blob(fleet.DigestOf(first.Blobs[0])); err != nil || !bytes.Equal(blob, first.Blobs[0]) {
		t.Errorf("the blob that kiosks will ask for: %v", err)
	}
	if newHead.Version() != oldHead.Version()+1 || !newHead.Issued().Equal(later) {
		t.Errorf("head %s after %s", newHead, oldHead)
	}
	h, err := fleet.ReadHead(newHead)
	check(t, err)
	if fresh, _ := h.Bands(); !fresh.Equal(later.Add(30*time.Minute)) || len(h.Down) != 1 {
		t.Errorf("fresh until %v, down %v", fresh, h.Down)
	}
}

// A roll-out goes venue by venue: a venue that has not followed is told of its own versions still.
func TestARenewedHeadKeepsItsVenuesVersions(t *testing.T) {
	o := newOperator(t)
	check(t, o.AddVenue("stadium"))
	for _, venue := range []string{"arena", "stadium"} {
		_, err := o.Online(venue, morning)
		check(t, err)
	}
	check(t, o.AddIssuer("club", folder.IssuerOptions{}))
	_, err := o.Online("arena", morning)
	check(t, err)
	b, err := o.Renewed("stadium", morning)
	check(t, err)
	_, doc := bodiesOf(b)
	head, err := fleet.ReadHead(doc)
	check(t, err)
	for _, e := range head.Documents {
		if e.Kind == fleet.KindIssuers && e.Version != 1 {
			t.Errorf("the stadium's head names %s", e)
		}
	}
	for _, d := range b.Documents {
		if d.Kind() == fleet.KindIssuers {
			t.Errorf("brought %s, which its head does not name", d)
		}
	}
}

func TestTheSpreadIsInTheHead(t *testing.T) {
	o := newOperator(t)
	o.write("format: 1\nbundle: {fresh: 7d, hard: 30d}\nonline: {fresh: 1h, hard: 7d, spread: 10m}\n", "fleet.yaml")
	b, err := o.Online("arena", morning)
	check(t, err)
	_, doc := bodiesOf(b)
	if h, err := fleet.ReadHead(doc); err != nil || h.Spread != 600 {
		t.Errorf("%+v, %v", h, err)
	}
	o.write("format: 1\nbundle: {fresh: 7d, hard: 30d}\nonline: {fresh: 10m, hard: 7d, spread: 10m}\n", "fleet.yaml")
	if _, err := o.Online("arena", morning); !errors.Is(err, folder.ErrConfig) || !strings.Contains(err.Error(), "fleet.yaml:3") {
		t.Errorf("a spread as long as the data is fresh: %v", err)
	}
}
