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

	"gatehouse/credential"
	"gatehouse/fleet"
)

const pemPrivate = "PRIVATE KEY" // PKCS #8, RFC 5958

// offline are the keys that sign root, issuers and config, two of three. They lie in one folder for a start; their files
// belong on media that are kept apart.
var offline = [...]string{"offline-a", "offline-b", "offline-c"}

// online are the roles with a key of their own.
var online = [...]string{"head", "revocations", fleet.RoleCommand, fleet.RoleCollector}

// thresholds are what the roles of a first root take.
var thresholds = map[string]uint{
	"root": 2, "issuers": 2, "config": 2,
	"head": 1, "revocations": 1, fleet.RoleCommand: 1, fleet.RoleCollector: 1,
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

func (f *Folder) readKey(name string) (crypto.Signer, error) { return readSigner(f.keyPath(name)) }

// readSigner reads a private key (PKCS #8, PEM) that nobody else can read.
func readSigner(path string) (crypto.Signer, error) {
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

// makeKey makes an Ed25519 key of the fleet's own and keeps both halves. One that a crash or an abandoned ceremony left is
// taken: it is in no root yet, or the name would be another.
func (f *Folder) makeKey(label string) (ed25519.PublicKey, error) {
	if !exists(f.keyPath(label)) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("folder: %w", err)
		}
		if err := f.writeKey(label, key); err != nil {
			return nil, err
		}
	}
	k, err := f.signingKey(label)
	if err != nil {
		return nil, err
	}
	return k.Public(), f.writePublic(label, k.Public())
}

// publicPath is where the public half of a key lies, so that a key can be told by name while it is kept elsewhere.
func (f *Folder) publicPath(label string) string { return f.path("root", label+".pub") }

func (f *Folder) writePublic(label string, public ed25519.PublicKey) error {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return fmt.Errorf("folder: key %s: %w", label, err)
	}
	return WriteFile(f.publicPath(label), pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: der}), readable)
}

// readPublic reads the public half of a fleet key, PEM or DER.
func readPublic(text []byte) (ed25519.PublicKey, error) {
	if block, _ := pem.Decode(text); block != nil {
		if block.Type != pemPublic {
			return nil, fmt.Errorf("folder: a PEM block %q; the public half of a key is in a block %q", block.Type, pemPublic)
		}
		text = block.Bytes
	}
	key, err := x509.ParsePKIXPublicKey(text)
	if err != nil {
		return nil, fmt.Errorf("folder: no public key: %w", err)
	}
	public, ok := key.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("folder: the fleet's own keys are Ed25519, not %T", key)
	}
	_, err = credential.KeyFromSPKI("fleet", text) // a point of small order is no key
	return public, err
}
