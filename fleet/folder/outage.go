// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"gatehouse/fleet"
)

// ErrOutage: what is said of an issuer's outage cannot be so.
var ErrOutage = errors.New("folder: not an outage")

// SetDown notes that an issuer's own servers are out of reach since a time: the heads of the bundles to come say so, and
// rules with outage_max_age take older passes of that issuer. Saying it again moves the time.
func (f *Folder) SetDown(issuer string, since, at time.Time) error {
	if err := checkName("issuer", issuer); err != nil {
		return err
	}
	switch {
	case !exists(f.path("issuers", issuer+".yaml")):
		return fmt.Errorf("%w: issuer %s; there are: %s", ErrUnknown, issuer, f.names("issuers"))
	case since.After(at):
		return fmt.Errorf("%w: %s is later than now: say it when it has begun", ErrOutage, since.UTC().Format(time.RFC3339))
	case since.Unix() <= 0:
		return fmt.Errorf("%w: %s is before 1970", ErrOutage, since.UTC().Format(time.RFC3339))
	}
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return WriteFile(f.path("down", issuer), []byte(since.UTC().Format(time.RFC3339)+"\n"), readable)
}

// SetUp ends an outage. One that is not down is ErrOutage.
func (f *Folder) SetUp(issuer string) error {
	if err := checkName("issuer", issuer); err != nil {
		return err
	}
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	err = os.Remove(f.path("down", issuer))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: issuer %s is not down", ErrOutage, issuer)
	}
	if err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	return syncDir(f.path("down"))
}

// down is what a head that is signed at a time says of outages. An issuer that has left the fleet has none.
func (f *Folder) down(at time.Time) (map[string]uint64, error) {
	entries, err := readDir(f.path("down"))
	if err != nil {
		return nil, err
	}
	down := map[string]uint64{}
	for _, e := range entries {
		issuer := e.Name()
		if !fleet.ValidName(issuer) || !exists(f.path("issuers", issuer+".yaml")) {
			continue
		}
		since, err := f.readDown(issuer, at)
		if err != nil {
			return nil, err
		}
		down[issuer] = uint64(since.Unix())
	}
	return down, nil
}

// readDown is since when an issuer is down; an error that is fs.ErrNotExist where it is not.
func (f *Folder) readDown(issuer string, at time.Time) (time.Time, error) {
	path := f.path("down", issuer)
	text, err := readFile(path)
	if err != nil {
		return time.Time{}, err
	}
	since, err := time.Parse(time.RFC3339, strings.TrimSpace(string(text)))
	if err != nil || since.Unix() <= 0 || since.After(at) {
		return since, faultAt(path, 1, "not a time that has passed; write it with: gatehouse-fleet issuer down %s", issuer)
	}
	return since, nil
}

// IssuerState is an issuer of the folder at a glance. Its JSON form is stable: fields may be added.
type IssuerState struct {
	Name      string     `json:"name"`
	Keys      int        `json:"keys"`
	Kinds     []string   `json:"kinds,omitempty"` // that its keys may sign; none: every kind
	Revoked   int        `json:"revoked"`         // ids
	DownSince *time.Time `json:"down_since,omitempty"`
}

// Issuers lists the issuers of the folder at a time, in the order of their names.
func (f *Folder) Issuers(at time.Time) (states []IssuerState, err error) {
	list, err := f.readIssuers()
	if err != nil {
		return nil, err
	}
	down, err := f.down(at)
	if err != nil {
		return nil, err
	}
	for _, i := range list.Issuers {
		revoked, err := f.readRevoked(i.Name)
		if err != nil {
			return nil, err
		}
		s := IssuerState{Name: i.Name, Keys: len(i.Keys), Revoked: len(revoked), Kinds: kindsOf(i)}
		if since, ok := down[i.Name]; ok {
			at := time.Unix(int64(since), 0).UTC()
			s.DownSince = &at
		}
		states = append(states, s)
	}
	return states, nil
}

// kindsOf are the kinds of pass that an issuer's keys may sign; none where one may sign every kind.
func kindsOf(i fleet.Issuer) (kinds []string) {
	for _, k := range i.Keys {
		if len(k.Kinds) == 0 {
			return nil
		}
		kinds = append(kinds, k.Kinds...)
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}
