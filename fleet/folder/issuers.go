// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml"

	"gatehouse/credential"
	"gatehouse/fleet"
)

// IssuerOptions says where a new issuer's keys come from and what they may sign.
type IssuerOptions struct {
	// Algorithm is that of a key that is made here (EdDSA if zero, or ES256), unless the public keys are given.
	Algorithm credential.Algorithm
	// Certificates are document signing certificates (PEM, several in one, or DER); SPKIs are bare public keys (PEM or
	// DER); JWKs are JSON Web Keys.
	Certificates, SPKIs, JWKs [][]byte
	// Formats that the keys may sign. None: gh1 for a key made here, hc1 for a certificate, else what suits the key.
	Formats []credential.Format
	// Kinds and Scopes bound what the keys may sign; none = every kind, everywhere.
	Kinds, Scopes []string
}

// issuerFile is issuers/NAME.yaml.
type issuerFile struct {
	Keys []issuerKey `yaml:"keys"`
}

type issuerKey struct {
	File      string              `yaml:"file"` // in issuers/NAME/
	Type      string              `yaml:"type"`
	Formats   []credential.Format `yaml:"formats"`
	Kinds     []string            `yaml:"kinds,omitempty"`
	Scopes    []string            `yaml:"scopes,omitempty"`
	NotBefore string              `yaml:"not_before,omitempty"` // 2026-05-01 or RFC 3339
	NotAfter  string              `yaml:"not_after,omitempty"`
}

// AddIssuer makes an issuer. Without given public keys a private key is made, in keys/issuer-NAME.pem, to issue with.
func (f *Folder) AddIssuer(name string, o IssuerOptions) error {
	if err := checkName("issuer", name); err != nil {
		return err
	}
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	path := f.path("issuers", name+".yaml")
	if exists(path) {
		return fmt.Errorf("%w: issuer %s; to give it another key, edit %s", ErrExists, name, path)
	}
	var private crypto.Signer
	if len(o.Certificates)+len(o.SPKIs)+len(o.JWKs) == 0 {
		if private, err = makeKey(o.Algorithm); err != nil {
			return err
		}
		der, err := x509.MarshalPKIXPublicKey(private.Public())
		if err != nil {
			return fmt.Errorf("folder: issuer %s: %w", name, err)
		}
		o.SPKIs = [][]byte{pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: der})}
		if o.Formats == nil {
			o.Formats = []credential.Format{credential.GH1}
		}
	}
	file, data, err := o.file(name)
	if err != nil {
		return err
	}
	text, err := yaml.Marshal(file)
	if err != nil {
		return fmt.Errorf("folder: issuer %s: %w", name, err)
	}
	for i, k := range file.Keys {
		if err := WriteFile(f.path("issuers", name, k.File), data[i], readable); err != nil {
			return err
		}
	}
	if private != nil {
		if err := f.writeKey(issuerKeyName(name), private); err != nil {
			return err
		}
	}
	// Written last: it is what makes the issuer one of the fleet's.
	head := "# yaml-language-server: $schema=../schema/issuer.json\n# The keys of issuer " + name + " and what each may sign. gatehouse-fleet bundle signs this.\n"
	return writeNew(path, append([]byte(head), text...), readable)
}

func issuerKeyName(issuer string) string { return "issuer-" + issuer }

func makeKey(a credential.Algorithm) (crypto.Signer, error) {
	switch a {
	case 0, credential.EdDSA:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case credential.ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	return nil, fmt.Errorf("folder: passes are signed with EdDSA or ES256, not with %s", a)
}

// file gives the issuer's YAML and the file of each key, and makes sure that every key can be used.
func (o *IssuerOptions) file(name string) (*issuerFile, [][]byte, error) {
	var file issuerFile
	var data [][]byte
	for _, source := range []struct {
		kind, extension string
		files           [][]byte
	}{{fleet.TypeX509, "pem", o.Certificates}, {fleet.TypeSPKI, "pem", o.SPKIs}, {fleet.TypeJWK, "json", o.JWKs}} {
		for _, text := range source.files {
			k := issuerKey{
				File: fmt.Sprintf("%s-%d.%s", source.kind, len(data)+1, source.extension),
				Type: source.kind, Formats: o.Formats, Kinds: o.Kinds, Scopes: o.Scopes,
			}
			keys, err := k.read(name, text)
			if err != nil {
				return nil, nil, err
			}
			k.Formats = keys[0].Formats
			file.Keys, data = append(file.Keys, k), append(data, text)
		}
	}
	return &file, data, nil
}

// readIssuer reads an issuer as the trust list has it.
func (f *Folder) readIssuer(name string) (issuer fleet.Issuer, faults []*Fault) {
	issuer = fleet.Issuer{Name: name, Revocable: true}
	path := f.path("issuers", name+".yaml")
	var file issuerFile
	text, err := readYAML(path, &file)
	if err != nil {
		return issuer, []*Fault{faultOf(path, err)}
	}
	if len(file.Keys) == 0 {
		return issuer, []*Fault{faultAt(path, 1, "the issuer has no key; take the file away where the issuer is to go")}
	}
	for i, k := range file.Keys {
		if k.File != filepath.Base(k.File) {
			faults = append(faults, faultAt(path, lineOf(text, "$.keys[%d].file", i), "file %q; write the name of a file in issuers/%s", k.File, name))
			continue
		}
		data, err := readFile(f.path("issuers", name, k.File))
		if err == nil {
			var keys []fleet.IssuerKey
			keys, err = k.read(name, data)
			issuer.Keys = append(issuer.Keys, keys...)
		}
		if err != nil {
			faults = append(faults, faultAt(path, lineOf(text, "$.keys[%d]", i), "%w", err))
		}
	}
	return issuer, faults
}

const (
	pemPublic      = "PUBLIC KEY"
	pemCertificate = "CERTIFICATE"
)

// read turns a key's file into keys of the trust list, each one checked.
func (k issuerKey) read(issuer string, text []byte) ([]fleet.IssuerKey, error) {
	blocks, err := k.blocks(text)
	if err != nil {
		return nil, err
	}
	notBefore, errFrom := unixTime(k.NotBefore)
	notAfter, errUntil := unixTime(k.NotAfter)
	if errFrom != nil || errUntil != nil {
		return nil, fmt.Errorf("not_before %q, not_after %q: write 2026-05-01 or 2026-05-01T08:00:00Z", k.NotBefore, k.NotAfter)
	}
	var keys []fleet.IssuerKey
	for _, der := range blocks {
		key := fleet.IssuerKey{
			Type: k.Type, Data: der, Formats: k.Formats, Kinds: k.Kinds, Scopes: k.Scopes,
			NotBefore: notBefore, NotAfter: notAfter,
		}
		bare, err := parseKey(issuer, k.Type, der)
		if err != nil {
			return nil, err
		}
		key.Algorithm = bare.Algorithm.String()
		if key.Formats == nil {
			key.Formats = bare.Formats
		}
		if _, err := key.Credential(issuer); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func parseKey(issuer, kind string, data []byte) (credential.Key, error) {
	switch kind {
	case fleet.TypeX509:
		return credential.KeyFromCertificate(issuer, data)
	case fleet.TypeSPKI:
		return credential.KeyFromSPKI(issuer, data)
	case fleet.TypeJWK:
		return credential.KeyFromJWK(issuer, data)
	}
	return credential.Key{}, fmt.Errorf("type %q is not known; write x509, spki or jwk", kind)
}

// blocks are the keys in a file: each PEM block of the right type, or the whole file where it is no PEM.
func (k issuerKey) blocks(text []byte) ([][]byte, error) {
	want := map[string]string{fleet.TypeX509: pemCertificate, fleet.TypeSPKI: pemPublic}[k.Type]
	if want == "" || !bytes.Contains(text, []byte("-----BEGIN ")) {
		return [][]byte{text}, nil
	}
	var blocks [][]byte
	for {
		var b *pem.Block
		if b, text = pem.Decode(text); b == nil {
			break
		}
		if b.Type != want {
			return nil, fmt.Errorf("folder: a PEM block %q; a key of type %s is in a block %q", b.Type, k.Type, want)
		}
		blocks = append(blocks, b.Bytes)
	}
	if len(blocks) == 0 {
		return nil, fmt.Errorf("folder: no whole PEM block %q", want)
	}
	return blocks, nil
}

func unixTime(s string) (uint64, error) {
	if s == "" {
		return 0, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		t, err = time.Parse(time.RFC3339, s)
	}
	if err == nil && t.Unix() <= 0 {
		err = errors.New("before 1970") // 0 would be no bound at all
	}
	return uint64(max(t.Unix(), 0)), err
}
