// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/fleet"
	"gatehouse/fleet/folder"
)

// rotate makes a new root of which all signatures are here.
func (o *operator) rotate(r folder.Rotation) *folder.Ceremony {
	o.t.Helper()
	c, err := o.Rotate(r, morning)
	check(o.t, err)
	check(o.t, c.Missing)
	return c
}

func replace(names ...string) folder.Rotation {
	r := folder.Rotation{Replace: map[string][]byte{}}
	for _, n := range names {
		r.Replace[n] = nil
	}
	return r
}

// away moves private keys out of the folder, to media of their own.
func (o *operator) away(names ...string) string {
	o.t.Helper()
	dir := o.t.TempDir()
	for _, n := range names {
		check(o.t, os.Rename(o.path("keys", n+".pem"), filepath.Join(dir, n+".pem")))
	}
	return dir
}

// Each key in turn is replaced: a kiosk that pinned root 1 follows, one that has missed versions follows, and what the old
// key signed is signed anew.
func TestEveryKeyCanBeReplaced(t *testing.T) {
	for _, name := range []string{"head", "revocations", "command", "collector", "offline-a", "offline-b", "offline-c"} {
		t.Run(name, func(t *testing.T) {
			o := newOperator(t)
			o.deliver()
			late := o.known
			c := o.rotate(replace(name))
			if !slices.Equal(c.Retired, []string{name}) || c.Root.Version() != 2 {
				t.Errorf("retired %v, root %d", c.Retired, c.Root.Version())
			}
			check(t, os.Remove(o.path("keys", name+".pem"))) // destroyed
			u := o.deliver()
			if version(u, fleet.KindRoot, "all") != 2 {
				t.Fatalf("versions %v", u.Terms().Versions)
			}
			again := o.rotate(replace(name))
			if !slices.Equal(again.Retired, []string{name + "-2"}) {
				t.Errorf("retired %v", again.Retired)
			}
			o.rotate(folder.Rotation{})
			for _, known := range []fleet.Known{o.known, late, {Pin: late.Pin, Place: late.Place}} {
				o.known = known
				if u := o.deliver(); version(u, fleet.KindRoot, "all") != 4 {
					t.Errorf("versions %v", u.Terms().Versions)
				}
			}
		})
	}
}

// Only what the replaced key signed has another version.
func TestRotationSignsNoMoreThanItMust(t *testing.T) {
	o := newOperator(t)
	o.deliver()
	o.rotate(replace("head"))
	if u := o.deliver(); version(u, fleet.KindConfig, "arena") != 1 || version(u, fleet.RevocationsOf("arena"), "all") != 1 {
		t.Errorf("after another head key: versions %v", u.Terms().Versions)
	}
	o.rotate(replace("revocations"))
	if u := o.deliver(); version(u, fleet.KindConfig, "arena") != 1 || version(u, fleet.RevocationsOf("arena"), "all") != 2 {
		t.Errorf("after another key for revocations: versions %v", u.Terms().Versions)
	}
	o.rotate(replace("offline-a"))
	if u := o.deliver(); version(u, fleet.KindConfig, "arena") != 2 || version(u, fleet.KindIssuers, "all") != 2 {
		t.Errorf("after another offline key: versions %v", u.Terms().Versions)
	}
	o.rotate(folder.Rotation{Thresholds: map[string]uint{"config": 3}})
	if u := o.deliver(); version(u, fleet.KindConfig, "arena") != 3 || version(u, fleet.KindIssuers, "all") != 2 {
		t.Errorf("config by three: versions %v", u.Terms().Versions)
	}
	o.rotate(folder.Rotation{Thresholds: map[string]uint{"config": 1}})
	if u := o.deliver(); version(u, fleet.KindConfig, "arena") != 3 {
		t.Errorf("config by one: versions %v", u.Terms().Versions)
	}
}

// A thief with the head's key ran ahead to the last sequence there is: the operator replaces the key, and the kiosk goes on.
func TestStolenHeadKeyIsReplaced(t *testing.T) {
	o := newOperator(t)
	b, err := o.Bundle("arena", morning)
	check(t, err)
	stolen, err := o.SigningKeys("head")
	check(t, err)
	var entries []fleet.Entry
	for _, d := range b.Documents {
		if d.Kind() != fleet.KindHead {
			entries = append(entries, fleet.EntryOf(d))
		}
	}
	forged, err := fleet.Sign(fleet.KindHead, "arena", 1<<63-1, morning, &fleet.Head{FreshUntil: 1 << 32, HardAfter: 1 << 33, Documents: entries}, stolen...)
	check(t, err)
	b.Documents = append(slices.DeleteFunc(b.Documents, func(d fleet.Document) bool { return d.Kind() == fleet.KindHead }), forged)
	u, err := fleet.Open(o.known, b, morning)
	check(t, err)
	o.known.Documents, o.known.Marks = u.Documents(), u.Marks()
	next, err := o.Bundle("arena", morning)
	check(t, err)
	if _, err := fleet.Open(o.known, next, morning); !errors.Is(err, fleet.ErrOlder) {
		t.Fatalf("got %v", err)
	}
	o.rotate(replace("head"))
	if u := o.deliver(); version(u, fleet.KindRoot, "all") != 2 || version(u, fleet.KindHead, "arena") != 3 {
		t.Errorf("versions %v", u.Terms().Versions)
	}
}

// The offline keys are on media of their own: the root waits, is carried to them one by one or in copies, and comes back.
func TestCeremonyWithKeysApart(t *testing.T) {
	o := newOperator(t)
	o.deliver()
	media := o.away("offline-a", "offline-b", "offline-c")
	c, err := o.Rotate(replace("head"), morning)
	check(t, err)
	if !errors.Is(c.Missing, fleet.ErrSignature) || c.Retired != nil {
		t.Fatalf("missing %v, retired %v", c.Missing, c.Retired)
	}
	if u := o.deliver(); version(u, fleet.KindRoot, "all") != 1 {
		t.Errorf("a root that waits was published: %v", u.Terms().Versions)
	}
	if _, err := o.Rotate(replace("head"), morning); !errors.Is(err, folder.ErrExists) {
		t.Errorf("a second rotation: %v", err)
	}
	copies := map[string][]byte{}
	for _, name := range []string{"offline-a", "offline-c"} {
		file := filepath.Join(media, name+".next")
		raw, err := os.ReadFile(o.path("root", "next"))
		check(t, err)
		check(t, os.WriteFile(file, raw, 0o644))
		_, _, err = folder.SignRoot(file, filepath.Join(media, name+".pem"))
		check(t, err)
		copies[name], err = os.ReadFile(file)
		check(t, err)
	}
	for range 2 { // the same signature twice is one
		if c, err = o.Accept(copies["offline-a"]); err != nil || c.Missing == nil {
			t.Fatalf("one signature: %v, %v", c, err)
		}
	}
	if c, err = o.Accept(copies["offline-c"]); err != nil || c.Missing != nil || !slices.Equal(c.Retired, []string{"head"}) {
		t.Fatalf("%+v, %v", c, err)
	}
	if _, err := o.Accept(); !errors.Is(err, folder.ErrUnknown) {
		t.Errorf("once more: %v", err)
	}
	if u := o.deliver(); version(u, fleet.KindRoot, "all") != 2 { // the offline keys stay where they are
		t.Errorf("versions %v", u.Terms().Versions)
	}
}

// One offline key is lost: two of three replace it, and its successor may be made on a machine of its own.
func TestLostOfflineKey(t *testing.T) {
	o := newOperator(t)
	o.deliver()
	o.away("offline-b")
	public, private, err := ed25519.GenerateKey(nil)
	check(t, err)
	der, err := x509.MarshalPKIXPublicKey(public)
	check(t, err)
	c := o.rotate(folder.Rotation{Replace: map[string][]byte{"offline-b": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})}})
	if !slices.Equal(c.Retired, []string{"offline-b"}) {
		t.Errorf("retired %v", c.Retired)
	}
	if _, err := os.Stat(o.path("keys", "offline-b-2.pem")); err == nil {
		t.Error("a private key was made")
	}
	o.deliver()

	// It signs as well as the others: with a lost as well, b's successor and c are enough.
	o.away("offline-a")
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	check(t, err)
	check(t, os.WriteFile(o.path("keys", "offline-b-2.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	o.rotate(replace("offline-a"))
	if u := o.deliver(); version(u, fleet.KindRoot, "all") != 3 {
		t.Errorf("versions %v", u.Terms().Versions)
	}
	// With two of three lost nothing can be done, and it is said.
	o.away("offline-a-3", "offline-c")
	if c, err := o.Rotate(replace("offline-c"), morning); err != nil || !errors.Is(c.Missing, fleet.ErrSignature) {
		t.Errorf("%+v, %v", c, err)
	}
}

// What a kiosk would refuse does not get into the folder.
func TestCeremonyRefuses(t *testing.T) {
	o := newOperator(t)
	o.away("offline-a", "offline-b")
	c, err := o.Rotate(replace("head"), morning)
	check(t, err)
	other, err := fleet.Sign(fleet.KindRoot, "all", 2, morning, []byte("a root of somebody else"))
	check(t, err)
	first, err := os.ReadFile(o.path("root", "1"))
	check(t, err)
	for name, raw := range map[string][]byte{"another root": other.Bytes(), "the former root": first, "rubbish": []byte("rubbish"), "nothing": nil} {
		if _, err := o.Accept(raw); err == nil || !strings.Contains(err.Error(), "not a copy of") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A key of no role signs, which counts for nothing.
	stranger := newOperator(t)
	file := filepath.Join(t.TempDir(), "next")
	check(t, os.WriteFile(file, c.Root.Bytes(), 0o644))
	d, _, err := folder.SignRoot(file, stranger.path("keys", "offline-a.pem"), stranger.path("keys", "offline-b.pem"))
	check(t, err)
	if c, err = o.Accept(d.Bytes()); err != nil || !errors.Is(c.Missing, fleet.ErrSignature) {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := os.Stat(o.path("root", "2")); err == nil {
		t.Error("the root is in force")
	}
	if _, _, err := folder.SignRoot(o.path("fleet.yaml"), o.path("keys", "head.pem")); err == nil {
		t.Error("YAML was signed")
	}
	check(t, os.Chmod(o.path("keys", "offline-c.pem"), 0o644))
	if _, _, err := folder.SignRoot(file, o.path("keys", "offline-c.pem")); !errors.Is(err, folder.ErrExposed) {
		t.Errorf("an exposed key: %v", err)
	}
}

func TestRotationFaults(t *testing.T) {
	o := newOperator(t)
	for name, r := range map[string]folder.Rotation{
		"no such key":              replace("offline-d"),
		"a role of three keys":     replace("issuers"),
		"one key twice":            replace("head", "head-1", "offline-a", id(t, o, "offline-a")),
		"a threshold of none":      {Thresholds: map[string]uint{"config": 0}},
		"a threshold out of reach": {Thresholds: map[string]uint{"config": 4}},
		"a role that is not there": {Thresholds: map[string]uint{"curfew": 1}},
		"no key":                   {Replace: map[string][]byte{"head": []byte("rubbish")}},
		"a key of small order":     {Replace: map[string][]byte{"head": smallOrder(t)}},
	} {
		if _, err := o.Rotate(r, morning); err == nil {
			t.Errorf("%s was taken", name)
		}
		for _, path := range []string{"next", "2"} {
			if _, err := os.Stat(o.path("root", path)); err == nil {
				t.Fatalf("%s left root/%s", name, path)
			}
		}
	}
	o.rotate(replace("head"))
	o.deliver()
}

func id(t *testing.T, o *operator, name string) string {
	t.Helper()
	text, err := os.ReadFile(o.path("root", name+".pub"))
	check(t, err)
	block, _ := pem.Decode(text)
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	check(t, err)
	kid, err := fleet.KeyIDOf(public.(ed25519.PublicKey))
	check(t, err)
	return kid.String()
}

func smallOrder(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(append([]byte{1}, make([]byte, 31)...)))
	check(t, err)
	return der
}

// A power cut in the middle: the key that was made is used again, and a root that waits is no hindrance once it is in force.
func TestRotationAfterACrash(t *testing.T) {
	o := newOperator(t)
	media := o.away("offline-a", "offline-b")
	c, err := o.Rotate(replace("head"), morning)
	check(t, err)
	made, err := os.ReadFile(o.path("keys", "head-2.pem"))
	check(t, err)
	check(t, os.Remove(o.path("root", "next"))) // given up, or never written
	check(t, os.Remove(o.path("root", "head-2.pub")))
	for _, name := range []string{"offline-a", "offline-b"} {
		check(t, os.Rename(filepath.Join(media, name+".pem"), o.path("keys", name+".pem")))
	}
	o.rotate(replace("head"))
	if now, err := os.ReadFile(o.path("keys", "head-2.pem")); err != nil || !bytes.Equal(now, made) {
		t.Errorf("another key was made (%v)", err)
	}
	check(t, os.WriteFile(o.path("root", "next"), c.Root.Bytes(), 0o644)) // as if it could not be removed
	if _, err := o.Accept(); !errors.Is(err, folder.ErrUnknown) {
		t.Errorf("got %v", err)
	}
	o.rotate(replace("head"))
	if u := o.deliver(); version(u, fleet.KindRoot, "all") != 3 {
		t.Errorf("versions %v", u.Terms().Versions)
	}
}

// A folder of the first landing has no public halves, and no keys for commands and collectors.
func TestFolderFromBeforePublicHalves(t *testing.T) {
	o := newOperator(t)
	pubs, err := filepath.Glob(o.path("root", "*.pub"))
	check(t, err)
	if len(pubs) != 7 {
		t.Fatalf("public halves %v", pubs)
	}
	for _, p := range pubs {
		check(t, os.Remove(p))
	}
	o.deliver()
	keys, err := o.SigningKeys("config")
	check(t, err)
	b := keys[1].ID().String()
	o.away("offline-b")
	if _, err := o.Rotate(replace("offline-b"), morning); !errors.Is(err, folder.ErrUnknown) || !strings.Contains(err.Error(), b) {
		t.Errorf("a name that nobody knows any more: %v", err)
	}
	c := o.rotate(replace(b))
	if !slices.Equal(c.Retired, []string{b}) {
		t.Errorf("retired %v", c.Retired)
	}
	o.deliver()
}

// A role that the root has not begins with its first key.
func TestRoleThatIsNew(t *testing.T) {
	o := newOperator(t)
	without(t, o, fleet.RoleCommand)
	o.deliver()
	if _, err := o.SigningKeys(fleet.RoleCommand); err == nil || !strings.Contains(err.Error(), "--replace command") {
		t.Errorf("got %v", err)
	}
	o.rotate(replace(fleet.RoleCommand))
	if keys, err := o.SigningKeys(fleet.RoleCommand); err != nil || len(keys) != 1 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	if u := o.deliver(); u.Root().Roles[fleet.RoleCommand].Threshold != 1 {
		t.Errorf("roles %v", u.Root().Roles)
	}
}

// without makes the folder's root 1 one that has not this role.
func without(t *testing.T, o *operator, role string) {
	t.Helper()
	raw, err := os.ReadFile(o.path("root", "1"))
	check(t, err)
	d, err := fleet.ParseDocument(raw)
	check(t, err)
	r, err := fleet.ReadRoot(d)
	check(t, err)
	delete(r.Roles, role)
	keys, err := o.SigningKeys("root")
	check(t, err)
	d, err = fleet.Sign(fleet.KindRoot, "all", 1, morning, r, keys...)
	check(t, err)
	check(t, os.WriteFile(o.path("root", "1"), d.Bytes(), 0o644))
	o.known.Pin = d.Digest()
}

// A private key under another's name would sign for nothing: it is told, and no bundle is made.
func TestKeyUnderAnothersName(t *testing.T) {
	o := newOperator(t)
	text, err := os.ReadFile(o.path("keys", "revocations.pem"))
	check(t, err)
	check(t, os.WriteFile(o.path("keys", "head.pem"), text, 0o600))
	if _, err := o.Bundle("arena", morning); err == nil || !strings.Contains(err.Error(), "is not the key that the root has under this name") {
		t.Errorf("got %v", err)
	}
}
