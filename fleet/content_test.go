// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet_test

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"gatehouse/entry"
	"gatehouse/fleet"
)

func TestConfigLayers(t *testing.T) {
	m := newModel(t)
	all := policy("fleet")
	all.Private = []string{"staff"}
	venue := policy("venue")
	venue.Lanes = map[string]entry.LaneTerms{"in-1": {Zone: "north", Pulse: entry.Duration(700 * time.Millisecond)}}
	kiosk := &entry.Policy{Lanes: map[string]entry.LaneTerms{"in-2": {Zone: "south"}}}
	put := func(scope fleet.Scope, p *entry.Policy, keys ...string) {
		l, err := fleet.LayerOf(p, keys...)
		if err != nil {
			t.Fatal(err)
		}
		m.put(fleet.KindConfig, scope, 1, l)
	}
	put("all", all, "accept", "private")
	put("arena", venue, "accept", "lanes")
	put("arena/gate-1", kiosk, "lanes", "private") // private is there and empty

	u, _ := m.open(m.known(), m.bundle(1))
	want := &entry.Policy{Accept: venue.Accept, Lanes: kiosk.Lanes}
	if got := u.Terms().Policy; !reflect.DeepEqual(got, want) {
		t.Errorf("merged %+v, want %+v", got, want)
	}
	k := m.known()
	k.Place.Kiosk = "gate-2"
	u, _ = m.open(k, m.bundle(1))
	want = &entry.Policy{Accept: venue.Accept, Private: all.Private, Lanes: venue.Lanes}
	if got := u.Terms().Policy; !reflect.DeepEqual(got, want) {
		t.Errorf("the other kiosk's: %+v, want %+v", got, want)
	}
}

// A layer has all the top-level keys that a policy has: a field that package entry gains is carried without a change here.
func TestLayerKnowsEveryField(t *testing.T) {
	typ := reflect.TypeFor[entry.Policy]()
	var keys []string
	for i := range typ.NumField() {
		key, _, _ := bytes.Cut([]byte(typ.Field(i).Tag.Get("cbor")), []byte(","))
		keys = append(keys, string(key))
	}
	l, err := fleet.LayerOf(policy("x"), keys...)
	if err != nil || len(l) != len(keys) {
		t.Fatalf("layer %v, %v", l, err)
	}
	if _, err := fleet.MergeLayers(l); err != nil {
		t.Error(err)
	}
}

func TestConfigRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		body any
		want error
	}{
		{"a rule without a level", map[string]any{"accept": []any{map[string]any{"name": "x", "all": []any{map[string]any{"kind": "health", "issuers": []string{"at"}}}}}}, entry.ErrPolicy},
		{"a field from tomorrow", map[string]any{"accept": []any{}, "curfew": "22:00"}, fleet.ErrUnsupported},
		{"a field from tomorrow within a rule", map[string]any{"accept": []any{map[string]any{"name": "x", "all": []any{}, "weather": "dry"}}}, fleet.ErrUnsupported},
		{"hours that are none", map[string]any{"accept": []any{map[string]any{"name": "x", "all": []any{}, "hours": []string{"8-20"}}}}, fleet.ErrMalformed},
		{"hours without a zone", map[string]any{"accept": []any{map[string]any{"name": "x", "all": []any{map[string]any{"kind": "staff", "issuers": []string{"at"}}}, "hours": []string{"08:00-20:00"}}}}, entry.ErrPolicy},
		{"another letter case", map[string]any{"Accept": []any{}}, fleet.ErrUnsupported},
		{"another type", map[string]any{"accept": "everybody"}, fleet.ErrMalformed},
		{"no map", []string{"accept"}, fleet.ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newModel(t)
			_, k := m.open(m.known(), m.bundle(1))
			m.put(fleet.KindConfig, "arena", 2, c.body)
			m.refused(k, m.bundle(2), c.want)
		})
	}
}

func TestIssuersRefused(t *testing.T) {
	for name, change := range map[string]func(*fleet.Issuers){
		"no key":              func(l *fleet.Issuers) { l.Issuers[0].Keys = nil },
		"a name twice":        func(l *fleet.Issuers) { l.Issuers = append(l.Issuers, l.Issuers[0]) },
		"a bad name":          func(l *fleet.Issuers) { l.Issuers[0].Name = "Arena" },
		"another algorithm":   func(l *fleet.Issuers) { l.Issuers[0].Keys[0].Algorithm = "ES256" },
		"no algorithm":        func(l *fleet.Issuers) { l.Issuers[0].Keys[0].Algorithm = "" },
		"no format":           func(l *fleet.Issuers) { l.Issuers[0].Keys[0].Formats = nil },
		"an unknown format":   func(l *fleet.Issuers) { l.Issuers[0].Keys[0].Formats[0] = "pdf" },
		"an unknown type":     func(l *fleet.Issuers) { l.Issuers[0].Keys[0].Type = "pgp" },
		"rubbish":             func(l *fleet.Issuers) { l.Issuers[0].Keys[0].Data = []byte("key") },
		"ends before a start": func(l *fleet.Issuers) { l.Issuers[0].Keys[0].NotBefore, l.Issuers[0].Keys[0].NotAfter = 20, 10 },
		"another's key": func(l *fleet.Issuers) {
			l.Issuers = append(l.Issuers, fleet.Issuer{Name: "guest", Keys: l.Issuers[0].Keys})
		},
		"a key of small order": func(l *fleet.Issuers) {
			data := l.Issuers[0].Keys[0].Data
			copy(data[len(data)-32:], append([]byte{1}, make([]byte, 31)...))
		},
		"beyond all time": func(l *fleet.Issuers) { l.Issuers[0].Keys[0].NotAfter = 1 << 63 },
	} {
		t.Run(name, func(t *testing.T) {
			m := newModel(t)
			_, k := m.open(m.known(), m.bundle(1))
			list := m.issuers()
			change(&list)
			m.put(fleet.KindIssuers, "all", 2, list)
			m.refused(k, m.bundle(2), fleet.ErrContent)
		})
	}
}

// A key that an issuer lists twice, say in two certificates, is still one issuer's.
func TestIssuerMayListItsKeyTwice(t *testing.T) {
	list := newModel(t).issuers()
	list.Issuers[0].Keys = append(list.Issuers[0].Keys, list.Issuers[0].Keys[0])
	if keys, err := list.Credentials(); err != nil || len(keys) != 2 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

// Layers that are each good by themselves and not together refuse the whole bundle, and the one that spoils it is named.
func TestLayersAreCheckedTogether(t *testing.T) {
	m := newModel(t)
	hours := func(n int) entry.Duration { return entry.Duration(time.Duration(n) * time.Hour) }
	all := policy("fleet")
	all.MaxHard = hours(2)
	m.putPolicy("all", 1, all, "max_hard")
	_, k := m.open(m.known(), m.bundle(1))
	kiosk := &entry.Policy{MaxFresh: hours(3)}
	for _, p := range []*entry.Policy{all, kiosk} {
		if err := p.Validate(); err != nil {
			t.Fatalf("not good by itself: %v", err)
		}
	}
	m.putPolicy("arena/gate-1", 1, kiosk, "max_fresh")
	m.put(fleet.RevocationsOf("arena"), "all", 2, fleet.RevocationList{})
	b := m.bundle(2)
	m.refused(k, b, fleet.ErrContent)
	_, err := fleet.Open(k, b, morning)
	if !errors.Is(err, entry.ErrPolicy) || !strings.Contains(err.Error(), "config of arena/gate-1, version 1") || !strings.Contains(err.Error(), "max_fresh") {
		t.Errorf("layer and field are not named: %v", err)
	}
	if u, _ := m.open(k, nil); versions(u)["revocations/arena all"] != 1 || versions(u)["head arena"] != 1 {
		t.Errorf("in force %v", versions(u))
	}

	// A narrower layer that puts it right makes them good together.
	k.Place.Kiosk = "gate-2"
	venue := policy("venue")
	venue.MaxFresh = hours(3)
	m.putPolicy("arena", 2, venue, "accept", "max_fresh")
	m.refused(k, m.bundle(2), fleet.ErrContent)
	m.putPolicy("arena/gate-2", 1, &entry.Policy{MaxHard: hours(4)}, "max_hard")
	m.open(k, m.bundle(2))
}

func TestIssuerKeyIsNarrowed(t *testing.T) {
	m := newModel(t)
	list := m.issuers()
	k := &list.Issuers[0].Keys[0]
	k.Kinds, k.Scopes = []string{"ticket"}, []string{"arena"}
	k.NotBefore, k.NotAfter = uint64(morning.Unix()), uint64(morning.Add(time.Hour).Unix())
	keys, err := list.Credentials()
	if err != nil {
		t.Fatal(err)
	}
	got := keys[0]
	if !slices.Equal(got.Kinds, k.Kinds) || !slices.Equal(got.Scopes, k.Scopes) || !got.NotBefore.Equal(morning) || !got.NotAfter.Equal(morning.Add(time.Hour)) {
		t.Errorf("key %+v", got)
	}
}

func TestRevocationBase(t *testing.T) {
	m := newModel(t)
	blob := fleet.JoinRevocations([][8]byte{fleet.RevocationID("c"), fleet.RevocationID("a"), fleet.RevocationID("b"), fleet.RevocationID("a")})
	base := &fleet.Base{Digest: fleet.DigestOf(blob), Count: 3}
	add := fleet.JoinRevocations([][8]byte{fleet.RevocationID("d")})
	m.put(fleet.RevocationsOf("arena"), "all", 2, fleet.RevocationList{Base: base, Deltas: []fleet.Delta{{Add: add}}})

	b := m.bundle(1)
	m.refused(m.known(), b, fleet.ErrIncomplete)
	b.Blobs = [][]byte{[]byte("of no use"), blob}
	u, k := m.open(m.known(), b)
	r := u.Revocations()[0]
	if !bytes.Equal(r.Blob, blob) || !reflect.DeepEqual(r.Base, base) || !bytes.Equal(r.Overlay.Add, add) || r.Version != 2 {
		t.Errorf("revocations %+v", r)
	}
	k.Blobs = []fleet.Digest{base.Digest}
	if u, _ = m.open(k, nil); u.Revocations()[0].Blob != nil || u.Revocations()[0].Base == nil {
		t.Errorf("from the store: %+v", u.Revocations()[0])
	}
}

func TestRevocationsRefused(t *testing.T) {
	unsorted := append([]byte("bbbbbbbb"), "aaaaaaaa"...)
	for name, list := range map[string]fleet.RevocationList{
		"half an id":      {Deltas: []fleet.Delta{{Add: []byte("1234")}}},
		"out of order":    {Deltas: []fleet.Delta{{Remove: unsorted}}},
		"twice":           {Deltas: []fleet.Delta{{Add: []byte("aaaaaaaaaaaaaaaa")}}},
		"too much within": {Deltas: []fleet.Delta{{Add: longIDs()}}},
		"base unsorted":   {Base: &fleet.Base{Digest: fleet.DigestOf(unsorted), Count: 2}},
		"base miscounted": {Base: &fleet.Base{Digest: fleet.DigestOf([]byte("aaaaaaaa")), Count: 2}},
		"count overflows": {Base: &fleet.Base{Digest: fleet.DigestOf([]byte("aaaaaaaa")), Count: 1<<61 + 1}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newModel(t)
			_, k := m.open(m.known(), m.bundle(1))
			m.put(fleet.RevocationsOf("arena"), "all", 2, list)
			b := m.bundle(2)
			b.Blobs = [][]byte{unsorted, []byte("aaaaaaaa")}
			m.refused(k, b, fleet.ErrMalformed)
		})
	}
}

func longIDs() []byte {
	b := make([]byte, 0, 8200)
	for i := range 1025 {
		b = append(b, 0, 0, 0, 0, 0, 0, byte(i>>8), byte(i))
	}
	return b
}

func TestRevocationID(t *testing.T) {
	// echo -n 00112233 | sha256sum
	if got := fleet.RevocationID("00112233"); got != [8]byte{0x32, 0xb4, 0xf5, 0x76, 0xfc, 0x60, 0x7b, 0x3e} {
		t.Error("another id")
	}
}

func TestUnknownFieldsAreRefused(t *testing.T) {
	m := newModel(t)
	_, k := m.open(m.known(), m.bundle(1))
	head := map[string]any{"fresh_until": uint64(morning.Add(time.Hour).Unix()), "hard_after": uint64(morning.Add(time.Hour).Unix()), "documents": m.entries(), "window": 5}
	m.refused(k, docs(m.sign(fleet.KindHead, "arena", 2, morning, head, m.keys["head"]...)), fleet.ErrUnsupported)
	m.put(fleet.RevocationsOf("arena"), "all", 2, map[string]any{"bloom": []byte{1}})
	m.refused(k, m.bundle(2), fleet.ErrUnsupported)
}

func TestHeadBands(t *testing.T) {
	m := newModel(t)
	_, k := m.open(m.known(), m.bundle(1))
	at := uint64(morning.Unix())
	for _, h := range []fleet.Head{{FreshUntil: at - 1, HardAfter: at}, {FreshUntil: at + 2, HardAfter: at + 1}, {FreshUntil: at, HardAfter: 1 << 60}} {
		h.Documents = m.entries()
		m.refused(k, docs(m.sign(fleet.KindHead, "arena", 2, morning, h, m.keys["head"]...)), fleet.ErrMalformed)
	}
	twice := append(m.entries(), m.entries()...)
	m.refused(k, docs(m.head(2, morning, twice)), fleet.ErrMalformed)
}

// There is one encoding of a payload: a longer one of the same content is refused, though rightly signed.
func TestOnlyDeterministicPayloads(t *testing.T) {
	loose := map[string][]byte{
		"an indefinite map":    append(append([]byte{0xbf}, payloadMap(t)[1:]...), 0xff),
		"a long length":        append([]byte{0xb8, 5}, payloadMap(t)[1:]...),
		"something behind it":  append(payloadMap(t), 0),
		"another field":        append([]byte{0xa6}, append(payloadMap(t)[1:], 0x67, 'u', 'n', 'k', 'n', 'o', 'w', 'n', 0)...),
		"unsorted":             unsortedPayload(t),
		"a key twice":          append(append([]byte{0xa6}, payloadMap(t)[1:]...), payloadMap(t)[1:12]...),
		"no CBOR at all":       []byte("GH1:"),
		"nothing":              nil,
		"too deep":             bytes.Repeat([]byte{0x81}, 40),
		"a float for a number": bytes.Replace(payloadMap(t), append([]byte("version"), 1), append([]byte("version"), 0xf9, 0x3c, 0), 1),
	}
	for name, payload := range loose {
		b, err := cbor.Marshal(raw{Payload: payload, Signatures: [][]byte{}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fleet.ParseDocument(b); !errors.Is(err, fleet.ErrMalformed) && !errors.Is(err, fleet.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b, err := cbor.Marshal(raw{Payload: payloadMap(t), Signatures: [][]byte{}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fleet.ParseDocument(b); err != nil {
		t.Errorf("the deterministic one: %v", err)
	}
}

// Before a signature is checked a document costs its bytes and no more: 60,000 empty maps on a memory stick would
// otherwise become 60,000 maps in memory, and a bundle has room for 60 million.
func TestUnsignedDocumentIsNotBuilt(t *testing.T) {
	d, err := fleet.Sign(fleet.KindConfig, "all", 1, morning, make([]struct{}, 60_000))
	if err != nil {
		t.Fatal(err)
	}
	allocations := testing.AllocsPerRun(1, func() {
		if _, err := fleet.ParseDocument(d.Bytes()); err != nil {
			t.Fatal(err)
		}
	})
	if allocations > 100 {
		t.Errorf("%v allocations", allocations)
	}
}

func payloadMap(t *testing.T) []byte {
	d, err := fleet.Sign(fleet.KindConfig, "all", 1, morning, fleet.Layer{})
	if err != nil {
		t.Fatal(err)
	}
	return take(t, d).Payload
}

func unsortedPayload(t *testing.T) []byte {
	b, err := cbor.Marshal(struct {
		Version uint64         `cbor:"version"`
		Kind    string         `cbor:"kind"`
		Scope   string         `cbor:"scope"`
		Issued  uint64         `cbor:"issued"`
		Body    map[string]int `cbor:"body"`
	}{1, "config", "all", 1, map[string]int{}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
