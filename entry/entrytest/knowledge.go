// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entrytest

import (
	"bytes"

	"gatehouse/credential"
	"gatehouse/entry"
)

// Knowledge is an entry.Knowledge and its only entry.Belief. Fill it before use and change it only between decisions.
type Knowledge struct {
	KeyList  []*credential.Key
	Gone     map[string]bool // revocation ids, as credential.Pass.RevocationIDs writes them
	Unknown  bool            // the revocations of every pass are unknown
	Agreed   *entry.Terms
	Err      error // of Belief: nothing can be read
	RevokErr error // of Revoked
}

// Belief implements entry.Knowledge.
func (k *Knowledge) Belief() (entry.Belief, error) { return k, k.Err }

// Terms implements entry.Belief.
func (k *Knowledge) Terms() *entry.Terms { return k.Agreed }

// Keys implements credential.Trust.
func (k *Knowledge) Keys(f credential.Format, issuer string, kid []byte) (found []*credential.Key, err error) {
	known := issuer == ""
	for _, key := range k.KeyList {
		if issuer != "" && key.Issuer != issuer {
			continue
		}
		known = true
		for _, format := range key.Formats {
			if format == f && bytes.Equal(key.ID, kid) {
				found = append(found, key)
			}
		}
	}
	if !known {
		return nil, credential.ErrUnknownIssuer
	}
	return found, nil
}

// Revoked implements entry.Belief.
func (k *Knowledge) Revoked(p *credential.Pass) (entry.Revocation, error) {
	if k.RevokErr != nil || k.Unknown {
		return entry.RevocationUnknown, k.RevokErr
	}
	for _, id := range p.RevocationIDs() {
		if k.Gone[id] {
			return entry.Revoked, nil
		}
	}
	return entry.NotRevoked, nil
}
