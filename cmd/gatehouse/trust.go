// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"gatehouse/credential"
)

// trustList is a credential.Trust of a few keys.
type trustList struct{ keys []*credential.Key }

// Keys implements credential.Trust.
func (l *trustList) Keys(_ credential.Format, issuer string, kid []byte) ([]*credential.Key, error) {
	var found []*credential.Key
	known := issuer == ""
	for _, k := range l.keys {
		if issuer != "" && k.Issuer != issuer {
			continue
		}
		known = true
		if slices.Equal(k.ID, kid) {
			found = append(found, k)
		}
	}
	if !known {
		return nil, credential.ErrUnknownIssuer
	}
	return found, nil
}

// parseTrust reads a list of trust entries. An entry that cannot be used is skipped and told as a
// fault; the error says that there is no list at all.
func parseTrust(text []byte) (list *trustList, faults []string, err error) {
	var entries []json.RawMessage
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, nil, errors.New("trust is not a list of keys")
	}
	list = new(trustList)
	for i, e := range entries {
		keys, err := parseTrustEntry(e)
		if err != nil {
			faults = append(faults, fmt.Sprintf("trusted key %d is skipped: %v", i+1, err))
		}
		list.keys = append(list.keys, keys...)
	}
	return list, faults, nil
}

// parseTrustEntry returns every usable key of an entry beside what is wrong with the others.
func parseTrustEntry(text []byte) (keys []*credential.Key, err error) {
	var entry struct {
		Issuer     string
		X509, SPKI string
		JWK        json.RawMessage
	}
	if err := json.Unmarshal(text, &entry); err != nil {
		return nil, errors.New("not an object with issuer and x509, jwk or spki")
	}
	add := func(k credential.Key, e error) {
		if err = errors.Join(err, e); e == nil {
			keys = append(keys, &k)
		}
	}
	if entry.X509 != "" {
		add(fromBase64(entry.Issuer, entry.X509, credential.KeyFromCertificate))
	}
	if len(entry.JWK) > 0 && string(entry.JWK) != "null" {
		add(credential.KeyFromJWK(entry.Issuer, entry.JWK))
	}
	if entry.SPKI != "" {
		add(fromBase64(entry.Issuer, entry.SPKI, credential.KeyFromSPKI))
	}
	if len(keys) == 0 && err == nil {
		err = errors.New("it has none of x509, jwk and spki")
	}
	return keys, err
}

func fromBase64(issuer, text string, parse func(string, []byte) (credential.Key, error)) (credential.Key, error) {
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return credential.Key{}, fmt.Errorf("key of issuer %q is not base64", issuer)
	}
	return parse(issuer, der)
}
