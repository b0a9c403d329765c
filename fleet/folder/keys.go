// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	"gatehouse/fleet"
)

const pemPrivate = "PRIVATE KEY" // PKCS #8, RFC 5958

// offline are the keys that sign root, issuers and config, two of three. They lie in one folder for a start; the files
// of one or two can be moved to other machines and their signatures added by fleet.Document.Cosign.
var offline = [...]string{"offline-a", "offline-b", "offline-c"}

// roleKeys says which keys a role has and how many of them sign.
var roleKeys = map[string]struct {
	keys      []string
	threshold uint
}{
	"root":        {offline[:], 2},
	"issuers":     {offline[:], 2},
	"config":      {offline[:], 2},
	"head":        {[]string{"head"}, 1},
	"revocations": {[]string{"revocations"}, 1},
}

func (f *Folder) keyPath(name string) string { return f.path("keys", name+".pem") }

// writeKey stores a private key where only its owner can read it, and never over another.
func (f *Folder) writeKey(name string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("folder: key %s: %w", name, err)
	}
	return writeNew(f.keyPath(name), pem.EncodeToMemory(&pem.Block{Type: pemPrivate, Bytes: der}), private)
}

func (f *Folder) readKey(name string) (crypto.Signer, error) {
	path := f.keyPath(name)
	text, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemPrivate {
		return nil, fmt.Errorf("folder: %s holds no PEM block %q (PKCS #8)", path, pemPrivate)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("folder: %s: %w", path, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("folder: %s holds a key that cannot sign", path)
	}
	return signer, nil
}

func (f *Folder) signingKey(name string) (fleet.SigningKey, error) {
	signer, err := f.readKey(name)
	if err != nil {
		return fleet.SigningKey{}, err
	}
	k, err := fleet.NewSigningKey(signer)
	if err != nil {
		return fleet.SigningKey{}, fmt.Errorf("folder: %s: %w", f.keyPath(name), err)
	}
	return k, nil
}

// SigningKeys are the keys that sign for a role: as many as it takes, of those whose files are here.
func (f *Folder) SigningKeys(role string) ([]fleet.SigningKey, error) {
	r, ok := roleKeys[role]
	if !ok {
		return nil, fmt.Errorf("folder: there is no role %q", role)
	}
	var keys []fleet.SigningKey
	for _, name := range r.keys {
		if uint(len(keys)) == r.threshold {
			break
		}
		if !exists(f.keyPath(name)) {
			continue
		}
		k, err := f.signingKey(name)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	if uint(len(keys)) < r.threshold {
		return nil, fmt.Errorf("folder: the role %q takes %d keys of %v and %d are in %s; bring the missing ones back", role, r.threshold, r.keys, len(keys), f.path("keys"))
	}
	return keys, nil
}

// makeRoot makes the fleet's keys and its first root.
func (f *Folder) makeRoot(at time.Time) error {
	body := fleet.Root{
		NotBefore: uint64(at.AddDate(0, 0, -1).Unix()), // kiosks and operators may disagree by some hours
		NotAfter:  uint64(at.AddDate(10, 0, 0).Unix()),
		Roles:     map[string]fleet.Role{},
	}
	ids := map[string]fleet.KeyID{}
	for _, name := range append(offline[:], "head", "revocations") {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return fmt.Errorf("folder: %w", err)
		}
		if err := f.writeKey(name, key); err != nil {
			return err
		}
		k, err := fleet.NewSigningKey(key)
		if err != nil {
			return err
		}
		ids[name] = k.ID()
		body.Keys = append(body.Keys, fleet.RootKey{Public: k.Public()})
	}
	for role, r := range roleKeys {
		listed := fleet.Role{Threshold: r.threshold}
		for _, name := range r.keys {
			listed.Keys = append(listed.Keys, ids[name])
		}
		body.Roles[role] = listed
	}
	keys, err := f.SigningKeys("root")
	if err != nil {
		return err
	}
	root, err := fleet.Sign(fleet.KindRoot, fleet.ScopeAll, 1, at, body, keys...)
	if err != nil {
		return err
	}
	return writeNew(f.path("root", "1"), root.Bytes(), readable)
}
