// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"bytes"
	"slices"

	"gatehouse/credential"
)

// Roster is the issuers in force, by name, each with its keys in the order of their ids. It is empty before the first
// bundle. The keys are shared and never change.
func (t *Trust) Roster() map[string][]*credential.Key {
	<-t.checked
	b, roster := t.current.Load(), map[string][]*credential.Key{}
	if b == nil {
		return roster
	}
	for name := range b.issuers {
		roster[name] = nil
	}
	for _, keys := range b.keys {
		for _, k := range keys { // a key is there once for each format, and for HC1 without an issuer
			if !slices.Contains(roster[k.Issuer], k) {
				roster[k.Issuer] = append(roster[k.Issuer], k)
			}
		}
	}
	for _, keys := range roster {
		slices.SortFunc(keys, func(a, b *credential.Key) int { return bytes.Compare(a.ID, b.ID) })
	}
	return roster
}
