// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/credential"
	"gatehouse/credential/credentialtest"
	"gatehouse/device"
	"gatehouse/fleet"
	"gatehouse/fleet/folder"
)

var (
	morning = time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	place   = fleet.Place{Venue: "arena", Kiosk: "gate-1"}
)

// operator is a folder with one venue, one issuer and one kiosk, and the kiosk beside it.
type operator struct {
	*folder.Folder
	t     *testing.T
	known fleet.Known
}

func newOperator(t *testing.T) *operator {
	t.Helper()
	f, err := folder.Init(filepath.Join(t.TempDir(), "city"), morning, "arena")
	check(t, err)
	check(t, f.AddIssuer("arena", folder.IssuerOptions{}))
	_, err = f.AddKiosk(place)
	check(t, err)
	pin, err := f.Pin()
	check(t, err)
	return &operator{Folder: f, t: t, known: fleet.Known{Pin: pin, Place: place}}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (o *operator) path(parts ...string) string {
	return filepath.Join(append([]string{o.Dir()}, parts...)...)
}

func (o *operator) write(text string, parts ...string) {
	o.t.Helper()
	check(o.t, os.MkdirAll(filepath.Dir(o.path(parts...)), 0o755))
	check(o.t, os.WriteFile(o.path(parts...), []byte(text), 0o644))
}

// deliver makes a bundle, takes it through its file form and imports it.
func (o *operator) deliver() *fleet.Update {
	o.t.Helper()
	b, err := o.Bundle("arena", morning)
	check(o.t, err)
	data, err := b.Encode()
	check(o.t, err)
	b, err = fleet.ReadBundle(bytes.NewReader(data))
	check(o.t, err)
	u, err := fleet.Open(o.known, b, morning)
	check(o.t, err)
	o.known.Documents, o.known.Marks = u.Documents(), u.Marks()
	return u
}

func version(u *fleet.Update, kind fleet.Kind, scope string) uint64 {
	for _, v := range u.Terms().Versions {
		if v.Kind == string(kind) && v.Scope == scope {
			return v.Version
		}
	}
	return 0
}

// trust is what the kiosk believes of keys.
type trust []*credential.Key

func (tr trust) Keys(_ credential.Format, issuer string, kid []byte) (keys []*credential.Key, err error) {
	for _, k := range tr {
		if bytes.Equal(k.ID, kid) && (issuer == "" || issuer == k.Issuer) {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

func TestFromFolderToKiosk(t *testing.T) {
	o := newOperator(t)
	dsc, err := credentialtest.NewSigner("AT", credential.ES256, 0, morning.AddDate(-1, 0, 0), morning.AddDate(1, 0, 0))
	check(t, err)
	check(t, o.AddIssuer("at", folder.IssuerOptions{Certificates: [][]byte{dsc.Certificate}}))
	u := o.deliver()

	p, err := o.Issue("arena", credential.Claims{Kind: "ticket", Issued: morning, Expires: morning.Add(time.Hour)})
	check(t, err)
	pass, err := credential.Verify(p.Code, trust(u.Keys()), morning)
	check(t, err)
	if got := pass.RevocationIDs(); !slices.Equal(got, []string{p.ID}) {
		t.Errorf("revoked by %v, and issue said %s", got, p.ID)
	}
	code, err := credentialtest.SignHC1(credentialtest.DCC{
		Issued: morning, Expires: morning.AddDate(0, 1, 0), UCI: "URN:UVCI:01:AT:1", FamilyName: "MUSTER", BirthDate: "1970-01-01",
		Test: &credentialtest.Test{Sampled: morning},
	}, dsc)
	check(t, err)
	if pass, err = credential.Verify(code, trust(u.Keys()), morning); err != nil || pass.Issuer != "at" {
		t.Errorf("%v, %v", pass, err)
	}
	if want := (morning.Add(7 * 24 * time.Hour)); !u.Terms().FreshUntil.Equal(want) || !u.Terms().HardAfter.Equal(morning.Add(30*24*time.Hour)) {
		t.Errorf("fresh until %v, hard after %v", u.Terms().FreshUntil, u.Terms().HardAfter)
	}
}

func TestVersionsRiseOnlyOnChange(t *testing.T) {
	o := newOperator(t)
	o.deliver()
	rule, err := os.ReadFile(o.path("venues", "arena.yaml"))
	check(t, err)
	o.write("# another comment\n"+string(rule), "venues", "arena.yaml")
	u := o.deliver()
	if version(u, "head", "arena") != 2 || version(u, "config", "arena") != 1 || version(u, "issuers", "all") != 1 {
		t.Errorf("versions %v", u.Terms().Versions)
	}
	o.write(strings.ReplaceAll(string(rule), "day ticket", "night ticket"), "venues", "arena.yaml")
	u = o.deliver()
	if version(u, "head", "arena") != 3 || version(u, "config", "arena") != 2 || u.Terms().Policy.Accept[0].Name != "night ticket" {
		t.Errorf("versions %v, policy %+v", u.Terms().Versions, u.Terms().Policy)
	}
	reopened, err := folder.Open(o.Dir())
	check(t, err)
	o.Folder = reopened
	if u = o.deliver(); version(u, "head", "arena") != 4 || version(u, "config", "arena") != 2 {
		t.Errorf("after opening again: versions %v", u.Terms().Versions)
	}
}

func TestOlderBundleIsRefused(t *testing.T) {
	o := newOperator(t)
	old, err := o.Bundle("arena", morning)
	check(t, err)
	o.deliver()
	if _, err := fleet.Open(o.known, old, morning); !errors.Is(err, fleet.ErrOlder) {
		t.Errorf("got %v", err)
	}
}

func TestRevoke(t *testing.T) {
	o := newOperator(t)
	if r := o.deliver().Revocations(); len(r) != 1 || r[0].Issuer != "arena" || len(r[0].Overlay.Add) != 0 {
		t.Fatalf("revocations %+v", r)
	}
	p, err := o.Issue("arena", credential.Claims{Kind: "ticket", Issued: morning, Expires: morning.Add(time.Hour)})
	check(t, err)
	issuer, ids, err := o.Identify(p.Code, morning.Add(48*time.Hour)) // long expired
	if err != nil || issuer != "arena" {
		t.Fatal(issuer, err)
	}
	for _, want := range []int{1, 0} {
		if n, err := o.Revoke("arena", ids...); err != nil || n != want {
			t.Errorf("%d added, %v; want %d", n, err, want)
		}
	}
	want := fleet.RevocationID(p.ID)
	if r := o.deliver().Revocations()[0]; !bytes.Equal(r.Overlay.Add, want[:]) || r.Base != nil {
		t.Errorf("revocations %+v", r)
	}
	for _, id := range []string{"", "xy", "00112233", strings.ToUpper(p.ID), "UCI:0011", "GH1:RRQT", p.ID + "\n"} {
		if _, err := o.Revoke("arena", id); !errors.Is(err, folder.ErrName) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if _, _, err := o.Identify("GH1:RUBBISH", morning); err == nil || strings.Contains(err.Error(), "RUBBISH") {
		t.Errorf("got %v", err)
	}
}

// Beyond 8 KB a base is made; from then on changes are deltas to it, removals too.
func TestManyRevocations(t *testing.T) {
	o := newOperator(t)
	id := func(i int) string { return fmt.Sprintf("%032x", i) }
	var ids []string
	for i := range 3000 {
		ids = append(ids, id(i))
	}
	_, err := o.Revoke("arena", ids...)
	check(t, err)
	r := o.deliver().Revocations()[0]
	if r.Base == nil || r.Base.Count != 3000 || len(r.Blob) != 24000 || len(r.Overlay.Add) != 0 {
		t.Fatalf("base %+v of %d bytes with %d bytes of added ids", r.Base, len(r.Blob), len(r.Overlay.Add))
	}
	base := *r.Base
	_, err = o.Revoke("arena", id(5000))
	check(t, err)
	text, err := os.ReadFile(o.path("revoked", "arena.txt"))
	check(t, err)
	check(t, os.WriteFile(o.path("revoked", "arena.txt"), bytes.Replace(text, []byte(id(7)+"\n"), nil, 1), 0o600))
	r = o.deliver().Revocations()[0]
	add, remove := fleet.RevocationID(id(5000)), fleet.RevocationID(id(7))
	if !reflect.DeepEqual(*r.Base, base) || !bytes.Equal(r.Overlay.Add, add[:]) || !bytes.Equal(r.Overlay.Remove, remove[:]) {
		t.Errorf("base %+v, deltas %v", r.Base, r.Overlay)
	}
}

func TestFleetLayer(t *testing.T) {
	o := newOperator(t)
	o.write("private: [crew]\n", "venues", "all.yaml")
	if u := o.deliver(); !slices.Equal(u.Terms().Policy.Private, []string{"crew"}) || version(u, "config", "all") != 1 {
		t.Errorf("policy %+v", u.Terms().Policy)
	}
}

func TestOfflineKeys(t *testing.T) {
	o := newOperator(t)
	o.deliver()
	for _, name := range []string{"offline-a", "offline-b"} {
		check(t, os.Remove(o.path("keys", name+".pem")))
	}
	o.deliver() // nothing to sign but a head
	_, err := o.Revoke("arena", "00112233445566778899aabbccddeeff")
	check(t, err)
	o.deliver()
	o.write("accept: []\n", "venues", "arena.yaml")
	if _, err := o.Bundle("arena", morning); err == nil || !strings.Contains(err.Error(), "bring the missing ones back") {
		t.Errorf("got %v", err)
	}
}

func TestExposedKeysAreRefused(t *testing.T) {
	o := newOperator(t)
	for _, c := range []struct {
		file string
		use  func() error
	}{
		{"keys/head.pem", func() error { _, err := o.Bundle("arena", morning); return err }},
		{"keys/issuer-arena.pem", func() error { _, err := o.Issue("arena", credential.Claims{}); return err }},
		{"venues/arena.key", func() error { _, err := o.AddKiosk(fleet.Place{Venue: "arena", Kiosk: "gate-2"}); return err }},
	} {
		for _, mode := range []fs.FileMode{0o640, 0o604, 0o644} {
			check(t, os.Chmod(o.path(c.file), mode))
			if err := c.use(); !errors.Is(err, folder.ErrExposed) || !strings.Contains(err.Error(), "chmod 0600") {
				t.Errorf("%s with mode %o: %v", c.file, mode, err)
			}
		}
		check(t, os.Chmod(o.path(c.file), 0o600))
	}
}

func TestModes(t *testing.T) {
	o := newOperator(t)
	check(t, filepath.WalkDir(o.Dir(), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		secret := strings.HasSuffix(path, ".key") || filepath.Base(filepath.Dir(path)) == "keys"
		if secret && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		return err
	}))
}

func TestKioskConfigIsTaken(t *testing.T) {
	o := newOperator(t)
	cfg, err := device.LoadConfig(o.path("kiosks", "arena", "gate-1", "gatehouse.yaml"))
	check(t, err)
	if cfg.Root != o.known.Pin || cfg.Venue != "arena" || cfg.Kiosk != "gate-1" {
		t.Errorf("config %+v", cfg)
	}
	_, err = o.AddKiosk(fleet.Place{Venue: "arena", Kiosk: "gate-2"})
	check(t, err)
	one, err := os.ReadFile(o.path("kiosks", "arena", "gate-1", "venue.key"))
	check(t, err)
	two, err := os.ReadFile(o.path("kiosks", "arena", "gate-2", "venue.key"))
	check(t, err)
	if !bytes.Equal(one, two) {
		t.Error("two kiosks of one venue have two secrets")
	}
}

func TestIssuersFromPublicKeys(t *testing.T) {
	o := newOperator(t)
	public, private, err := ed25519.GenerateKey(nil)
	check(t, err)
	der, err := x509.MarshalPKIXPublicKey(public)
	check(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	check(t, err)
	var chain []byte
	for _, a := range []credential.Algorithm{credential.ES256, credential.PS256} {
		dsc, err := credentialtest.NewSigner("AT", a, 0, morning, morning.AddDate(1, 0, 0))
		check(t, err)
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: dsc.Certificate})...)
	}
	webKey, _, err := ed25519.GenerateKey(nil)
	check(t, err)
	jwk := fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":"k1","x":%q}`, base64.RawURLEncoding.EncodeToString(webKey))
	check(t, o.AddIssuer("two-certs", folder.IssuerOptions{Certificates: [][]byte{chain}}))
	check(t, o.AddIssuer("bare", folder.IssuerOptions{SPKIs: [][]byte{der}, Kinds: []string{"travel"}, Scopes: []string{"arena"}}))
	check(t, o.AddIssuer("web", folder.IssuerOptions{JWKs: [][]byte{[]byte(jwk)}}))
	count := map[string]int{}
	for _, k := range o.deliver().Keys() {
		count[k.Issuer]++
		if k.Issuer == "bare" && (!slices.Equal(k.Kinds, []string{"travel"}) || !slices.Equal(k.Scopes, []string{"arena"})) {
			t.Errorf("key %+v", k)
		}
	}
	if count["two-certs"] != 2 || count["bare"] != 1 || count["web"] != 1 || count["arena"] != 1 {
		t.Errorf("keys by issuer: %v", count)
	}
	for name, opts := range map[string]folder.IssuerOptions{
		"a private key":     {SPKIs: [][]byte{pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})}},
		"rubbish":           {Certificates: [][]byte{[]byte("rubbish")}},
		"half a PEM":        {Certificates: [][]byte{chain[:40]}},
		"RSA to issue with": {Algorithm: credential.PS256},
		"unknown format":    {Formats: []credential.Format{"pdf"}, SPKIs: [][]byte{der}},
	} {
		if err := o.AddIssuer("wrong", opts); err == nil {
			t.Errorf("%s was taken", name)
		}
		if _, err := os.Stat(o.path("issuers", "wrong.yaml")); err == nil {
			t.Fatalf("%s: half an issuer was left", name)
		}
	}
	if _, err := o.Issue("bare", credential.Claims{}); !errors.Is(err, folder.ErrUnknown) {
		t.Errorf("issued without a private key: %v", err)
	}
}

func TestNames(t *testing.T) {
	o := newOperator(t)
	for _, name := range []string{"", "all", "Arena", "a/b", "../x", "a b", strings.Repeat("a", 33)} {
		if err := o.AddIssuer(name, folder.IssuerOptions{}); !errors.Is(err, folder.ErrName) {
			t.Errorf("issuer %q: %v", name, err)
		}
		if err := o.AddVenue(name); !errors.Is(err, folder.ErrName) {
			t.Errorf("venue %q: %v", name, err)
		}
		if _, err := o.AddKiosk(fleet.Place{Venue: "arena", Kiosk: name}); !errors.Is(err, folder.ErrName) {
			t.Errorf("kiosk %q: %v", name, err)
		}
		if _, err := o.Bundle(name, morning); !errors.Is(err, folder.ErrName) {
			t.Errorf("bundle %q: %v", name, err)
		}
	}
	for what, err := range map[string]error{
		"issuer": o.AddIssuer("arena", folder.IssuerOptions{}),
		"venue":  o.AddVenue("arena"),
		"kiosk":  second(o.AddKiosk(place)),
		"fleet":  second(folder.Init(o.Dir(), morning)),
	} {
		if !errors.Is(err, folder.ErrExists) {
			t.Errorf("a second %s: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
