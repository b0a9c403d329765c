// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet_test

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"gatehouse/fleet"
)

func TestBundleFile(t *testing.T) {
	m := newModel(t)
	b := m.bundle(1)
	b.Blobs = [][]byte{[]byte("blob")}
	data, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := fleet.ReadBundle(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, b) {
		t.Error("the file says something else")
	}
	m.open(m.known(), got)
	for n := range data {
		if _, err := fleet.DecodeBundle(data[:n]); !errors.Is(err, fleet.ErrMalformed) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
}

// endless is a file that never ends.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return len(p), nil
}

func TestBundleIsBounded(t *testing.T) {
	e := &endless{}
	if _, err := fleet.ReadBundle(e); !errors.Is(err, fleet.ErrMalformed) || e.read > 65<<20 {
		t.Errorf("%v after %d bytes", err, e.read)
	}
	if _, err := fleet.ReadBundle(io.MultiReader()); !errors.Is(err, fleet.ErrMalformed) {
		t.Errorf("an empty file: %v", err)
	}
	if _, err := (&fleet.Bundle{Blobs: [][]byte{make([]byte, 64<<20)}}).Encode(); err == nil {
		t.Error("a bundle was made that no kiosk reads")
	}
	for name, f := range map[string]map[string]any{
		"another format":     {"format": "gatehouse-bundle-2", "documents": []any{}},
		"no format":          {"documents": []any{}},
		"too many documents": {"format": "gatehouse-bundle-1", "documents": make([]int, 5000)},
		"too many blobs":     {"format": "gatehouse-bundle-1", "documents": []any{}, "blobs": make([][]byte, 2000)},
		"rubbish":            {"format": "gatehouse-bundle-1", "documents": []any{"root"}},
		"a large document":   {"format": "gatehouse-bundle-1", "documents": []any{raw{Payload: make([]byte, 5<<20)}}},
		"many signatures":    {"format": "gatehouse-bundle-1", "documents": []any{raw{Payload: payloadMap(t), Signatures: make([][]byte, 17)}}},
		"a long signature":   {"format": "gatehouse-bundle-1", "documents": []any{raw{Payload: payloadMap(t), Signatures: [][]byte{make([]byte, 300)}}}},
	} {
		data, err := cbor.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fleet.DecodeBundle(data); !errors.Is(err, fleet.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A few bytes that claim a gigabyte.
	for _, head := range [][]byte{{0x5a, 0x40, 0, 0, 0}, {0x9a, 0x40, 0, 0, 0}, {0xba, 0x40, 0, 0, 0}} {
		if _, err := fleet.DecodeBundle(head); !errors.Is(err, fleet.ErrMalformed) {
			t.Errorf("%x: %v", head, err)
		}
	}
}

func TestDigestText(t *testing.T) {
	d := fleet.DigestOf([]byte("x"))
	got, err := fleet.ParseDigest(d.String())
	if err != nil || got != d {
		t.Errorf("%v, %v", got, err)
	}
	for _, s := range []string{"", "sha256:", d.String()[7:], d.String() + "0", "SHA256" + d.String()[6:], "sha256:" + string(bytes.ToUpper([]byte(d.String()[7:])))} {
		if _, err := fleet.ParseDigest(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}
