// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"time"

	"gatehouse/credential"
)

// Issued is a new pass. ID is how revoke names it: its cti in hex.
type Issued struct {
	ID   string `json:"id"`
	Code string `json:"code"`
}

// Issue signs a pass with an issuer's own key. A missing id is made at random; the other claims are taken as they are.
func (f *Folder) Issue(issuer string, c credential.Claims) (Issued, error) {
	if err := f.checkIssuer(issuer); err != nil {
		return Issued{}, err
	}
	signer, err := f.readKey(issuerKeyName(issuer))
	if errors.Is(err, fs.ErrNotExist) {
		return Issued{}, fmt.Errorf("%w: the private key of issuer %s; only an issuer that was made without given keys can issue here", ErrUnknown, issuer)
	}
	if err != nil {
		return Issued{}, err
	}
	key, err := credential.NewSigningKey(issuer, signer)
	if err != nil {
		return Issued{}, fmt.Errorf("folder: %w", err)
	}
	if c.ID == nil {
		c.ID = make([]byte, 16)
		if _, err := rand.Read(c.ID); err != nil {
			return Issued{}, fmt.Errorf("folder: %w", err)
		}
	}
	code, err := credential.Sign(c, key)
	if err != nil {
		return Issued{}, fmt.Errorf("folder: %w", err)
	}
	return Issued{ID: hex.EncodeToString(c.ID), Code: code}, nil
}

func (f *Folder) checkIssuer(name string) error {
	if err := checkName("issuer", name); err != nil {
		return err
	}
	if !exists(f.path("issuers", name+".yaml")) {
		return fmt.Errorf("%w: issuer %s; there are: %s. Make it with: gatehouse-fleet issuer add %s", ErrUnknown, name, f.names("issuers"), name)
	}
	return nil
}

// revocable is how an id is written: the cti of a Gatehouse pass in hex, or a hash of an EU DCC.
var revocable = regexp.MustCompile(`^(([0-9a-f]{2}){8,16}|(SIGNATURE|UCI|COUNTRYCODEUCI):[0-9a-f]{32})$`)

// Revoke adds ids to an issuer's list, and tells how many were not on it yet. They are in force when a kiosk imports the
// next bundle. Either all ids are taken or none.
func (f *Folder) Revoke(issuer string, ids ...string) (added int, err error) {
	if err := f.checkIssuer(issuer); err != nil {
		return 0, err
	}
	for i, id := range ids {
		if !revocable.MatchString(id) {
			return 0, fmt.Errorf("%w: id %d; %s", ErrName, i+1, idForm)
		}
	}
	unlock, err := f.lock()
	if err != nil {
		return 0, err
	}
	defer unlock()
	revoked, err := f.readRevoked(issuer)
	if err != nil {
		return 0, err
	}
	before := len(revoked)
	revoked = append(revoked, ids...)
	slices.Sort(revoked)
	revoked = slices.Compact(revoked)
	if len(revoked) == before {
		return 0, nil
	}
	text := "# Revoked passes of issuer " + issuer + ", one id a line. gatehouse-fleet bundle signs this.\n" + strings.Join(revoked, "\n") + "\n"
	return len(revoked) - before, WriteFile(f.revokedPath(issuer), []byte(text), private)
}

func (f *Folder) revokedPath(issuer string) string { return f.path("revoked", issuer+".txt") }

// readRevoked reads an issuer's revoked ids, sorted. None: no file, unless ids are in force: a file that was lost must not
// lift them.
func (f *Folder) readRevoked(issuer string) ([]string, error) {
	path := f.revokedPath(issuer)
	text, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		revoked, err := f.hasRevoked(issuer)
		if revoked {
			err = faultAt(path, 0, "the file is gone, and ids that it had may be revoked at kiosks; restore it from a copy, or lift every one of them with an empty file")
		}
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	ids, faults := ParseIDs(path, text)
	slices.Sort(ids)
	return slices.Compact(ids), first(faults)
}

const idForm = "write a cti as 16 to 32 hexadecimal digits in lower case, or SIGNATURE:, UCI: or COUNTRYCODEUCI: and 32 of them"

// ParseIDs reads ids of passes, one a line, with empty lines and comments (#) between them. It goes on after a fault, so that
// all of them are told; none repeats what it found. path is the file's name for the faults.
func ParseIDs(path string, text []byte) (ids []string, faults []*Fault) {
	n := 0
	for line := range bytes.Lines(text) {
		n++
		id := string(bytes.TrimSpace(line))
		switch {
		case id == "" || id[0] == '#':
		case !revocable.MatchString(id):
			faults = append(faults, faultAt(path, n, "not an id; %s", idForm))
		default:
			ids = append(ids, id)
		}
	}
	return ids, faults
}

// Identify verifies a pass with the keys of this fleet and tells its issuer and the ids that revoke it. A pass that has
// expired, or is not valid yet, can be revoked all the same.
func (f *Folder) Identify(code string, at time.Time) (issuer string, ids []string, err error) {
	trust, err := f.trust()
	if err != nil {
		return "", nil, err
	}
	p, err := credential.Verify(code, trust, at)
	if p == nil {
		return "", nil, fmt.Errorf("folder: the code is no pass of this fleet's issuers: %w", err)
	}
	return p.Issuer, p.RevocationIDs(), nil
}

// keyring is the fleet's trust list, for the operator's own look at a pass.
type keyring []*credential.Key

// Keys implements credential.Trust.
func (r keyring) Keys(format credential.Format, issuer string, kid []byte) ([]*credential.Key, error) {
	var keys []*credential.Key
	known := issuer == ""
	for _, k := range r {
		known = known || k.Issuer == issuer
		if bytes.Equal(k.ID, kid) && (issuer == "" || k.Issuer == issuer) && slices.Contains(k.Formats, format) {
			keys = append(keys, k)
		}
	}
	if !known {
		return nil, credential.ErrUnknownIssuer
	}
	return keys, nil
}

func (f *Folder) trust() (keyring, error) {
	list, err := f.readIssuers()
	if err != nil {
		return nil, err
	}
	keys, err := list.Credentials()
	return keys, err
}
