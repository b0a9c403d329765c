// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

import (
	"time"

	"gatehouse/fleet"
)

// Applied is what a folder has to say when all that was edited is to be published, for some venues or, with none, for all.
type Applied struct {
	*Folder
	Only []string
}

// Bundle is Online.
func (a Applied) Bundle(venue string, at time.Time) (*fleet.Bundle, error) {
	return a.Online(venue, at)
}

// Venues are those that it is about.
func (a Applied) Venues() ([]string, error) {
	if len(a.Only) > 0 {
		return a.Only, nil
	}
	return a.Folder.Venues()
}

// Heads is what a folder has to say when only new heads are to be published, over what was applied.
type Heads struct{ *Folder }

// Bundle is Renewed.
func (h Heads) Bundle(venue string, at time.Time) (*fleet.Bundle, error) {
	return h.Renewed(venue, at)
}
