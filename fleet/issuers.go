// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"crypto/x509"
	"fmt"
	"time"

	"gatehouse/credential"
)

// Issuers is the body of the trust list.
type Issuers struct {
	Issuers []Issuer `cbor:"issuers"`
}

// Issuer is one issuer of passes.
type Issuer struct {
	Name string `cbor:"name"`
	// Revocable says that the head must name revocations/<name>: nobody who holds only the head's key can provision a
	// kiosk that knows of no revocation.
	Revocable bool        `cbor:"revocable,omitempty"`
	Keys      []IssuerKey `cbor:"keys"`
}

// The types of IssuerKey.Data.
const (
	TypeX509 = "x509" // a certificate, DER
	TypeSPKI = "spki" // a SubjectPublicKeyInfo, DER
	TypeJWK  = "jwk"  // a JSON Web Key (RFC 7517)
)

// IssuerKey is one key of an issuer, bound to what it may sign.
type IssuerKey struct {
	Type      string              `cbor:"type"`
	Data      []byte              `cbor:"data"`
	Algorithm string              `cbor:"algorithm"` // must be the one that the data is for
	Formats   []credential.Format `cbor:"formats"`   // at least one
	Kinds     []string            `cbor:"kinds,omitempty"`
	Scopes    []string            `cbor:"scopes,omitempty"`
	NotBefore uint64              `cbor:"not_before,omitempty"` // seconds since 1970; narrows a certificate's own
	NotAfter  uint64              `cbor:"not_after,omitempty"`
}

const maxIssuers = 1024

// ReadIssuers reads the trust list. Its keys are for Credentials to judge.
func ReadIssuers(d Document) (*Issuers, error) {
	var list Issuers
	if d.Kind() != KindIssuers {
		return nil, fmt.Errorf("%w: %s is no trust list", ErrKind, d)
	}
	return &list, d.decodeBody(&list)
}

// Credentials turns the trust list into keys for credential.Verify. An error names issuer and key.
func (l *Issuers) Credentials() ([]*credential.Key, error) {
	if len(l.Issuers) > maxIssuers {
		return nil, fmt.Errorf("%w: %d issuers; at most %d are allowed", ErrContent, len(l.Issuers), maxIssuers)
	}
	var keys []*credential.Key
	seen := map[string]bool{}
	owner := map[string]string{}
	for _, i := range l.Issuers {
		if !ValidName(i.Name) || seen[i.Name] || len(i.Keys) == 0 {
			return nil, fmt.Errorf("%w: issuer %q: each needs a name of its own (a-z, 0-9, -) and a key", ErrContent, i.Name)
		}
		seen[i.Name] = true
		for n, k := range i.Keys {
			key, err := k.Credential(i.Name)
			if err != nil {
				return nil, fmt.Errorf("%w: issuer %q: key %d: %w", ErrContent, i.Name, n, err)
			}
			if err := own(owner, key); err != nil {
				return nil, fmt.Errorf("%w: issuer %q: key %d: %w", ErrContent, i.Name, n, err)
			}
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// own refuses a public key that another issuer has already. An HC1 certificate names its issuer only by the key, and may
// name the key outside of what is signed: its bearer could choose between the two.
func own(owner map[string]string, key *credential.Key) error {
	der, err := x509.MarshalPKIXPublicKey(key.Public)
	if err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	if other, taken := owner[string(der)]; taken && other != key.Issuer {
		return fmt.Errorf("fleet: issuer %q has the same public key; a key is one issuer's", other)
	}
	owner[string(der)] = key.Issuer
	return nil
}

// Credential is the key as credential.Verify takes it. Nothing widens what the data says: times are the narrower.
func (k IssuerKey) Credential(issuer string) (*credential.Key, error) {
	read, ok := map[string]func(string, []byte) (credential.Key, error){
		TypeX509: credential.KeyFromCertificate,
		TypeSPKI: credential.KeyFromSPKI,
		TypeJWK:  credential.KeyFromJWK,
	}[k.Type]
	if !ok {
		return nil, fmt.Errorf("fleet: key type %q is not known; use x509, spki or jwk", k.Type)
	}
	key, err := read(issuer, k.Data)
	if err != nil {
		return nil, err
	}
	if a := key.Algorithm.String(); a != k.Algorithm {
		return nil, fmt.Errorf("fleet: it is listed for the algorithm %q and is a key for %s", k.Algorithm, a)
	}
	if len(k.Formats) == 0 {
		return nil, fmt.Errorf("fleet: it may sign no format; list gh1 or hc1")
	}
	if k.NotBefore > maxTime || k.NotAfter > maxTime {
		return nil, fmt.Errorf("fleet: its validity ends after the year 9999")
	}
	key.Formats, key.Kinds, key.Scopes = k.Formats, k.Kinds, k.Scopes
	if from := time.Unix(int64(k.NotBefore), 0).UTC(); k.NotBefore != 0 && from.After(key.NotBefore) {
		key.NotBefore = from
	}
	if until := time.Unix(int64(k.NotAfter), 0).UTC(); k.NotAfter != 0 && (key.NotAfter.IsZero() || until.Before(key.NotAfter)) {
		key.NotAfter = until
	}
	return &key, key.Validate()
}
